"""A folder's every byte, to compare; and what people and programs do to folders, to do at random."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from hypothesis import strategies as st

Tree: TypeAlias = dict[str, tuple[str, int, bytes]]


def tree_of(root: Path) -> Tree:
    """Return kind, mode and content of all that is in a folder, by its path in it."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        mode = stat.S_IMODE(status.st_mode)
        name = os.fsdecode(path.relative_to(root))
        if path.is_symlink():
            found[name] = "link", 0, os.fsencode(os.readlink(path))
        elif path.is_dir():
            found[name] = "folder", mode, b""
        else:
            found[name] = "file", mode, path.read_bytes()
    return found


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing done to a folder. What cannot be done is left undone, as a shell would."""

    what: str
    path: str
    other: str
    content: bytes
    mode: int

    def do(self, root: Path) -> None:
        with suppress(OSError, shutil.Error):
            self._do(root / self.path, root / self.other)

    def _do(self, path: Path, other: Path) -> None:
        match self.what:
            case "write":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.content)
            case "append":
                with path.open("ab") as file:
                    file.write(self.content)
            case "change in place":
                # As long as before, and with the time that it had: only the system's own time tells.
                before = path.stat()
                path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            case "delete":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            case "mkdir":
                path.mkdir(parents=True)
            case "rename":
                path.rename(other)
            case "chmod":
                path.chmod(self.mode | stat.S_IRWXU if path.is_dir() else self.mode)
            case _:
                path.symlink_to(self.other)


_NAMES = ["a", "b", "src", "src/a", "src/b.py", "src/deep", "src/deep/a", "é", "src/deep/\udcff", "dist", "dist/x"]
DEEDS = st.builds(
    Deed,
    st.sampled_from(["write", "write", "append", "change in place", "delete", "mkdir", "rename", "chmod", "symlink"]),
    st.sampled_from(_NAMES),
    st.sampled_from([*_NAMES, "new", "src/deep/new"]),
    st.one_of(st.binary(max_size=20), st.just(b"line\n" * 100), st.just(bytes(range(256)) * 40)),
    st.sampled_from([0o644, 0o755, 0o600, 0o444, 0o640, 0o4755]),
)

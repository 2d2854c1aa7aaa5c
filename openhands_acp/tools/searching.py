"""What grep and glob share: where to look, what of it is unsaved, and how results are told.

Knows no search; `hands.search` does it, after asking where it must.
"""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import PurePath
from typing import Literal

from anyio import move_on_after

from openhands_acp.engine.cards import Location
from openhands_acp.engine.paths import AbsPath, absolute, is_inside, shortened
from openhands_acp.engine.ports import UnreadableFile
from openhands_acp.engine.tool import Hands, ToolError
from openhands_acp.tools.editor_errors import plainly
from openhands_acp.tools.editor_state import Seen

MOST_LOCATIONS = 20
"""Places that the editor is told of."""
_MOST_UNSAVED = 50
_PATIENCE = 5.0
"""Seconds for the editor to tell what is unsaved in all of the files."""
_TITLE = 120
_MAGIC = re.compile(r"[*?\[{]")


def place(path: str | None, hands_root: AbsPath) -> AbsPath:
    return absolute(path or ".", hands_root)


def apart(glob: str, folder: AbsPath) -> tuple[AbsPath, str]:
    """Split a glob that leads out of `folder` (absolute, `~`, `../`) into the folder it leads to and the rest."""
    parts = (glob.replace("\\", "/") if sys.platform == "win32" else glob).split("/")
    if not is_elsewhere(glob):
        return folder, glob
    plain = next((index for index, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    base = absolute("/".join(parts[:plain]) + "/", folder)
    # With a slash, or a name would fit at any depth.
    return base, "/" + "/".join(parts[plain:])


def is_elsewhere(glob: str) -> bool:
    return PurePath(glob).is_absolute() or glob.partition("/")[0] in ("~", "..", ".")


def has_magic(text: str) -> bool:
    return _MAGIC.search(text) is not None


async def unsaved(hands: Hands, path: AbsPath) -> dict[AbsPath, str]:
    """Read the files at `path` or below that the model has seen, as the editor has them."""
    texts: dict[AbsPath, str] = {}
    seen = [each for each in hands.recall(Seen).paths() if PurePath(each).is_relative_to(path)]
    with move_on_after(_PATIENCE):
        for each in seen[:_MOST_UNSAVED]:
            # Outside the project nobody has unsaved text for us, and reading would ask again.
            if is_inside(each, hands.roots):
                with suppress(OSError, UnreadableFile):
                    texts[each] = (await hands.files.read(each)).text
    return texts


async def no_such_place(error: OSError, hands: Hands, path: AbsPath) -> ToolError:
    match error:
        case NotADirectoryError():
            return ToolError(f"{path} is not a folder; give the folder to look in")
        case OSError(errno=None):
            return ToolError(f"{path}: {error}")
        case _:
            return await plainly(error, hands, path)


# ---------------------------------------------------------------- results


def title(tool: str, pattern: str, path: AbsPath, root: AbsPath, include: str | None = None) -> str:
    where = "" if path == root else f" in {shortened(path, root)}"
    return f'{tool} "{_visible(pattern)}"{where}{f" ({_visible(include)})" if include else ""}'


def _visible(text: str) -> str:
    shown = "".join(character if character.isprintable() else "�" for character in text)
    return shown if len(shown) <= _TITLE else f"{shown[:_TITLE]}…"


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def why_cut(cut: Literal["", "time", "size"]) -> list[str]:
    match cut:
        case "":
            return []
        case "time":
            return ["[The search took too long and was ended, so there may be more: narrow `path`]"]
        case "size":
            return ["[There is so much that the search was ended early, so there is more: narrow it down]"]


def places(paths: tuple[AbsPath, ...]) -> tuple[Location, ...]:
    return tuple(Location(path) for path in paths[:MOST_LOCATIONS])

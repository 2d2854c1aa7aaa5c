from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openhands_acp.local.private_folder import PrivateFolder

MAKE = """
import os, signal
from openhands_acp.local.private_folder import PrivateFolder
folder = PrivateFolder()
print(folder.path, flush=True)
if input() == "die":
    os.kill(os.getpid(), signal.SIGKILL)
"""
LONG_AGO = 1_000_000_000


def test_a_folder_goes_with_its_owner_and_what_was_left_by_a_kill_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "openhands-acp-somebodys").mkdir()
    processes = [
        subprocess.Popen([sys.executable, "-c", MAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    made: list[Path] = []
    for process in processes:
        assert process.stdout is not None
        made.append(Path(process.stdout.readline().strip()))
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in made)
    killed, ended, living = processes
    killed.communicate("die\n", timeout=20)
    ended.communicate("end\n", timeout=20)
    assert [path.exists() for path in made] == [True, False, True]
    for path in tmp_path.iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))
    mine = PrivateFolder()
    assert {path.name for path in tmp_path.iterdir()} == {
        "openhands-acp-somebodys",
        made[2].name,
        Path(mine.path).name,
    }
    mine.close()
    living.communicate("end\n", timeout=20)
    assert [path.name for path in tmp_path.iterdir()] == ["openhands-acp-somebodys"]

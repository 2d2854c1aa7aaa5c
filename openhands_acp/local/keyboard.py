"""Who waits for the keyboard: tells from /proc whether a program sits in a read of its terminal (Linux only).

A guess that may miss, and says no where nobody can tell. Knows nothing of shells or output.
"""

from __future__ import annotations

import contextlib
import os
import platform
import struct
import sys
from collections.abc import Collection, Iterable

if sys.platform != "win32":
    import termios

# The numbers of the calls that wait for input, as each machine counts them.
_CALLS = {
    "x86_64": {0: "read", 7: "poll", 19: "read", 23: "select", 232: "epoll", 270: "select", 271: "poll", 281: "epoll"},
    "aarch64": {63: "read", 65: "read", 72: "select", 73: "poll", 22: "epoll"},
}
_EPOLL_PWAIT2 = 441
_MANY = 64
"""Threads, or polled files, that are looked at; who has more is no program that asks something."""


def waits_for_keyboard(pids: Iterable[int], terminal: str, is_raw: bool) -> bool:
    """Tell whether one of these processes waits for input from `terminal`, a path such as /dev/pts/3.

    `is_raw`: some program takes single keys from it. One that waits for other things besides, like a
    server with an eye on the keyboard, counts only then, or if it asked to be told of nothing less.
    """
    calls = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
    if calls is None:
        return False
    for pid in pids:
        # Gone meanwhile, or not ours to look into.
        with contextlib.suppress(OSError, ValueError, struct.error):
            files = _files_of(pid, terminal)
            if files and any(_waits(pid, thread, files, calls, is_raw) for thread in _threads(pid)):
                return True
    return False


def takes_single_keys(terminal: int) -> bool:
    return sys.platform != "win32" and not _mode(terminal) & termios.ICANON


def makes_signals(terminal: int) -> bool:
    """Tell whether Ctrl-C is a signal there, not a key like others."""
    return sys.platform != "win32" and bool(_mode(terminal) & termios.ISIG)


def _mode(terminal: int) -> int:
    if sys.platform == "win32":
        return 0
    try:
        return termios.tcgetattr(terminal)[3]
    except termios.error:
        # Nobody has it open: it is as it was.
        return termios.ICANON | termios.ISIG


def _threads(pid: int) -> list[str]:
    return os.listdir(f"/proc/{pid}/task")[:_MANY]


def _files_of(pid: int, terminal: str) -> frozenset[int]:
    folder = f"/proc/{pid}/fd"
    return frozenset(int(name) for name in os.listdir(folder) if _target(f"{folder}/{name}") == terminal)


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _waits(pid: int, thread: str, files: Collection[int], calls: dict[int, str], is_raw: bool) -> bool:
    words = _text(f"/proc/{pid}/task/{thread}/syscall").split()
    if not words or not words[0].isdecimal():
        # It runs.
        return False
    number = int(words[0])
    call = "epoll" if number == _EPOLL_PWAIT2 else calls.get(number)
    first, second = (int(word, 16) for word in words[1:3])
    match call:
        case "read":
            return first in files
        case "poll":
            return _is_watched(_polled(pid, first, second), files, is_raw)
        case "select":
            return _is_watched(_selected(pid, first, second), files, is_raw)
        case "epoll":
            watched = _in_epoll(pid, first)
            return not watched.isdisjoint(files)
        case _:
            return False


def _is_watched(watched: frozenset[int], files: Collection[int], is_raw: bool) -> bool:
    ours = watched.intersection(files)
    return bool(ours) and (is_raw or ours == watched)


def _polled(pid: int, address: int, count: int) -> frozenset[int]:
    if not 0 < count <= _MANY:
        return frozenset()
    entries = struct.iter_unpack("ihh", _memory(pid, address, 8 * count))
    pollin = 1
    return frozenset(file for file, events, _ in entries if file >= 0 and events & pollin)


def _selected(pid: int, count: int, address: int) -> frozenset[int]:
    if not 0 < count <= 1024 or not address:
        return frozenset()
    bits = int.from_bytes(_memory(pid, address, (count + 7) // 8), "little")
    return frozenset(file for file in range(count) if bits >> file & 1)


def _in_epoll(pid: int, file: int) -> frozenset[int]:
    lines = _text(f"/proc/{pid}/fdinfo/{file}").splitlines()
    watched = (line.split() for line in lines if line.startswith("tfd:"))
    # "tfd: 13 events: 19 ...": hexadecimal, and 1 is input.
    return frozenset(int(words[1]) for words in watched if int(words[3], 16) & 1)


def _memory(pid: int, address: int, size: int) -> bytes:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(memory, size, address)
    finally:
        os.close(memory)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()

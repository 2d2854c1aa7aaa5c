"""Process trees: who descends from whom, and how to end them all within a bound.

Linux answers every question here through /proc; elsewhere a tree is its process group and, when it is ended, who
descends from that by what ps says. Knows nothing of shells or output.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio

GRACE = 0.02
"""Seconds between asking a tree to end and ending it."""
BOUND = 0.5
"""Seconds after that to see it gone: only a busy machine, or a process stuck in the kernel, comes near."""
_LOOKS_AT_A_NEW_PROGRAM = 200
_STEP = 0.001
_QUIET_LOOKS = 2
"""A child born during a look, whose parent died since, is ours to see in the next."""
HAS_PROC = sys.platform == "linux"
_PS = 0.5
"""Seconds for ps to say who there is, which takes it some ten milliseconds."""
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told from a later one with the same number by when it started."""

    pid: int
    """Negative where there is no /proc: a whole process group, as kill(2) spells it."""
    started: int
    """Clock ticks since the machine booted; 0 where nobody can tell."""


@dataclass(frozen=True, slots=True)
class _Stat:
    pid: int
    state: str
    parent: int
    session: int
    started: int


def adopt_orphans() -> None:
    """Have the kernel give us, not pid 1, every descendant whose parent died (Linux only).

    Without it a process that left its group and lost its parent has left our tree for good.
    """
    if sys.platform != "linux":
        return
    # Imported this late because it costs milliseconds at start, and the first command is early enough.
    ctypes = importlib.import_module("ctypes")
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


# ---------------------------------------------------------------- looking


def look(pid: int) -> Process | None:
    """Find the process with this number, unless it is gone or a zombie."""
    if not HAS_PROC or pid < 0:
        return Process(pid, 0) if _answers(pid) else None
    stat = _stat(pid)
    return Process(pid, stat.started) if stat is not None and stat.state not in "ZX" else None


def is_alive(process: Process) -> bool:
    return look(process.pid) == process


def session_of(pid: int) -> int | None:
    """Return the session of a process, also of a zombie; None if it is gone or nobody can tell."""
    stat = _stat(pid) if HAS_PROC else None
    return None if stat is None else stat.session


def children(pid: int) -> list[int]:
    """List the direct children, zombies included; none where there is no /proc."""
    if not HAS_PROC:
        return []
    try:
        # The kernel skips a child whose elder sibling goes away while it counts: two looks that agree missed none.
        found = _children_now(pid)
        while (again := _children_now(pid)) != found:
            found = again
        return found
    except OSError:
        # A thread ended just now, or the kernel was built without these files; or the process is gone.
        return [stat.pid for stat in _every_stat() if stat.parent == pid] if _stat(pid) is not None else []


def _children_now(pid: int) -> list[int]:
    threads = os.listdir(f"/proc/{pid}/task")
    return [int(child) for thread in threads for child in _read(f"/proc/{pid}/task/{thread}/children").split()]


def descendants(pid: int) -> list[int]:
    """List all processes below `pid`, parents before their children, zombies included."""
    found: dict[int, None] = {}
    waiting = children(pid)
    while waiting:
        child = waiting.pop()
        if child not in found:
            found[child] = None
            waiting += children(child)
    return list(found)


def carries(pid: int, marks: Iterable[str]) -> bool:
    """Tell whether the process was started with one of `marks` somewhere in its environment."""
    for _ in range(_LOOKS_AT_A_NEW_PROGRAM):
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        if environ or look(pid) is None:
            return any(mark.encode() in environ for mark in marks)
        # A program that has only just begun shows no environment for a moment; a dead one shows none for ever.
        os.sched_yield()
    return False


def families(roots: Iterable[int]) -> list[Process]:
    """Find these processes and all that descends from them."""
    found = {look(pid) for root in roots for pid in (root, *descendants(root))}
    return [process for process in found if process is not None]


def belonging(leader: int, mark: str, *, has_proc: bool = HAS_PROC) -> list[Process]:
    """Find all that is left of a session that we started, also what lost its parent or left the session.

    `mark` is in the environment of all of them (Linux; elsewhere they are as much as their group, and `strays`).
    """
    if not has_proc:
        group = look(-leader)
        return [group] if group else []
    orphans = (child for child in children(os.getpid()) if child != leader)
    ours = (child for child in orphans if session_of(child) == leader or carries(child, (mark,)))
    return families([leader, *ours])


def strays(leader: int, *, has_proc: bool = HAS_PROC) -> list[Process]:
    """Find who descends from a group and has left it, where `belonging` sees no more than the group.

    For the moment before a tree is ended: it takes a program of its own, and once a parent is gone nobody can tell
    whose child it was. Finds nobody where there is no such program.
    """
    if has_proc or sys.platform == "win32":
        return []
    try:
        said = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,pgid="], capture_output=True, timeout=_PS, check=False, env={"LC_ALL": "C"}
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[int(number) for number in line.split()] for line in said.splitlines()]
    found = {pid for pid, _, group in rows if leader in (pid, group)}
    inside = frozenset(found)
    while more := {pid for pid, parent, _ in rows if parent in found} - found:
        found |= more
    return [process for pid in found - inside if (process := look(pid)) is not None]


# ---------------------------------------------------------------- ending


async def end_tree(find: Callable[[], Iterable[Process]], group: int | None = None) -> set[Process]:
    """End all that `find` finds, now or while it is being ended: asked first, then made to.

    Returns what it found, for `reap_adopted`. Bounded by GRACE + BOUND; call it shielded. `group`
    is signalled as one, so its leader must not have been reaped yet: until then the number cannot
    have gone to somebody else.
    """
    known: set[Process] = set()
    for pause in _ending(find, group, known):
        await anyio.sleep(pause)
    return known


def end_tree_in_thread(find: Callable[[], Iterable[Process]], group: int | None = None) -> set[Process]:
    """Do what `end_tree` does where there is no event loop."""
    known: set[Process] = set()
    for pause in _ending(find, group, known):
        # Processes that are not our children tell nobody of their end: they are looked at again.
        time.sleep(pause)
    return known


def _ending(find: Callable[[], Iterable[Process]], group: int | None, known: set[Process]) -> Iterator[float]:
    """Yield the pauses between the steps of ending a tree."""
    known.update(find())
    _signal(known, group, signal.SIGTERM)
    until = time.monotonic() + GRACE
    while _living(known) and time.monotonic() < until:
        yield _STEP
        known.update(find())
    until = time.monotonic() + BOUND
    quiet = 0
    while quiet < _QUIET_LOOKS and time.monotonic() < until:
        known.update(find())
        living = _living(known)
        quiet = 0 if living else quiet + 1
        if living:
            _signal(living, group, signal.SIGKILL)
            yield _STEP


def interrupt(group: int, others: Iterable[Process]) -> None:
    """Send a process group what Ctrl-C sends, and once each to others outside of it."""
    _signal(others, group, signal.SIGINT)


async def see_off(find: Callable[[], Iterable[Process]], until: float) -> set[Process]:
    """Wait until `find` finds nobody alive, or it is `until` by `anyio.current_time`; returns all it found."""
    known: set[Process] = set()
    while True:
        found = set(find())
        known |= found
        if not found or anyio.current_time() >= until:
            return known
        await anyio.sleep(_STEP)


def kill_everything() -> None:
    """Kill every descendant of this process at once; for its last moments (Linux only).

    Waits a tenth of a second at most and may be called from anywhere, signal handlers included.
    """
    if sys.platform != "linux":
        return
    until = time.monotonic() + 0.1
    quiet = 0
    while quiet < _QUIET_LOOKS and time.monotonic() < until:
        living = [process for pid in descendants(os.getpid()) if (process := look(pid)) is not None]
        quiet = 0 if living else quiet + 1
        if living:
            _signal(living, None, signal.SIGKILL)
            # Blocking is right here: nothing that the event loop has still counts, and they die meanwhile.
            time.sleep(_STEP)


def reap_adopted(known: Iterable[Process] = ()) -> None:
    """Clear away our dead children that somebody else started: nobody waits for those but us.

    A child that we started ourselves is spared, for whoever started it waits for its exit code. It
    is in our session or leads its own; a dead one in any other was adopted, and so was one in `known`.
    """
    if sys.platform != "linux":
        return
    ours = os.getsid(0)
    adopted = frozenset(known)
    for pid in children(os.getpid()):
        stat = _stat(pid)
        if stat is None or stat.state != "Z":
            continue
        if Process(pid, stat.started) in adopted or stat.session not in (ours, pid):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


# ---------------------------------------------------------------- details


def _living(processes: Iterable[Process]) -> list[Process]:
    return list(filter(is_alive, processes))


def _signal(processes: Iterable[Process], group: int | None, sent: signal.Signals) -> None:
    if group is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-group, sent)
        processes = (process for process in processes if not _is_in_group(process, group))
    for process in processes:
        if process.pid not in (-1, 0, 1, os.getpid()):
            _send(process, sent)


def _is_in_group(process: Process, group: int) -> bool:
    """Spare the members of a group a second signal: some programs take it for impatience."""
    try:
        return os.getpgid(process.pid) == group
    except OSError:
        return True


def _send(process: Process, sent: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform != "linux":
            os.kill(process.pid, sent)
            return
        try:
            # Held open, the number cannot pass to another process between the look and the signal.
            held = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return
        except OSError:
            # A kernel before 5.3, or a sandbox without the call.
            if is_alive(process):
                os.kill(process.pid, sent)
            return
        try:
            if is_alive(process):
                signal.pidfd_send_signal(held, sent)
        finally:
            os.close(held)


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _stat(pid: int) -> _Stat | None:
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    # The name, in brackets, may hold brackets and blanks; all after the last bracket is plain.
    state, parent, _group, session, *rest = text.rpartition(")")[2].split()
    return _Stat(pid, state, int(parent), int(session), started=int(rest[15]))


def _every_stat() -> Iterator[_Stat]:
    for name in os.listdir("/proc"):
        if name.isdecimal() and (stat := _stat(int(name))) is not None:
            yield stat


def _read(path: str) -> str:
    """Read a small file of /proc in one call, a third of the time that `open` takes."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = b""
        while more := os.read(file, 65536):
            text += more
        return text.decode(errors="replace")
    finally:
        os.close(file)

"""What the terminal tool says: to the model how it is used and how a command stands, to the person what a call does."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.keys import ENTER, keys_of, spelled
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Exit, Job, Running

TITLE = 200
_NAME = 60
"""Characters by which one command is told from another in a sentence."""

_SHELL = "PowerShell" if sys.platform == "win32" else "bash"

DESCRIPTION = f"""\
Run one command line ({_SHELL}) in a shell that keeps its state from call to call: directory, variables, functions, an \
activated venv. It starts in the session's folder. For tests, builds, git, package managers, inspecting the system; \
to view, change and search files there are other tools.
- The result has the output (of more than 20,000 characters head and tail, and the path of a file with all of it), \
exit code and what else runs. Control sequences are removed; pagers and editors are off.
- Still running after 30 s of silence, 120 s in all, or as soon as it asks something: control comes back and the \
command goes on as a job. Then, as you see fit:
  - look: command="" waits for more output and shows what is new (timeout: seconds to wait at most);
  - type: is_input=true, command="y" types it and Enter; or one key: C-c, C-d (any C-<letter>), ENTER, UP, DOWN, LEFT, \
RIGHT, TAB, ESC, BS, HOME, END, PGUP, PGDN. C-c interrupts;
  - leave it: the next command runs beside it;
  - end it: reset=true with its job.
  These go to the latest job, or to the one in `job`.
- Servers and watchers: background=true starts the command as a job and comes back when its output pauses. Look at it \
later; no need for &, nohup or sleep. All jobs end with the session.
- timeout makes it wait that long however silent it is (at most 3600 s); then the command and all its children are \
ended. For slow builds and tests. Without it, the limit is an hour.
- reset=true without job: ends everything and starts a fresh shell.
- `exit` and `set -e` end the command, not the shell. Avoid questions: pass flags such as --yes, and messages with -m.
- Quote paths with blanks. Ask before what cannot be undone."""


# ---------------------------------------------------------------- titles


def title(command: str) -> str:
    """Put a command on one line by which a person knows it: its first that does something.

    Characters that do not print (they could hide the rest, or reverse it) are made visible.
    """
    lines = [line.strip() for line in command.strip().splitlines()]
    first = next((line for line in lines if line and not line.startswith("#")), lines[0] if lines else "")
    return _cut(first, TITLE, " …" if len(lines) > 1 else "")


def title_of_look(line: str | None, job: str | None) -> str:
    return f"Look at {_which(line, job)}"


def title_of_input(text: str, line: str | None, job: str | None) -> str:
    which, keys = _which(line, job), keys_of(text)
    typed = keys.removesuffix(ENTER)
    if typed and typed != keys:
        return f"Type {_cut(spelled(typed), TITLE - len(which) - 20)} into {which}"
    return f"Press {spelled(keys)} in {which}"


def title_of_reset(line: str | None, job: str | None) -> str:
    return "Start a fresh shell" if job is None else f"End {_which(line, job)}"


def _which(line: str | None, job: str | None) -> str:
    if line is not None:
        return f"`{name_of(line)}`"
    return "the running command" if job is None else f"job {job}"


def name_of(line: str) -> str:
    return _cut(title(line), _NAME)


def _cut(text: str, room: int, more: str = "") -> str:
    shown = "".join(char if char.isprintable() else "�" for char in text.replace("\t", " "))
    room -= len(more)
    if len(shown) > room:
        head = room * 2 // 3
        shown = f"{shown[:head]} … {shown[head + 3 - room :]}"
    return shown + more


# ---------------------------------------------------------------- how it stands


def how_it_ended(ended: Exit, limit: float) -> str:
    after = f" after {spell_seconds(ended.seconds)}" if ended.seconds >= 1 else ""
    if ended.timed_out:
        return f"[timed out after {limit:g} s; the process and its children were ended]"
    if ended.signal is not None:
        return f"[ended by signal {ended.signal}{after}]"
    if ended.code is None:
        return f"[ended{after}; nobody knows how]"
    return f"[exit code {ended.code}{after}]"


def that_it_goes_on(running: Running) -> str:
    """Say it to the person, who sees for how long."""
    return f"[job {running.job} {'waits for input' if running.wants_input else 'still runs'}]"


def how_it_goes_on(running: Running, *, is_new: bool) -> str:
    waits = " and waits for input" if running.wants_input else ""
    how = f"[job {running.job} still runs after {spell_seconds(running.seconds)}{waits}"
    if not is_new:
        return f"{how}]"
    return (
        f'{how}: look with command="", type with is_input, end it with C-c or reset and job={running.job}, '
        "or go on beside it]"
    )


def what_is_left(ended: Exit) -> list[str]:
    left = ", ".join(map(str, ended.left_running))
    return [f"[still running in the background: pid {left}]"] if left else []


def where_it_is(kept: KeptOutput | None) -> list[str]:
    """Name the file with the whole output."""
    return [] if kept is None else [f"[the whole output is in {kept.path}: search it with grep, or view parts of it]"]


def what_else_runs(jobs: Iterable[Job], *, but: str | None = None) -> list[str]:
    return [f"[{_standing(job)}]" for job in jobs if job.id != but]


def listed(jobs: Iterable[Job]) -> str:
    """List the jobs in a sentence."""
    return "; ".join(map(_standing, jobs)) or "nothing is running"


def _standing(job: Job) -> str:
    if job.is_running:
        return f"job {job.id} `{name_of(job.line)}` runs for {spell_seconds(job.seconds)}"
    return f'job {job.id} `{name_of(job.line)}` has ended; see how with command="" and job={job.id}'


def spell_seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


# ---------------------------------------------------------------- what went wrong


def advice(error: OSError, root: AbsPath) -> str:
    match error.errno:
        case errno.E2BIG:
            return "the command line is too long for the system; write it to a script with file_editor and run that"
        case errno.ENOENT | errno.ENOTDIR if error.filename == root:
            return f"the session's directory {root!r} is gone; nothing can run until it is there again: tell the person"
        case errno.ENOENT | errno.ENOTDIR if error.filename is not None:
            return (
                f"the shell's directory {error.filename!r} is gone, so this did not run; the next command starts in "
                f"{root!r}: cd where it belongs, and run it again"
            )
        case errno.EAGAIN | errno.ENOMEM | errno.EMFILE:
            return f"the system has no room for another process ({error.strerror}); end what still runs, then try again"
        case errno.ENOTSUP:
            return f"{error.strerror}; look at it, end it, or run it again with its answers as arguments"
        case errno.EIO:
            return f"{error.strerror}; how far it got is unknown: look before you repeat it"
        case _:
            return f"the command could not be started in {root!r}: {error.strerror or error}; check that both exist"

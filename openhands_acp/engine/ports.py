"""The engine's only doors to the world, as protocols of one to five methods, and what passes them.

Nothing here says how: the editor's disk and ours, a provider and a script, are the same to a tool.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from openhands_acp.engine.cards import Card, KeptOutput
from openhands_acp.engine.events import Entry, Usage
from openhands_acp.engine.messages import JsonObject, JsonValue, Message
from openhands_acp.engine.paths import AbsPath

# ---------------------------------------------------------------- model


@dataclass(frozen=True, slots=True)
class ToolSpec:
    name: str
    description: str
    parameters: JsonObject
    """JSON Schema of an object."""


@dataclass(frozen=True, slots=True)
class TextChunk:
    text: str


@dataclass(frozen=True, slots=True)
class ThoughtChunk:
    text: str


@dataclass(frozen=True, slots=True)
class CallChunk:
    """A piece of a tool call. `id` and `name` come with the first piece of each `index`."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """What the person is to know of how the model is asked. No part of its answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Always the last chunk. `blocks` is the reasoning as the provider wants it back."""

    reason: Literal["stop", "length", "refusal"]
    usage: Usage | None = None
    blocks: JsonValue = None


Chunk: TypeAlias = TextChunk | ThoughtChunk | CallChunk | Aside | Finish


class LLM(Protocol):
    """One model."""

    @property
    def model(self) -> str: ...

    @property
    def context_window(self) -> int | None:
        """Tokens it can read; None when nobody knows. May cost an import the first time."""
        ...

    @property
    def sees_images(self) -> bool: ...

    def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        """Ask once. Close the generator to hang up. Raises TurnError, whose text a person can act on."""
        ...


# ---------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file so that writing it back changes nothing: exact line endings, encoding, BOM."""

    text: str
    """Decoded, line endings as they are."""
    encoding: str = "utf-8"
    bom: bool = False
    mode: int | None = field(default=None, compare=False)
    """Who may do what with it. A file that is made gets this, if it is known; one that is there keeps its own."""


class FileChanged(Exception):
    """Raised by `write` and `remove` when the file is no longer what the caller saw."""

    def __init__(self, path: AbsPath, now: TextFile | None) -> None:
        super().__init__(path)
        self.path = path
        self.now = now
        """What is there instead; None if the file is gone."""


@dataclass(frozen=True, slots=True)
class DirEntry:
    name: str
    is_dir: bool


class Files(Protocol):
    """Text files, but for `read_bytes`.

    Errors are `OSError` (as the system raises it), `UnreadableFile` or `FileChanged`.
    """

    async def read(self, path: AbsPath) -> TextFile: ...

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        """Put `file` there if `replaces` still is (None: nothing is there); missing folders are made.

        Returns what is there afterwards, which a formatter in the editor may have changed.
        """
        ...

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        """Remove the file if it still is this, and the folders that `write` made for it, if they are empty."""
        ...

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        """Read a file that need not be text; as it is on the disk, whatever an editor holds.

        Raises UnreadableFile, which says the size, for one of more than `limit` bytes.
        """
        ...

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        """List a directory by name."""
        ...


class UnreadableFile(Exception):
    """The file is not text that can be written back unharmed; the message says why."""


# ---------------------------------------------------------------- terminals

SHOWN = 20_000
"""Characters that a model is shown of one output; of more, the whole is in a log where there can be one."""


@dataclass(frozen=True, slots=True)
class Command:
    line: str
    """For the shell."""
    cwd: AbsPath
    """Where a session's first command runs; a later one runs where the last one left the shell."""
    limit: float
    """Seconds; then the whole process tree is ended, whether it is followed at that moment or not."""
    placed: Callable[[str], None] = field(default=lambda _terminal_id: None, compare=False, repr=False)
    """Told the id of the client's own terminal that the command runs in, where it runs in one."""
    redefined: Mapping[str, str] | None = None
    """What was `Terminals.redefined` when this was permitted; None where nobody had to permit it."""


@dataclass(frozen=True, slots=True)
class Spelt:
    """A command as somebody else's shell runs it, so that the session's own state is carried on."""

    line: str
    cwd: AbsPath
    variables: Mapping[str, str]
    """What the shell has to be given."""
    ended: Callable[[str], KeptOutput | None] = lambda _output: None
    """Called with its output when it is over, however that came: takes up the state that it left.

    Returns where the output is kept, if it is longer than what a model is shown.
    """


@dataclass(frozen=True, slots=True)
class Patience:
    """When control comes back although the command still runs. All that runs on is a job."""

    silence: float | None
    """Seconds without output, fewer if it visibly waits for the keyboard; None: only `whole` counts."""
    whole: float
    """Seconds in all."""


@dataclass(frozen=True, slots=True)
class Exit:
    code: int | None
    """None when a signal or the limit ended it."""
    signal: str | None
    timed_out: bool
    seconds: float
    """Since it was started, for a job as well."""
    left_running: tuple[int, ...] = ()
    """Ids of processes that the command started and left behind."""
    log: KeptOutput | None = None
    """Where the whole output is, cleaned, if it is longer than what a model is shown."""


@dataclass(frozen=True, slots=True)
class Running:
    """Patience ran out: the command is a job now, and stays one until it ends or is ended."""

    job: str
    seconds: float
    """Since it was started."""
    wants_input: bool
    """One of its processes is known to wait for the keyboard; False where nobody can tell."""
    log: AbsPath | None = None
    """Where the whole output goes, cleaned, as it comes."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command that nobody follows at the moment: still running, or ended and not attended since."""

    id: str
    line: str
    seconds: float
    """Since it was started, up to its end."""
    is_running: bool = True


class ShellChanged(Exception):
    """The shell is not any more as it was when the command was permitted; nothing ran."""


Sink: TypeAlias = Callable[[str], Awaitable[None]]


class Terminals(Protocol):
    """A shell that keeps its state (directory, variables, functions) from one command to the next.

    Each command has a terminal of its own. A sink may be given "": nothing new for a while, so what
    was held back may be shown. Cancelling ends the whole process tree of the command that is followed.
    """

    async def run(self, command: Command, sink: Sink, patience: Patience) -> Exit | Running:
        """Run to its end, or until `patience` is over; output reaches `sink` as it comes.

        Raises OSError as the system does if the shell cannot start, and ShellChanged (see `Command.redefined`).
        """
        ...

    def redefined(self) -> Mapping[str, str]:
        """Return what a command now finds otherwise than the first one did, by name, and as what.

        Functions and aliases, and variables with a `$` before their names; gone is what is empty.
        """
        ...

    async def attend(self, job: str, keys: str, sink: Sink, patience: Patience) -> Exit | Running:
        """Write `keys` as a keyboard would, if any, and follow the job as `run` does.

        `sink` is first given what came since the job was last attended. Raises LookupError if there is no such job.
        """
        ...

    def jobs(self) -> tuple[Job, ...]:
        """List what can be attended, oldest first."""
        ...

    async def end(self, job: str | None = None) -> None:
        """End one job and its tree; None ends everything and forgets the shell's state. Bounded.

        Usable afterwards, with a fresh shell. A job that is not there is no error.
        """
        ...


# ---------------------------------------------------------------- permission, journal


@dataclass(frozen=True, slots=True)
class Option:
    """An answer the person can choose. The guard lists `allow_once` first: clients auto-pick."""

    id: Literal["allow_once", "allow_always", "allow_widely", "reject_once"]
    """`allow_widely` is an "always" that covers more than `allow_always`."""
    name: str
    is_deliberate: bool = False
    """Only a person may choose it, and no client that answers for them: it is not told to be an approval."""


@dataclass(frozen=True, slots=True)
class Question:
    """May this call do this? `card` alone must tell the person everything they approve."""

    tool_call_id: str
    card: Card
    raw_input: JsonObject
    options: tuple[Option, ...]


Answer: TypeAlias = Literal["allow_once", "allow_always", "allow_widely", "reject_once", "cancelled"]


class Dismissed(Exception):
    """The person closed the question without an answer: they want the turn to stop."""


class Permissions(Protocol):
    async def ask(self, question: Question) -> Answer:
        """Wait for the person. Anything that is neither a listed option nor a dismissal is a no."""
        ...


class Taken(Exception):
    """Another process owns the session; the message says which, and what to do."""


class Journal(Protocol):
    def claim(self) -> None:
        """Become the one who writes, before a turn starts. Raises Taken. Short, and never waits."""
        ...

    def append(self, entry: Entry) -> None:
        """Record one event. Short and never waits; a failing disk is reported once, not raised."""
        ...

    def sync(self) -> None:
        """Make what was appended survive a power cut. May take long: called from a worker thread."""
        ...

"""The engine's only doors to the world, as protocols of one to four methods, and what passes them.

Nothing here says how: the editor's disk and ours, a provider and a script, are the same to a tool.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from openhands_acp.engine.events import Card, Entry, Usage
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
class Finish:
    """Always the last chunk. `blocks` is the reasoning as the provider wants it back."""

    reason: Literal["stop", "length", "refusal"]
    usage: Usage | None = None
    blocks: JsonValue = None


Chunk: TypeAlias = TextChunk | ThoughtChunk | CallChunk | Finish


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
    """Text files. Errors are `OSError` (as the system raises it), `UnreadableFile` or `FileChanged`."""

    async def read(self, path: AbsPath) -> TextFile: ...

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        """Put `file` there if `replaces` still is (None: nothing is there); missing folders are made.

        Returns what is there afterwards, which a formatter in the editor may have changed.
        """
        ...

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None: ...

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        """List a directory by name."""
        ...


class UnreadableFile(Exception):
    """The file is not text that can be written back unharmed; the message says why."""


# ---------------------------------------------------------------- terminals


@dataclass(frozen=True, slots=True)
class Command:
    line: str
    """For the shell."""
    cwd: AbsPath
    timeout: float
    """Seconds; then the whole process tree is ended."""


@dataclass(frozen=True, slots=True)
class Exit:
    code: int | None
    """None when a signal or the timeout ended it."""
    signal: str | None
    timed_out: bool
    seconds: float
    left_running: tuple[int, ...] = ()
    """Ids of processes that the command started and left behind."""


Sink: TypeAlias = Callable[[str], Awaitable[None]]


class Terminals(Protocol):
    async def run(self, command: Command, sink: Sink) -> Exit:
        """Run to its end; output reaches `sink` as it comes. Cancelling ends the whole process tree.

        `sink` may be given "": nothing new for a while, so what was held back may be shown.
        """
        ...

    async def close(self) -> None:
        """End everything that a command left running. Bounded."""
        ...


# ---------------------------------------------------------------- permission, journal


@dataclass(frozen=True, slots=True)
class Option:
    """An answer the person can choose. The guard lists `allow_once` first: clients auto-pick."""

    id: Literal["allow_once", "allow_always", "reject_once"]
    name: str


@dataclass(frozen=True, slots=True)
class Question:
    """May this call do this? `card` alone must tell the person everything they approve."""

    tool_call_id: str
    card: Card
    raw_input: JsonObject
    options: tuple[Option, ...]


Answer: TypeAlias = Literal["allow_once", "allow_always", "reject_once", "cancelled"]


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

"""What a test has the fake provider send: a reply is a list of steps, in Python or in JSON.

The steps are the same for every protocol; what a protocol has no word for is left out (Gemini and
Responses know no redacted thoughts, chat completions no signatures).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    text: str
    signature: str = ""
    """What the provider wants back with it; it ends the thought. In Responses, the item's `encrypted_content`."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """A thought that only Anthropic can read."""

    data: str


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call: whole, or in `pieces` that are sent one a chunk, as they are."""

    name: str
    arguments: Json = field(default_factory=dict[str, Any])
    id: str = ""
    """Empty: `call_N`, N counting over the whole run."""
    pieces: tuple[str, ...] | None = None
    index: int | None = None
    """None: the next. A provider may also send the pieces of two calls interleaved."""


@dataclass(frozen=True, slots=True)
class Delta:
    """Any other delta of chat completions, as it is."""

    delta: Json


@dataclass(frozen=True, slots=True)
class Event:
    """Any other event, as it is; an error in mid-stream, say."""

    event: Json


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    """All of it, what was cached and what is now written to the cache, too."""
    completion: int
    """All of it, thoughts too."""
    cached: int = 0
    reasoning: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """Sent of itself (`stop` or `tool_calls`) if the script does not. `length` and `content_filter` are translated."""

    reason: str


@dataclass(frozen=True, slots=True)
class Chunks:
    """Many small texts `t0 t1 ...`, as fast as the socket takes them."""

    number: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on when the test calls `release(name)`."""

    name: str


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing more until the client hangs up. As the first step: not even the status line."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Send the status line and headers now; without it they go with the first chunk."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the connection with RST."""


@dataclass(frozen=True, slots=True)
class Cut:
    """End the body in good order, but without a finish or `[DONE]`, as a proxy that gave up does."""


@dataclass(frozen=True, slots=True)
class Error:
    """A whole answer, as it is: JSON, or the page of a proxy."""

    status: int
    body: Json | list[Json] | str
    headers: dict[str, str] = field(default_factory=dict[str, str])


Kind: TypeAlias = Literal[
    "auth",
    "forbidden",
    "quota",
    "rate_limit",
    "context",
    "model",
    "content_filter",
    "request",
    "overloaded",
    "server",
    "timeout",
    "proxy",
    "empty",
]
"""What a provider may refuse for: `proxy` is a page by something in between, `empty` a 200 with nothing in it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Refuse as the provider whose protocol is spoken would: its status, body and headers (`refusals.py`)."""

    kind: Kind
    wait: float | None = None
    """Seconds, in the provider's own way to say so."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An error in mid-stream, as the provider whose protocol is spoken sends it; nothing follows."""

    kind: Literal["overloaded", "server"]


Said: TypeAlias = Text | Thought | Redacted | Call | Delta | Event | Finish | Broken
Step: TypeAlias = Said | Usage | Chunks | Wait | Stall | Headers | Cut | Reset | Error | Refusal
Reply: TypeAlias = Sequence[Step]
Script: TypeAlias = Sequence[Reply] | Callable[[Json], Reply]
"""Replies in order, or a function of the request's body (for clients side by side)."""

_STEPS: dict[str, Callable[..., Step]] = {
    step.__name__.lower(): step
    for step in (
        *(Text, Thought, Redacted, Call, Delta, Event, Usage, Finish, Chunks, Broken),
        *(Wait, Stall, Headers, Cut, Reset, Error, Refusal),
    )
}


def openai_error(
    status: int, message: str, code: str | None = None, kind: str = "invalid_request_error", **headers: str
) -> Error:
    """Spell an error as OpenAI does; underscores in header names stand for hyphens."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Error(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def load_script(text: str) -> list[Reply]:
    """Read `[[{"text": "hi"}, {"call": {"name": "think", "arguments": {}}}, "stall"], ...]`.

    A step is its name with its one value, with its fields, or its bare name.
    """
    return [[_load_step(step) for step in reply] for reply in json.loads(text)]


def _load_step(step: Any) -> Step:
    if isinstance(step, str):
        return _STEPS[step]()
    [(name, value)] = step.items()
    if name in {"delta", "event"} or not isinstance(value, dict):
        return _STEPS[name](value)
    fields: dict[str, Any] = {**value}
    if fields.get("pieces") is not None:
        fields["pieces"] = tuple(fields["pieces"])
    return _STEPS[name](**fields)

"""What a test has the fake provider send: a reply is a list of steps, in Python or in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    text: str


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
    """Any other delta, as it is."""

    delta: Json


@dataclass(frozen=True, slots=True)
class Event:
    """Any other event, as it is; an error in mid-stream, say."""

    event: Json


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    completion: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """Sent of itself (`stop` or `tool_calls`) if the script does not."""

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
    status: int
    body: Json
    headers: dict[str, str] = field(default_factory=dict[str, str])


Sent: TypeAlias = Text | Thought | Call | Delta | Event | Usage | Finish | Chunks
Step: TypeAlias = Sent | Wait | Stall | Headers | Cut | Reset | Error
Reply: TypeAlias = Sequence[Step]
Script: TypeAlias = Sequence[Reply] | Callable[[Json], Reply]
"""Replies in order, or a function of the request's body (for clients side by side)."""

_STEPS: dict[str, Callable[..., Step]] = {
    step.__name__.lower(): step
    for step in (Text, Thought, Call, Delta, Event, Usage, Finish, Chunks, Wait, Stall, Headers, Cut, Reset, Error)
}


def openai_error(status: int, message: str, code: str | None = None, **headers: str) -> Error:
    """Spell an error as OpenAI does; underscores in header names stand for hyphens."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
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

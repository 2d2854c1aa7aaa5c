"""A conversation made valid: whatever was cut short or came in the wrong order, no provider refuses it.

Pure, and in no provider's spelling: messages in, messages out, and doing it again changes nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from typing import assert_never

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    JsonValue,
    Message,
    Part,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)

INTERRUPTED = "interrupted, outcome unknown"
"""The result of a call that has none."""
PLAIN_IDS = re.compile(r"[a-zA-Z0-9_-]{1,40}")
"""Ids of calls that everybody takes: Anthropic is the strictest about letters, OpenAI about length."""

_GO_ON = UserMessage((Text("Continue."),))
"""What the person says where a provider wants them to speak, and they did not."""
_NO_OUTPUT = "(no output)"
_LONGEST_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def _refuse(constant: str) -> JsonValue:
    raise ValueError(constant)


# Made once: `json.loads` would make one for each call of a long conversation.
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def repaired(
    messages: Iterable[Message], *, ids: re.Pattern[str] = PLAIN_IDS, image_results: bool = False
) -> list[Message]:
    """Return the conversation with one system message in front, then the person and the model in turn.

    Every call gets its one result, directly after it and in order, under an id of its own that matches
    `ids`; an invalid name or argument is replaced, what is empty or stray is dropped, and the person's
    messages in a row become one. `image_results` leaves images in the results of calls; elsewhere these
    are text only, and the images follow as the person's.
    """
    order = _Order()
    for message in messages:
        match message:
            case SystemMessage():
                order.add_system(message)
            case UserMessage(parts):
                order.add_parts(parts)
            case AssistantMessage():
                order.add_said(message)
            case ToolMessage():
                order.answer(message)
            case _:
                assert_never(message)
    spoken = order.spoken(ids)
    if not image_results:
        spoken = _with_images_apart(spoken)
    return [*order.system, *_in_turn(spoken)]


def fresh_id(ident: str, ids: re.Pattern[str], taken: set[str]) -> str:
    """Return `ident`, or where that is not allowed or not free, one in its place: the same each time."""
    if ident not in taken and ids.fullmatch(ident):
        taken.add(ident)
        return ident
    for number in count(1):
        digest = sha256(f"{number}{ident}".encode("utf-8", "replace")).hexdigest()
        named = ident if number == 1 else f"{ident[:32]}_{number}"
        candidates = (named, f"call_{digest[:16]}", digest[:9])
        fitting = next(each for each in candidates if ids.fullmatch(each))
        if fitting not in taken:
            taken.add(fitting)
            return fitting
    raise AssertionError("unreachable")


# ---------------------------------------------------------------- who spoke when


@dataclass(slots=True)
class _Said:
    """One answer of the model, and the results of its calls as far as they have come."""

    message: AssistantMessage
    results: list[ToolMessage | None]


@dataclass(slots=True)
class _Order:
    system: list[SystemMessage] = field(default_factory=list[SystemMessage])
    """One at most."""
    _turns: list[_Said | list[Part]] = field(default_factory=list["_Said | list[Part]"])

    def add_system(self, message: SystemMessage) -> None:
        before = self.system[0] if self.system else SystemMessage("", "")
        static, dynamic = (
            "\n\n".join(filter(str.strip, halves))
            for halves in (
                (before.static, _clean(message.static)),
                (before.dynamic, _clean(message.dynamic)),
            )
        )
        self.system = [SystemMessage(static, dynamic)] if static or dynamic else []

    def add_parts(self, parts: Sequence[Part]) -> None:
        kept = [_clean_part(part) for part in parts if not isinstance(part, Text) or part.text.strip()]
        if not kept:
            return
        if self._turns and isinstance(last := self._turns[-1], list):
            last.extend(kept)
        else:
            self._turns.append(kept)

    def add_said(self, message: AssistantMessage) -> None:
        if message.calls or message.text.strip():
            self._turns.append(_Said(message, [None] * len(message.calls)))

    def answer(self, result: ToolMessage) -> None:
        """Give `result` to the last answer with such a call open: providers reuse ids across turns."""
        for turn in reversed(self._turns):
            if isinstance(turn, _Said):
                for at, call in enumerate(turn.message.calls):
                    if call.id == result.call_id and turn.results[at] is None:
                        turn.results[at] = result
                        return

    def spoken(self, ids: re.Pattern[str]) -> Iterator[Message]:
        taken: set[str] = set()
        for turn in self._turns:
            if isinstance(turn, list):
                yield UserMessage(tuple(turn))
                continue
            message = turn.message
            calls = tuple([_call(call, fresh_id(call.id, ids, taken)) for call in message.calls])
            text = _clean(message.text) if message.text.strip() else ""
            yield AssistantMessage(text, calls, _clean(message.thought), message.blocks)
            yield from (_result(call, result) for call, result in zip(calls, turn.results, strict=True))


def _in_turn(messages: Iterable[Message]) -> Iterator[Message]:
    """Let the person speak first, last, and between two answers of the model, which some servers refuse in a row."""
    is_the_models = True
    for message in messages:
        if is_the_models and isinstance(message, AssistantMessage):
            yield _GO_ON
        yield message
        is_the_models = isinstance(message, AssistantMessage)
    if is_the_models:
        yield _GO_ON


def _with_images_apart(messages: Iterable[Message]) -> Iterator[Message]:
    """Put the images that calls resulted in behind the results, in front of what the person said next."""
    images: list[Part] = []
    for message in messages:
        match message:
            case ToolMessage() if message.images:
                images += [Text(f"What {message.name} gave to look at (call {message.call_id}):"), *message.images]
                yield replace(message, images=(), text=message.text or _NO_OUTPUT)
            case UserMessage(parts):
                yield UserMessage((*images, *parts))
                images = []
            case AssistantMessage() if images:
                yield UserMessage(tuple(images))
                yield message
                images = []
            case _:
                yield message
    if images:
        yield UserMessage(tuple(images))


# ---------------------------------------------------------------- what they said


def _call(call: CallMade, ident: str) -> CallMade:
    name = _NOT_IN_NAMES.sub("_", call.name)[:_LONGEST_NAME] or "unknown"
    if name[0] in "-0123456789":  # Gemini's begin with a letter or a dash below
        name = f"_{name[1:]}"
    return CallMade(ident, name, _arguments(call.arguments))


def _result(call: CallMade, result: ToolMessage | None) -> ToolMessage:
    if result is None:
        return ToolMessage(call.id, call.name, INTERRUPTED)
    text = _clean(result.text) if result.text.strip() else "" if result.images else _NO_OUTPUT
    return ToolMessage(call.id, call.name, text, result.images)


def _arguments(text: str) -> str:
    """Keep `text` if it is a JSON object: some providers refuse the whole history otherwise."""
    try:
        value: JsonValue = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return "{}"
    return _clean(text) if isinstance(value, dict) else "{}"


def _clean_part(part: Part) -> Part:
    return Text(_clean(part.text)) if isinstance(part, Text) else part


def _clean(text: str) -> str:
    """Replace lone surrogates, which undecodable output of commands brings and UTF-8 cannot carry."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")

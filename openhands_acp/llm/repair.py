"""A conversation made valid: whatever was cut short or came in the wrong order, no provider refuses it.

In no provider's spelling: messages in, messages out, and doing it again changes nothing. Pure but for
`Repairs`, which remembers what it did last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count
from operator import is_
from typing import TypeAlias, assert_never

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
PLAIN_IDS = re.compile(r"(?!.*__thought__)[a-zA-Z0-9_-]{1,40}")
"""Ids of calls that everybody takes: Anthropic is the strictest about letters, OpenAI about length. LiteLLM
takes what follows `__thought__` for a signature and cuts it off, so that two ids could become one."""

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
    return Repairs().of(list(messages), ids=ids, image_results=image_results)


class Repairs:
    """What was repaired last: a conversation that grows is repaired where it grew.

    One conversation is kept, and given up for the next. What is told is the same as without.
    """

    def __init__(self) -> None:
        self._over = _Over()

    def of(
        self, messages: Sequence[Message], *, ids: re.Pattern[str] = PLAIN_IDS, image_results: bool = False
    ) -> list[Message]:
        """Do as `repaired` does. What is over is told by the same objects as the last time."""
        over = self._over if self._over.begins(messages, ids, image_results=image_results) else _Over()
        at, valid, taken = len(over.messages), over.valid, over.taken.copy()
        order = _Order()
        for message in messages[at:]:
            order.add(message, at)
            at += 1
        valid = [*order.system, *valid]
        last = order.last_said
        done = order.turns[:last]
        valid += _in_turn(valid, _told(done, ids, taken, image_results=image_results))
        if last and not order.reaches_back:
            self._over = _Over(
                messages=messages[: order.begins_at],
                valid=valid.copy(),
                taken=taken.copy(),
                open=over.open | _open_in(done),
                ids=ids,
                image_results=image_results,
            )
        valid += _in_turn(valid, _told(order.turns[last:], ids, taken, image_results=image_results))
        return valid if _is_the_persons(valid) else [*valid, _GO_ON]


@dataclass(frozen=True, slots=True)
class _Over:
    """The beginning of a conversation that an answer of the model follows: nothing of it changes any more.

    Unless there comes another system message, or a late result.
    """

    messages: Sequence[Message] = ()
    """As they came. They are compared by identity, and held here so that it stays theirs."""
    valid: list[Message] = field(default_factory=list[Message])
    taken: set[str] = field(default_factory=set[str])
    """The ids of its calls."""
    open: frozenset[str] = frozenset()
    """Of these calls, as they came, those without a result."""
    ids: re.Pattern[str] = PLAIN_IDS
    image_results: bool = False

    def begins(self, messages: Sequence[Message], ids: re.Pattern[str], *, image_results: bool) -> bool:
        at = len(self.messages)
        return (
            0 < at < len(messages)
            and (self.ids, self.image_results) == (ids, image_results)
            and all(map(is_, self.messages, messages))
            and _speaks(messages[at])
            and not any(self._is_changed_by(message) for message in messages[at:])
        )

    def _is_changed_by(self, later: Message) -> bool:
        return isinstance(later, SystemMessage) or (isinstance(later, ToolMessage) and later.call_id in self.open)


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
    turns: list[_Said | list[Part]] = field(default_factory=list["_Said | list[Part]"])
    last_said: int = 0
    """Which of the turns is the model's last."""
    begins_at: int = 0
    """With which message that begins."""
    reaches_back: bool = False
    """Something after it changed what was before it."""

    def add(self, message: Message, at: int) -> None:
        match message:
            case SystemMessage():
                self.add_system(message)
            case UserMessage(parts):
                self.add_parts(parts)
            case AssistantMessage():
                self.add_said(message, at)
            case ToolMessage():
                self.answer(message)
            case _:
                assert_never(message)

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
        self.reaches_back = True

    def add_parts(self, parts: Sequence[Part]) -> None:
        kept = [_clean_part(part) for part in parts if not isinstance(part, Text) or part.text.strip()]
        if not kept:
            return
        if self.turns and isinstance(last := self.turns[-1], list):
            last.extend(kept)
        else:
            self.turns.append(kept)

    def add_said(self, message: AssistantMessage, at: int) -> None:
        if _speaks(message):
            self.last_said, self.begins_at, self.reaches_back = len(self.turns), at, False
            self.turns.append(_Said(message, [None] * len(message.calls)))

    def answer(self, result: ToolMessage) -> None:
        """Give `result` to the last answer with such a call open: providers reuse ids across turns."""
        for number in reversed(range(len(self.turns))):
            turn = self.turns[number]
            if isinstance(turn, _Said):
                for at, call in enumerate(turn.message.calls):
                    if call.id == result.call_id and turn.results[at] is None:
                        turn.results[at] = result
                        self.reaches_back = self.reaches_back or number < self.last_said
                        return


_Turns: TypeAlias = Sequence[_Said | list[Part]]


def _speaks(message: Message) -> bool:
    return isinstance(message, AssistantMessage) and bool(message.calls or message.text.strip())


def _open_in(turns: _Turns) -> frozenset[str]:
    said = [turn for turn in turns if isinstance(turn, _Said)]
    made = [pair for turn in said for pair in zip(turn.message.calls, turn.results, strict=True)]
    return frozenset(call.id for call, result in made if result is None)


def _told(turns: _Turns, ids: re.Pattern[str], taken: set[str], *, image_results: bool) -> Iterator[Message]:
    spoken = _spoken(turns, ids, taken)
    return spoken if image_results else _with_images_apart(spoken)


def _spoken(turns: _Turns, ids: re.Pattern[str], taken: set[str]) -> Iterator[Message]:
    for turn in turns:
        if isinstance(turn, list):
            yield UserMessage(tuple(turn))
            continue
        message = turn.message
        calls = tuple([_call(call, fresh_id(call.id, ids, taken)) for call in message.calls])
        text = _clean(message.text) if message.text.strip() else ""
        yield AssistantMessage(text, calls, _clean(message.thought), message.blocks)
        yield from (_result(call, result) for call, result in zip(calls, turn.results, strict=True))


def _in_turn(before: Sequence[Message], messages: Iterable[Message]) -> Iterator[Message]:
    """Let the person speak first, and between two answers of the model, which some servers refuse in a row."""
    is_the_persons = _is_the_persons(before)
    for message in messages:
        if isinstance(message, AssistantMessage) and not is_the_persons:
            yield _GO_ON
        yield message
        is_the_persons = not isinstance(message, AssistantMessage)


def _is_the_persons(messages: Sequence[Message]) -> bool:
    """Tell whether the person spoke last, or a tool."""
    return bool(messages) and not isinstance(messages[-1], SystemMessage | AssistantMessage)


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

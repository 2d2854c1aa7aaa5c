"""What a model is told, in items: what the person said, what the model did, and what stands for what was left out.

Pure. Also weighs them, in bytes, which tokens are estimated from: nothing is ever tokenised.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from openhands_acp.engine.events import Shortened
from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    JsonValue,
    Message,
    Part,
    Text,
    ToolMessage,
    UserMessage,
)

_IMAGE = 6_000
"""About 1,500 tokens: providers count an image by its size, which is bounded before it is sent."""
_COMPACTED = """\
(This conversation has grown too long to be read whole. What follows sums up what was before; go on from there, \
without a word about this.)

"""


@dataclass(slots=True)
class Step:
    """One answer of the model with the results of its calls, put together from events that need not be neighbours."""

    text: str = ""
    thought: str = ""
    blocks: JsonValue = None
    calls: dict[str, CallMade] = field(default_factory=dict[str, CallMade])
    """By our ids, as `results`."""
    results: dict[str, tuple[str, tuple[Image, ...]]] = field(default_factory=dict[str, tuple[str, tuple[Image, ...]]])


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands for all that was left out in front of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Guidance:
    """A skill's text, or the rules of a folder: it stays while there is room, whatever is left out around it."""

    name: str
    text: str


Item: TypeAlias = UserMessage | Step | Summary | Guidance
"""What the person said, what the model did, what both came to, and what holds. None can be sent in part."""


def messages_of(item: Item) -> list[Message]:
    """Spell an item as messages: an answer of the model is followed by each call's result, in call order."""
    match item:
        case UserMessage():
            return [item]
        case Summary(text):
            return [UserMessage((Text(_COMPACTED + text),))]
        case Guidance():
            return [UserMessage((Text(_spelt(item)),))]
        case Step():
            results = [
                ToolMessage(call.id, call.name, *item.results[key])
                for key, call in item.calls.items()
                if key in item.results
            ]
            return [AssistantMessage(item.text, tuple(item.calls.values()), item.thought, item.blocks), *results]
        case _:
            assert_never(item)


def _spelt(guidance: Guidance) -> str:
    return f'<extra_info name="{guidance.name}">\n{guidance.text}\n</extra_info>'


def is_over(item: Item) -> bool:
    """Tell whether each call has its result."""
    return not isinstance(item, Step) or item.calls.keys() <= item.results.keys()


def condensed(
    items: Sequence[Item], until: int, kept: Collection[int], summary: str, shortened: Iterable[Shortened]
) -> list[Item]:
    """Return the conversation as a `Condensation` leaves it."""
    by_call = {each.tool_call_id: each for each in shortened}
    stay = [item for at, item in enumerate(items[:until]) if at in kept]
    return [*stay, *([Summary(summary)] if summary else []), *(_shortened(item, by_call) for item in items[until:])]


def _shortened(item: Item, by_call: Mapping[str, Shortened]) -> Item:
    if not isinstance(item, Step) or by_call.keys().isdisjoint(item.calls):
        return item
    calls, results = dict(item.calls), dict(item.results)
    for key in by_call.keys() & item.calls.keys():
        text, arguments = by_call[key].text, by_call[key].arguments
        if text is not None and key in results:
            results[key] = text, ()
        if arguments is not None:
            calls[key] = replace(calls[key], arguments=arguments)
    return replace(item, calls=calls, results=results)


def weight_of_item(item: Item) -> int:
    match item:
        case UserMessage(parts):
            return weight_of_parts(parts)
        case Summary(text):
            return weight_of(_COMPACTED) + weight_of(text)
        case Guidance():
            return weight_of(_spelt(item))
        case Step():
            said = weight_of(item.text) + weight_of_json(item.blocks)
            results = sum([weight_of_result(*result) for result in item.results.values()])
            return said + results + sum(map(weight_of_call, item.calls.values()))


def weight_of_call(call: CallMade) -> int:
    return weight_of(call.name) + weight_of(call.arguments)


def weight_of(text: str) -> int:
    """Return the bytes of `text`: other scripts than Latin have more tokens to a character, as they have bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def weight_of_parts(parts: Iterable[Part]) -> int:
    return sum(weight_of(part.text) if isinstance(part, Text) else _IMAGE for part in parts)


def weight_of_result(text: str, images: tuple[Image, ...]) -> int:
    return weight_of(text) + _IMAGE * len(images)


def weight_of_json(value: JsonValue) -> int:
    return 0 if value is None else len(json.dumps(value))

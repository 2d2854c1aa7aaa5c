"""What a provider will have counted of an answer that broke off, by the length of what was sent and came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from openhands_acp.engine.context.window import weight_of_tool
from openhands_acp.engine.items import weight_of, weight_of_call, weight_of_json, weight_of_parts, weight_of_result
from openhands_acp.engine.messages import AssistantMessage, Message, SystemMessage, ToolMessage, UserMessage
from openhands_acp.engine.ports import Aside, CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec

_BYTES = 3.5
"""Of a token."""


def estimated(messages: Sequence[Message], tools: Iterable[ToolSpec], said: int) -> Mapping[str, int]:
    """Return tokens as chat completions spell them; `said` is the bytes of the answer that came."""
    sent = sum(map(_weight, messages)) + sum(map(weight_of_tool, tools))
    read, written = round(sent / _BYTES), round(said / _BYTES)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def length_of(chunk: Chunk) -> int:
    """Return the bytes that a model wrote for a chunk."""
    match chunk:
        case TextChunk(text) | ThoughtChunk(text):
            return weight_of(text)
        case CallChunk(name=name, arguments=arguments):
            return weight_of(name) + weight_of(arguments)
        case Aside() | Finish():
            return 0
        case _:
            assert_never(chunk)


def _weight(message: Message) -> int:
    match message:
        case SystemMessage(static, dynamic):
            return weight_of(static) + weight_of(dynamic)
        case UserMessage(parts):
            return weight_of_parts(parts)
        case AssistantMessage(text, calls, _, blocks):
            return weight_of(text) + sum(map(weight_of_call, calls)) + weight_of_json(blocks)
        case ToolMessage(_, _, text, images):
            return weight_of_result(text, images)
        case _:
            assert_never(message)

"""Tools for a model that has none of its own: described in its prompt, and its calls read from what it writes.

A wrapper round the `LLM` port. The wrapped model is offered no tools and reads earlier calls and their
results as text; whoever asks sees calls as any model makes them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import assert_never

from openhands_acp.engine.messages import (
    AssistantMessage,
    JsonObject,
    JsonValue,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.ports import LLM, Aside, CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec
from openhands_acp.engine.wrapped import Wrapped
from openhands_acp.llm.function_tags import STOP, FunctionTags, spelled
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.repair import repaired


def with_stop_word(settings: ModelSettings) -> ModelSettings:
    """Have the wrapped model stopped at the end of a call, where its provider knows how."""
    # `drop_params`: LiteLLM refuses the request for a provider that does not; reading stops there either way.
    return replace(settings, extra={"stop": [STOP], "drop_params": True, **settings.extra})


def prompted(llm: LLM) -> LLM:
    """Wrap a model so that it calls tools in words."""
    return Wrapped(llm, _ask)


async def _ask(llm: LLM, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
    tags = FunctionTags(tools)
    async with aclosing(llm.stream(rewritten(messages, tools), ())) as chunks:
        async for chunk in chunks:
            match chunk:
                case TextChunk(text) if tools:
                    for piece in tags.feed(text):
                        yield piece
                case Finish(reason):
                    for piece in tags.finish(is_cut=reason == "length"):
                        yield piece
                    yield chunk
                case TextChunk() | ThoughtChunk() | CallChunk() | Aside():
                    yield chunk
                case _:
                    assert_never(chunk)
            if tags.is_over and not isinstance(chunk, Finish):
                # The stop word was not known to the server: hang up instead.
                yield Finish("stop")
                return


# ---------------------------------------------------------------- what the model reads


def rewritten(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[Message]:
    """Put the tools into the system prompt, and calls and results into words, each call with one result."""
    return [_in_words(message, tools) for message in repaired(messages, image_results=True)]


def _in_words(message: Message, tools: Sequence[ToolSpec]) -> Message:
    match message:
        case SystemMessage(static, dynamic):
            return SystemMessage(f"{static}\n\n{described(tools)}" if tools else static, dynamic)
        case AssistantMessage(text, calls):
            spelt = [spelled(call.name, _object(call.arguments)) for call in calls]
            return replace(message, text="\n\n".join(each for each in (text.strip(), *spelt) if each), calls=())
        case ToolMessage(_, name, text, images):
            return UserMessage((Text(f"EXECUTION RESULT of [{name}]:\n{text}"), *images))
        case UserMessage():
            return message
        case _:
            assert_never(message)


def _object(text: str) -> JsonObject:
    value: JsonValue = json.loads(text)  # `repaired` has seen to it
    return _table(value)


# ---------------------------------------------------------------- what it is told of the tools

_INTRODUCTION = "# Tools\nYou act by calling functions. These are there:"

_HOW = """\
Write a call like this: the function's name, then each parameter's name and its value as it is, without quotes or \
escapes, over several lines if it has them."""

_AND_STOP = (
    "Stop after a call: the next message brings its result. Never write a result yourself. What is not a call is "
    "shown to the person."
)

_EXAMPLES: Mapping[str, JsonObject] = {
    "terminal": {"command": "cat a.txt"},
    "file_editor": {"command": "create", "path": "a.txt", "file_text": "first line\nsecond line"},
}
"""Calls that show all there is to the form. Small models write what they see, hardly what they are told."""


def described(tools: Sequence[ToolSpec]) -> str:
    parts = [_INTRODUCTION, *map(_tool, tools), _HOW, *_examples(tools), _AND_STOP]
    return "\n\n".join(parts)


def _examples(tools: Sequence[ToolSpec]) -> Iterator[str]:
    known = [tool.name for tool in tools if tool.name in _EXAMPLES]
    for name in known:
        yield spelled(name, _EXAMPLES[name])
    if not known:
        required = _list(tools[0].parameters.get("required")) or list(_table(tools[0].parameters.get("properties")))
        yield spelled(tools[0].name, {str(key): f"the {key}" for key in required})


def _tool(tool: ToolSpec) -> str:
    required = _list(tool.parameters.get("required"))
    properties = _table(tool.parameters.get("properties"))
    lines = [_parameter(key, _table(schema), is_required=key in required) for key, schema in properties.items()]
    return "\n".join([f"{tool.name}: {tool.description}", *lines])


def _parameter(key: str, schema: JsonObject, *, is_required: bool) -> str:
    kind = str(schema.get("type", "string"))
    choices = ", ".join(str(each) for each in _list(schema.get("enum")))
    # What has parts is written as JSON, and its schema says which.
    parts = schema.get("items") or schema.get("properties")
    about = [
        f"one of {choices}." if choices else "",
        str(schema.get("description", "")),
        f"JSON {kind} of {json.dumps(parts, ensure_ascii=False)}" if parts else "",
    ]
    said = " ".join(filter(None, about))
    return f"- {key} ({kind}{', required' if is_required else ''}){f': {said}' if said else ''}"


def _table(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []

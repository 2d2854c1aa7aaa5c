"""A conversation as the chat-completions format spells it, made valid first. Pure: knows the format, no vendor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import zip_longest
from typing import Any, TypeAlias, assert_never

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    JsonValue,
    Message,
    Part,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
    plain_text,
)
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.llm.dialect import Dialect
from openhands_acp.llm.reasoning import given_back, signatures
from openhands_acp.llm.repair import repaired

Wire: TypeAlias = dict[str, Any]

_MARK: Wire = {"type": "ephemeral"}


def to_chat(
    messages: Iterable[Message], tools: Iterable[ToolSpec], dialect: Dialect | None = None
) -> tuple[list[Wire], list[Wire]]:
    """Spell a conversation and its tools."""
    dialect = dialect or Dialect()
    return spelt(repaired(messages, ids=dialect.ids, image_results=dialect.image_results), tools, dialect)


def spelt(valid: Iterable[Message], tools: Iterable[ToolSpec], dialect: Dialect) -> tuple[list[Wire], list[Wire]]:
    """Spell what was made valid. Without marks, each message is spelt by itself, whatever comes before it or after."""
    chat = [_spell(message, dialect) for message in valid]
    specs = [_tool(spec) for spec in tools]
    if dialect.cache_marks:
        _mark(chat, specs, on_results=dialect.cache_marks == "messages")
    return chat, specs


def cache_key(messages: Iterable[Message]) -> str:
    """Return what tells this conversation from others and never changes in it: a digest of how it begins."""
    digest = sha256()
    for message in messages:
        match message:
            case SystemMessage(static, dynamic):
                digest.update(f"{static}\n{dynamic}".encode("utf-8", "replace"))
            case UserMessage(parts):
                digest.update(plain_text(parts).encode("utf-8", "replace"))
                break
            case _:
                pass
    return digest.hexdigest()[:32]


# ---------------------------------------------------------------- spelling


def _spell(message: Message, dialect: Dialect) -> Wire:
    match message:
        case SystemMessage():
            return {"role": "system", "content": _system(message, in_blocks=dialect.cache_marks is not None)}
        case UserMessage(parts):
            return {"role": "user", "content": _content(parts, in_parts=dialect.cache_marks == "parts")}
        case AssistantMessage():
            return _assistant(message, dialect)
        case ToolMessage(call_id, _name, text, images):
            parts = [*([Text(text)] if text else []), *images]
            content = _content(parts, in_parts=bool(images) or dialect.cache_marks == "parts")
            return {"role": "tool", "tool_call_id": call_id, "content": content}
        case _:
            assert_never(message)


def _system(message: SystemMessage, *, in_blocks: bool) -> str | list[Wire]:
    halves = [half for half in (message.static, message.dynamic) if half]
    return [{"type": "text", "text": half} for half in halves] if in_blocks else "\n\n".join(halves)


def _content(parts: Sequence[Part], *, in_parts: bool) -> str | list[Wire]:
    """Spell texts as one, which every server takes, unless they are wanted `in_parts`."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    if len(texts) == len(parts) and not in_parts:
        return "\n\n".join(texts)
    return [_part(part) for part in parts]


def _part(part: Part) -> Wire:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image(mime_type, data):
            return {"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,{data}"}}
        case _:
            assert_never(part)


def _assistant(message: AssistantMessage, dialect: Dialect) -> Wire:
    wire: Wire = {"role": "assistant", "content": message.text or None}
    if message.calls:
        signed = signatures(message, dialect.owner)[: len(message.calls)]
        wire["tool_calls"] = [_call(call, signature) for call, signature in zip_longest(message.calls, signed)]
    return wire | given_back(message, dialect.owner)


def _call(call: CallMade, signature: JsonValue) -> Wire:
    function = {"name": call.name, "arguments": call.arguments}
    wire: Wire = {"id": call.id, "type": "function", "function": function}
    return {**wire, "provider_specific_fields": {"thought_signature": signature}} if signature else wire


def _tool(spec: ToolSpec) -> Wire:
    function = {"name": spec.name, "description": spec.description, "parameters": spec.parameters}
    return {"type": "function", "function": function}


# ---------------------------------------------------------------- marks for a cache


def _mark(chat: list[Wire], tools: list[Wire], *, on_results: bool) -> None:
    """Set the four marks that Claude allows: the tools, the prompt's static half, and two in the conversation.

    A mark finds what was cached up to at most 20 blocks before it, which one answer with many calls and
    their results exceeds: so the place where the last request ended is marked again, besides the end.
    """
    if tools:
        tools[-1] = {**tools[-1], "cache_control": dict(_MARK)}
    conversation = chat
    if chat and chat[0]["role"] == "system":
        conversation = chat[1:]
        chat[0]["content"][0]["cache_control"] = dict(_MARK)
    last_answer = next((at for at in reversed(range(len(conversation))) if conversation[at]["role"] == "assistant"), 0)
    if last_answer:
        _mark_end(conversation[last_answer - 1], on_results=on_results)
    elif conversation is not chat:
        # Nothing was asked yet: another session in this folder begins the same.
        chat[0]["content"][-1]["cache_control"] = dict(_MARK)
    _mark_end(conversation[-1], on_results=on_results)


def _mark_end(message: Wire, *, on_results: bool) -> None:
    if on_results and message["role"] == "tool":
        message["cache_control"] = dict(_MARK)
        return
    content = message["content"]
    message["content"] = content if isinstance(content, list) else [{"type": "text", "text": content}]
    message["content"][-1]["cache_control"] = dict(_MARK)

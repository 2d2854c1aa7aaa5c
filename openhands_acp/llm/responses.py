"""A conversation as OpenAI's Responses spell it, made valid first. Pure: knows the format, no vendor.

Nothing is kept at the provider's: each request carries the whole conversation, and with it what the
model thought, encrypted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, assert_never

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    JsonObject,
    JsonValue,
    Message,
    Part,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.llm.assemble import Wire, cache_key
from openhands_acp.llm.dialect import Dialect
from openhands_acp.llm.reasoning import opened
from openhands_acp.llm.repair import Repairs

GAP: Final = "\n\n"
"""Between two messages of one answer, and between two summaries of its reasoning."""

_RENAMED: Final = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
"""Arguments of chat completions that are called otherwise here."""
_UNKNOWN: Final = frozenset({"seed", "stop", "n", "top_k", "presence_penalty", "frequency_penalty", "logit_bias"})
"""Those that there are none of."""
_SAMPLING: Final = frozenset({"temperature", "top_p"})
"""Those that models which reason refuse."""


def to_responses(
    messages: Sequence[Message], tools: Iterable[ToolSpec], dialect: Dialect, repairs: Repairs | None = None
) -> dict[str, Any]:
    """Return the body of a request but for the model's name and what is asked of its thoughts."""
    valid = (repairs or Repairs()).of(messages, ids=dialect.ids, image_results=dialect.image_results)
    body: dict[str, Any] = {"input": [item for message in valid for item in _items(message, dialect)]}
    if valid and isinstance(system := valid[0], SystemMessage):
        # The static half first: what follows it may be another in the next session.
        body["instructions"] = "\n\n".join(half for half in (system.static, system.dynamic) if half)
    if specs := [_tool(spec) for spec in tools]:
        body["tools"] = specs
    if dialect.cache_key:
        body["prompt_cache_key"] = cache_key(messages)
    return {**body, "store": False, "stream": True}


def with_arguments(
    body: Mapping[str, Any], more: Mapping[str, Any], *, thinks: bool, summarises: bool
) -> dict[str, Any]:
    """Add a person's arguments, which may be spelt as for chat completions, and ask for the thoughts."""
    left_out = _UNKNOWN | _SAMPLING if thinks else _UNKNOWN
    fields = {_RENAMED.get(name, name): value for name, value in more.items() if name not in left_out}
    effort, verbosity = fields.pop("reasoning_effort", None), fields.pop("verbosity", None)
    reasoning: dict[str, Any] = {"summary": "auto"} if summarises else {}
    reasoning |= {"effort": effort} if effort else {}
    asked: dict[str, Any] = {"include": ["reasoning.encrypted_content"], "reasoning": reasoning} if thinks else {}
    said: dict[str, Any] = {"text": {"verbosity": verbosity}} if verbosity else {}
    return {**body, **asked, **said, **fields}


def _items(message: Message, dialect: Dialect) -> Iterator[Wire]:
    match message:
        case SystemMessage():
            pass
        case UserMessage(parts):
            yield {"role": "user", "content": _content(parts)}
        case AssistantMessage():
            yield from _answer(message, opened(message.blocks, dialect.owner))
        case ToolMessage(call_id, _name, text, images):
            output = _content([*([Text(text)] if text else []), *images]) if images else text
            yield {"type": "function_call_output", "call_id": call_id, "output": output}
        case _:
            assert_never(message)


def _answer(message: AssistantMessage, kept: JsonValue) -> list[Wire]:
    """Spell an answer in the order in which its items came, so far as that was `kept`, its calls last.

    Reasoning goes with what it led to; where that was cut off it is left out, or it is refused.
    """
    text, calls = message.text, list(message.calls)
    said: list[Wire] = []
    called: list[Wire] = []
    reasoning: list[Wire] = []
    for each in kept if isinstance(kept, Sequence) and not isinstance(kept, str) else ():
        match each:
            case {"type": "reasoning"}:
                reasoning.append(dict(each))
            case {"type": "message", "length": int(length)} if text[:length]:
                said += [*reasoning, _said(text[:length], each)]
                text, reasoning = text[length:].removeprefix(GAP), []
            case {"type": "function_call"} if calls:
                called += [*reasoning, _call(calls.pop(0))]
                reasoning = []
            case _:
                pass
    said += [_said(text, {})] if text else []
    return [*said, *called, *(_call(call) for call in calls)]


def _said(text: str, kept: JsonObject) -> Wire:
    # Some models tell by `phase` what was said on the way from what was said in the end.
    phase = {"phase": kept["phase"]} if kept.get("phase") else {}
    content = [{"type": "output_text", "text": text}]
    return {"type": "message", "role": "assistant", "content": content, **phase}


def _call(call: CallMade) -> Wire:
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _content(parts: Sequence[Part]) -> str | list[Wire]:
    texts = [part.text for part in parts if isinstance(part, Text)]
    return "\n\n".join(texts) if len(texts) == len(parts) else [_part(part) for part in parts]


def _part(part: Part) -> Wire:
    match part:
        case Text(text):
            return {"type": "input_text", "text": text}
        case Image(mime_type, data):
            return {"type": "input_image", "image_url": f"data:{mime_type};base64,{data}"}
        case _:
            assert_never(part)


def _tool(spec: ToolSpec) -> Wire:
    # Strict is the default here, and wants schemas in which every argument is required.
    return {
        "type": "function",
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
        "strict": False,
    }

"""What a strict provider of chat completions insists on, as one pure function over a request body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from tests.harness.rules import NOTHING, Body, duplicates, is_list, is_object, unknown

_TOP = frozenset(
    "model messages stream stream_options tools tool_choice parallel_tool_calls temperature top_p max_tokens n stop "
    "max_completion_tokens presence_penalty frequency_penalty logit_bias logprobs top_logprobs user seed metadata "
    "response_format reasoning_effort verbosity service_tier store prediction prompt_cache_key prompt_cache_retention "
    "safety_identifier".split()
)
_OPENROUTER = frozenset({"usage", "reasoning", "provider", "transforms"})
"""What OpenRouter takes besides; its models' names have a vendor in front."""
_MESSAGE = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "tool_calls", "refusal", "name"},
    "tool": {"role", "content", "tool_call_id"},
}
_DIALECTS = {
    "claude": {"reasoning_content", "thinking_blocks"},
    "deepseek": {"reasoning_content"},
    "kimi": {"reasoning_content"},
    "glm": {"reasoning_content"},
    "anthropic/": {"reasoning_details"},
}
"""Fields of the assistant's messages that servers of certain models take, by what the model's name contains."""
_LONGEST_ID = 40
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_history(body: Body) -> list[str]:
    """List every way in which `body` would be refused; empty if it is valid."""
    messages = body.get("messages")
    if not is_list(messages) or not messages:
        return ["messages: not a list with something in it"]
    objects = [each for each in messages if is_object(each)]
    if len(objects) != len(messages):
        return ["messages: one is not an object"]
    return [
        *unknown(body, _TOP | (_OPENROUTER if "/" in str(body.get("model")) else frozenset[str]()), "request"),
        *_fields(objects, str(body.get("model"))),
        *_order(objects),
        *_pairing(objects),
        *_contents(objects),
        *_tools(body.get("tools")),
    ]


def _fields(messages: Sequence[Body], model: str) -> Iterator[str]:
    more = {field for name, fields in _DIALECTS.items() if name in model.lower() for field in fields}
    for at, message in enumerate(messages):
        role = str(message.get("role"))
        known = _MESSAGE.get(role, set[str]()) | (more if role == "assistant" else set[str]())
        yield from unknown(message, known, f"messages[{at}]")
        parts = message.get("content")
        marks = {"cache_control"} if "claude" in model.lower() else set[str]()
        for part in parts if is_list(parts) else ():
            yield from unknown(part, {"type", str(part.get("type"))} | marks, f"messages[{at}].content")


def _order(messages: Sequence[Body]) -> Iterator[str]:
    for at, message in enumerate(messages):
        if message.get("role") not in _ROLES:
            yield f"messages[{at}]: unknown role {message.get('role')!r}"
    spoken = [message for message in messages if message.get("role") not in {"system", "developer"}]
    if not spoken or spoken[0].get("role") != "user":
        yield "messages: the first that is not the system's is not the user's"
    roles = [message.get("role") for message in messages]
    for at, (one, other) in enumerate(pairwise(roles), 1):
        if other in {"system", "developer"} and one not in {"system", "developer"}:
            yield f"messages[{at}]: System message must be at the beginning"
        if one == other and other in {"user", "assistant"}:
            yield f"messages[{at}]: roles must alternate user/assistant"


def _pairing(messages: Sequence[Body]) -> Iterator[str]:
    """Every call answered once, directly after its message; nothing answered that was not called."""
    waiting: list[str] = []
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        if message.get("role") == "tool":
            call_id = message.get("tool_call_id")
            if call_id in waiting:
                waiting.remove(call_id)
            else:
                yield f"{where}: a result for {call_id!r}, which was not called or was answered before"
            continue
        if waiting:
            yield f"{where}: the calls {waiting} before it have no result"
        waiting = [str(call.get("id")) for call in _calls(message)]
        if len(set(waiting)) != len(waiting):
            yield f"{where}: one id on two calls"
    if waiting:
        yield f"messages: the calls {waiting} at the end have no result"


def _contents(messages: Sequence[Body]) -> Iterator[str]:
    for at, message in enumerate(messages):
        where = f"messages[{at}]"
        content = message.get("content")
        match message.get("role"):
            case "user" | "system" | "developer":
                if _is_blank(content):
                    yield f"{where}: no content, or an empty text in it"
            case "assistant":
                if not content and not _calls(message):
                    yield f"{where}: neither content nor tool_calls"
                yield from (f"{where}: {fault}" for call in _calls(message) for fault in _call_faults(call))
            case "tool":
                texts = is_list(content) and all(part.get("type") == "text" for part in content)
                if not isinstance(content, str) and not texts:
                    yield f"{where}: a result that is not text"
            case _:
                pass


def _is_blank(content: Any) -> bool:
    if isinstance(content, str):
        return not content
    if not is_list(content) or not content:
        return True
    return any(part.get("type") == "text" and not part.get("text") for part in content)


def _calls(message: Body) -> list[Body]:
    return list(message.get("tool_calls") or [])


def _call_faults(call: Body) -> Iterator[str]:
    function: Body = call.get("function") or NOTHING
    if not call.get("id") or call.get("type") != "function" or not function.get("name"):
        yield f"a call without id, type or name: {call}"
    if len(str(call.get("id"))) > _LONGEST_ID:
        yield f"the id {call.get('id')!r}: string too long. Expected a string with maximum length 40"
    if not _TOOL_NAME.fullmatch(str(function.get("name"))):
        yield f"the name {function.get('name')!r} does not match '^[a-zA-Z0-9_-]+$'"
    try:
        arguments = json.loads(function.get("arguments", ""))
    except ValueError:
        yield f"arguments of {call.get('id')!r} are not JSON: {function.get('arguments')!r}"
    else:
        if not isinstance(arguments, dict):
            yield f"arguments of {call.get('id')!r} are not an object"


def _tools(tools: Any) -> Iterator[str]:
    if tools is None:
        return
    if not is_list(tools) or not tools:
        yield "tools: an empty list"
        return
    for name in duplicates([str((tool.get("function") or NOTHING).get("name")) for tool in tools]):
        yield f"tools: two are called {name!r}"
    for at, tool in enumerate(tools):
        function: Body = tool.get("function") or NOTHING
        if tool.get("type") != "function" or not _TOOL_NAME.fullmatch(str(function.get("name", ""))):
            yield f"tools[{at}]: not a function, or the name {function.get('name')!r} is not allowed"
        if not isinstance(function.get("description"), str):
            yield f"tools[{at}]: no description"
        yield from unknown(function, {"name", "description", "parameters", "strict"}, f"tools[{at}].function")
        parameters: Any = function.get("parameters")
        if not is_object(parameters) or parameters.get("type") != "object":
            yield f"tools[{at}]: parameters are not the schema of an object"

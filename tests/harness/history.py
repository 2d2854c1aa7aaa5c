"""What a strict chat-completions provider insists on, as one pure function over a request body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

Body = Mapping[str, Any]

_NOTHING: Body = {}
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_history(body: Body) -> list[str]:
    """List every way in which `body` would be refused; empty if it is valid."""
    messages = body.get("messages")
    if not _is_list(messages) or not messages:
        return ["messages: not a list with something in it"]
    objects = [each for each in messages if _is_object(each)]
    if len(objects) != len(messages):
        return ["messages: one is not an object"]
    return [*_order(objects), *_pairing(objects), *_contents(objects), *_tools(body.get("tools"))]


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _order(messages: Sequence[Body]) -> Iterator[str]:
    for at, message in enumerate(messages):
        if message.get("role") not in _ROLES:
            yield f"messages[{at}]: unknown role {message.get('role')!r}"
    spoken = [message for message in messages if message.get("role") not in {"system", "developer"}]
    if not spoken or spoken[0].get("role") != "user":
        yield "messages: the first that is not the system's is not the user's"


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
                if not isinstance(content, str):
                    yield f"{where}: a result that is not text"
            case _:
                pass


def _is_blank(content: Any) -> bool:
    if isinstance(content, str):
        return not content
    if not _is_list(content) or not content:
        return True
    return any(part.get("type") == "text" and not part.get("text") for part in content)


def _calls(message: Body) -> list[Body]:
    return list(message.get("tool_calls") or [])


def _call_faults(call: Body) -> Iterator[str]:
    function: Body = call.get("function") or _NOTHING
    if not call.get("id") or call.get("type") != "function" or not function.get("name"):
        yield f"a call without id, type or name: {call}"
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
    if not _is_list(tools) or not tools:
        yield "tools: an empty list"
        return
    for at, tool in enumerate(tools):
        function: Body = tool.get("function") or _NOTHING
        if tool.get("type") != "function" or not _TOOL_NAME.fullmatch(str(function.get("name", ""))):
            yield f"tools[{at}]: not a function, or the name {function.get('name')!r} is not allowed"
        if not isinstance(function.get("description"), str):
            yield f"tools[{at}]: no description"
        parameters: Any = function.get("parameters")
        if not _is_object(parameters) or parameters.get("type") != "object":
            yield f"tools[{at}]: parameters are not the schema of an object"

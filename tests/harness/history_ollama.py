"""What Ollama's `/api/chat` insists on, or would pass over in silence, as one pure function over a request body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.harness.rules import NOTHING, Body, is_object, objects, unknown

_TOP = frozenset("model messages tools stream options format keep_alive think".split())
_MESSAGE = {
    "system": frozenset({"role", "content", "images"}),
    "user": frozenset({"role", "content", "images"}),
    "assistant": frozenset({"role", "content", "images", "thinking", "tool_calls"}),
    "tool": frozenset({"role", "content", "images", "tool_name", "tool_call_id"}),
}


def check_ollama(body: Body) -> list[str]:
    """List every way in which `body` would be refused or misread; empty if it is valid."""
    found = list(unknown(body, _TOP, "request"))
    messages = objects(body.get("messages"), "messages", found)
    tools = objects(body["tools"], "tools", found) if "tools" in body else []
    for at, message in enumerate(messages):
        found += _message(message, f"messages[{at}]")
    for at, tool in enumerate(tools):
        function = tool.get("function")
        if not is_object(function) or not function.get("name") or not is_object(function.get("parameters")):
            found.append(f"tools[{at}]: no function with a name and parameters")
    return [*found, *_pairing(messages)]


def _message(message: Body, where: str) -> Iterator[str]:
    known = _MESSAGE.get(str(message.get("role")))
    if known is None:
        yield f"{where}: unknown role {message.get('role')!r}"
        return
    yield from unknown(message, known, where)
    if not isinstance(message.get("content"), str):
        yield f"{where}: content is not text"
    for call in message.get("tool_calls") or ():
        function: Body = call.get("function") or NOTHING
        if not function.get("name") or not is_object(function.get("arguments")):
            yield f"{where}: a call without a name, or whose arguments are no object"


def _pairing(messages: Sequence[Body]) -> Iterator[str]:
    """Each call has one result behind it; they have no ids that could tell which is whose."""
    due = 0
    for at, message in enumerate(messages):
        if message.get("role") == "tool":
            due -= 1
            if due < 0:
                yield f"messages[{at}]: a result without a call"
            continue
        if due > 0:
            yield f"messages[{at}]: {due} calls have no result"
        due = len(message.get("tool_calls") or ())
    if due > 0:
        yield f"{due} calls have no result"

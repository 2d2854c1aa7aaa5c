"""What Anthropic's messages insist on, as one pure function over a request body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.harness.rules import NOTHING, Body, Memory, duplicates, is_list, is_object, objects, unknown

_TOP = frozenset(
    "model messages max_tokens system tools tool_choice stream temperature top_p top_k stop_sequences thinking metadata "
    "service_tier container context_management output_config output_format mcp_servers".split()
)
_TOOL = frozenset("name description input_schema type cache_control strict".split())
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_ID = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_FIELDS = {
    "text": {"type", "text", "cache_control", "citations"},
    "image": {"type", "source", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": {"type", "id", "name", "input", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
}
_MOST_CACHE_MARKS = 4
_LEAST_THINKING = 1024


def check_messages(body: Body, memory: Memory) -> list[str]:
    """List every way in which `body` would be refused; empty if it is valid."""
    faults = list(unknown(body, _TOP, "request"))
    messages = objects(body.get("messages"), "messages", faults)
    faults += _top(body)
    faults += _tools(body, messages)
    if not messages:
        return faults
    for at, message in enumerate(messages):
        faults += _message(message, f"messages.{at}", memory)
    faults += _order(messages)
    faults += _pairing(messages)
    faults += _thinking(body, messages)
    if (marks := _marks(body)) > _MOST_CACHE_MARKS:
        faults.append(f"A maximum of 4 blocks with cache_control may be provided. Found {marks}.")
    return faults


def _top(body: Body) -> Iterator[str]:
    most = body.get("max_tokens")
    if not isinstance(most, int) or most < 1:
        yield "max_tokens: Field required"
    system = body.get("system", "x")
    if not isinstance(system, str) or not system:
        for at, block in enumerate(system if is_list(system) else ()):
            yield from _block(block, f"system.{at}", Memory(), {"text"})
        if not system:
            yield "system: empty"


def _tools(body: Body, messages: Sequence[Body]) -> Iterator[str]:
    tools = body.get("tools")
    if tools is None:
        if any(block.get("type") in {"tool_use", "tool_result"} for each in messages for block in _blocks(each)):
            yield "Requests which include `tool_use` or `tool_result` blocks must define tools."
        return
    faults: list[str] = []
    specs = objects(tools, "tools", faults)
    yield from faults
    for name in duplicates([str(spec.get("name")) for spec in specs]):
        yield f"tools: Tool names must be unique: {name}"
    for at, spec in enumerate(specs):
        where = f"tools.{at}"
        yield from unknown(spec, _TOOL, where)
        if not _TOOL_NAME.fullmatch(str(spec.get("name", ""))):
            yield f"{where}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        schema = spec.get("input_schema")
        if not is_object(schema) or schema.get("type") != "object":
            yield f"{where}.input_schema.type: Field required"
        elif schema.keys() & {"oneOf", "allOf", "anyOf"}:
            yield f"{where}.input_schema: does not support oneOf, allOf, or anyOf at the top level"


# ---------------------------------------------------------------- messages


def _blocks(message: Body) -> list[Body]:
    content = message.get("content")
    return [block for block in content if is_object(block)] if is_list(content) else []


def _message(message: Body, where: str, memory: Memory) -> Iterator[str]:
    yield from unknown(message, {"role", "content"}, where)
    content = message.get("content")
    if isinstance(content, str):
        if not content.strip():
            yield f"{where}: all messages must have non-empty content"
        return
    faults: list[str] = []
    blocks = objects(content, f"{where}.content", faults)
    yield from faults
    allowed = {
        "assistant": {"text", "thinking", "redacted_thinking", "tool_use"},
        "user": {"text", "image", "tool_result"},
    }
    for at, block in enumerate(blocks):
        yield from _block(block, f"{where}.content.{at}", memory, allowed.get(str(message.get("role")), set()))


def _block(block: Body, where: str, memory: Memory, allowed: set[str]) -> Iterator[str]:
    kind = str(block.get("type"))
    if kind not in allowed:
        yield f"{where}: a block of type {kind!r} is not allowed here"
        return
    yield from unknown(block, _FIELDS[kind], where)
    match kind:
        case "text" if not str(block.get("text") or "").strip():
            yield f"{where}: text content blocks must contain non-whitespace text"
        case "image":
            yield from _image(block, where)
        case "thinking":
            yield from memory.signature_faults(
                where, "anthropic", str(block.get("signature") or ""), str(block.get("thinking"))
            )
        case "redacted_thinking" if not block.get("data"):
            yield f"{where}: redacted_thinking without data"
        case "tool_use":
            if not _ID.fullmatch(str(block.get("id", ""))):
                yield f"{where}.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            if not _TOOL_NAME.fullmatch(str(block.get("name", ""))) or not is_object(block.get("input")):
                yield f"{where}: no tool's name, or an input that is no dictionary"
        case "tool_result":
            yield from _result(block, where, memory)
        case _:
            pass


def _image(block: Body, where: str) -> Iterator[str]:
    source: Body = block.get("source") or NOTHING
    if source.get("type") == "base64" and (source.get("media_type") not in _IMAGES or not source.get("data")):
        yield f"{where}: an image without data, or of no type that is read"


def _result(block: Body, where: str, memory: Memory) -> Iterator[str]:
    content = block.get("content")
    if not is_list(content):
        return
    for at, each in enumerate(content):
        yield from _block(each, f"{where}.content.{at}", memory, {"text", "image"})


# ---------------------------------------------------------------- order


def _order(messages: Sequence[Body]) -> Iterator[str]:
    for at, message in enumerate(messages):
        if message.get("role") not in {"user", "assistant"}:
            yield f"messages.{at}: unexpected role {message.get('role')!r}"
    if messages[0].get("role") != "user":
        yield "messages: first message must use the user role"
    if messages[-1].get("role") != "user":
        yield "messages: the last is the assistant's: this model does not support assistant message prefill"
    for at, (one, other) in enumerate(pairwise(messages), 1):
        if one.get("role") == other.get("role"):
            yield f"messages.{at}: roles must alternate between user and assistant"


def _pairing(messages: Sequence[Body]) -> Iterator[str]:
    """Every call answered once, in the next message and in front of all else; nothing answered that was not called."""
    seen: set[str] = set()
    calls: list[str] = []
    for at, message in enumerate(messages):
        where = f"messages.{at}"
        blocks = _blocks(message)
        results = [str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"]
        if missing := sorted(set(calls) - set(results)):
            yield f"{where}: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}"
        for stray in sorted(set(results) - set(calls)):
            yield f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {stray}"
        for twice in duplicates(results):
            yield f"{where}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {twice}"
        if any(block.get("type") != "tool_result" for block in blocks[: len(results)]):
            yield f"{where}: `tool_result` blocks must come first"
        calls = [str(block.get("id")) for block in blocks if block.get("type") == "tool_use"]
        for twice in sorted({*duplicates(calls), *(seen & set(calls))}):
            yield f"{where}: `tool_use` ids must be unique: {twice}"
        seen |= set(calls)
    if calls:
        yield f"messages: `tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(calls)}"


def _thinking(body: Body, messages: Sequence[Body]) -> Iterator[str]:
    """Thoughts stand first in their message, and cannot be missing from a turn that goes on with results of calls."""
    thoughts = {"thinking", "redacted_thinking"}
    for at, message in enumerate(messages):
        kinds = [str(block.get("type")) for block in _blocks(message)]
        first_other = next((at for at, kind in enumerate(kinds) if kind not in thoughts), len(kinds))
        if thoughts & set(kinds[first_other:]):
            yield f"messages.{at}: thinking blocks must be first"
    thinking: Body = body.get("thinking") or NOTHING
    budget = thinking.get("budget_tokens", _LEAST_THINKING)
    if thinking.get("type") == "enabled" and not _LEAST_THINKING <= budget < body.get("max_tokens", 0):
        yield "thinking.budget_tokens: at least 1024, and less than `max_tokens`"
    if thinking.get("type") != "enabled":
        return
    if body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled"
    said = [_blocks(message) for message in messages if message.get("role") == "assistant"]
    is_going_on = any(block.get("type") == "tool_result" for block in _blocks(messages[-1]))
    if said and is_going_on and (not said[-1] or said[-1][0].get("type") not in thoughts):
        yield (
            "Expected `thinking` or `redacted_thinking`. When `thinking` is enabled, a final `assistant` message must "
            "start with a thinking block (preceding the lastmost set of `tool_use` and `tool_result` blocks)."
        )


def _marks(body: Body) -> int:
    """Count every `cache_control`, also in results."""
    own = 1 if is_object(body.get("cache_control")) else 0
    inner = [value for value in body.values() if is_object(value)]
    inner += [each for value in body.values() if is_list(value) for each in value if is_object(each)]
    return own + sum(_marks(each) for each in inner)

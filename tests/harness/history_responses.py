"""What OpenAI's Responses insist on, as one pure function over a request body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tests.harness.rules import NOTHING, Body, Memory, duplicates, is_json_object, is_list, is_object, objects, unknown

_TOP = frozenset(
    "model input instructions stream store include tools tool_choice parallel_tool_calls temperature top_p user "
    "max_output_tokens reasoning text truncation metadata prompt_cache_key prompt_cache_retention safety_identifier "
    "service_tier previous_response_id background stream_options top_logprobs max_tool_calls prompt conversation".split()
)
_FIELDS = {
    "message": {"type", "role", "content", "id", "status", "phase"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content", "status"},
    "function_call": {"type", "id", "call_id", "name", "arguments", "status"},
    "function_call_output": {"type", "id", "call_id", "output", "status"},
}
_PARTS = {
    "input_text": {"type", "text"},
    "input_image": {"type", "image_url", "detail", "file_id"},
    "input_file": {"type", "file_id", "file_data", "filename", "file_url"},
    "output_text": {"type", "text", "annotations", "logprobs"},
    "refusal": {"type", "refusal"},
}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LONGEST_ID = 64


def check_responses(body: Body, memory: Memory) -> list[str]:
    """List every way in which `body` would be refused; empty if it is valid."""
    faults = list(unknown(body, _TOP, "request"))
    faults += _tools(body)
    given = body.get("input")
    if isinstance(given, str):
        return [*faults, *([] if given else ["input: empty"])]
    items = objects(given, "input", faults)
    for at, item in enumerate(items):
        faults += _item(item, f"input[{at}]", body, memory)
    return [*faults, *_pairing(items), *_reasoning(items, memory)]


def _tools(body: Body) -> Iterator[str]:
    if body.get("tools") is None:
        return
    faults: list[str] = []
    specs = objects(body["tools"], "tools", faults) if body["tools"] else []
    yield from faults
    for name in duplicates([str(spec.get("name")) for spec in specs]):
        yield f"tools: two are called {name!r}"
    for at, spec in enumerate(specs):
        where = f"tools[{at}]"
        yield from unknown(spec, {"type", "name", "description", "parameters", "strict"}, where)
        if spec.get("type") != "function" or not _TOOL_NAME.fullmatch(str(spec.get("name", ""))):
            yield f"{where}: not a function, or the name {spec.get('name')!r} is not allowed"
        schema = spec.get("parameters")
        if not is_object(schema) or schema.get("type") != "object":
            yield f"{where}: parameters are not the schema of an object"
        elif spec.get("strict") and (
            schema.get("additionalProperties") is not False
            or set(schema.get("properties") or ()) != set(schema.get("required") or ())
        ):
            yield f"Invalid schema for function {spec.get('name')!r}: 'additionalProperties' is required to be false"


# ---------------------------------------------------------------- items


def _item(item: Body, where: str, body: Body, memory: Memory) -> Iterator[str]:
    kind = str(item.get("type", "message"))
    if kind not in _FIELDS:
        yield f"{where}: Invalid value: {kind!r}"
        return
    yield from unknown(item, _FIELDS[kind], where)
    match kind:
        case "message":
            yield from _message(item, where)
        case "reasoning":
            yield from _thought(item, where, body, memory)
        case "function_call":
            yield from _call(item, where)
        case _:
            output = item.get("output")
            if is_list(output):
                yield from _parts(output, where, {"input_text", "input_image", "input_file"})
            elif not isinstance(output, str):
                yield f"{where}: Missing required parameter: 'output'"


def _message(item: Body, where: str) -> Iterator[str]:
    role, content = item.get("role"), item.get("content")
    if role not in {"user", "system", "developer", "assistant"}:
        yield f"{where}: Invalid value: {role!r}"
    if isinstance(content, str):
        if not content:
            yield f"{where}: no content"
        return
    said = {"output_text", "refusal"}
    yield from _parts(content, where, said if role == "assistant" else set(_PARTS) - said)


def _parts(content: object, where: str, allowed: set[str]) -> Iterator[str]:
    faults: list[str] = []
    parts = objects(content, f"{where}.content", faults)
    yield from faults
    for at, part in enumerate(parts):
        kind = str(part.get("type"))
        if kind not in allowed:
            yield f"{where}.content[{at}]: Invalid value: {kind!r}. Supported values are: {sorted(allowed)}"
            continue
        yield from unknown(part, _PARTS[kind], f"{where}.content[{at}]")
        if kind in {"input_text", "output_text"} and not part.get("text"):
            yield f"{where}.content[{at}]: an empty text"


def _thought(item: Body, where: str, body: Body, memory: Memory) -> Iterator[str]:
    if not is_list(item.get("summary")):
        yield f"{where}: Missing required parameter: 'summary'"
    ident, sealed = item.get("id"), item.get("encrypted_content")
    if not ident and not sealed:
        yield f"{where}: Missing required parameter: 'id'"
    elif ident and not str(ident).startswith("rs"):
        yield f"{where}: Invalid 'id': {ident!r}. Expected an ID that begins with 'rs'."
    elif not sealed and body.get("store") is False:
        yield f"Item '{ident}' not found. Items are not persisted when `store` is set to false."
    if sealed:
        text = "".join(str(part.get("text")) for part in item.get("summary") or ())
        yield from memory.signature_faults(where, "responses", str(sealed), text)


def _call(item: Body, where: str) -> Iterator[str]:
    if not _TOOL_NAME.fullmatch(str(item.get("name", ""))):
        yield f"{where}.name: string does not match pattern '^[a-zA-Z0-9_-]+$'"
    if not is_json_object(item.get("arguments")):
        yield f"{where}: arguments are not a JSON object: {item.get('arguments')!r}"
    if "id" in item and not str(item["id"]).startswith("fc"):
        yield f"{where}: Invalid 'id': {item['id']!r}. Expected an ID that begins with 'fc'."


# ---------------------------------------------------------------- order


def _pairing(items: Sequence[Body]) -> Iterator[str]:
    """Every call answered once, later; nothing answered that was not called."""
    open_calls: list[str] = []
    seen: set[str] = set()
    for at, item in enumerate(items):
        call_id = str(item.get("call_id", ""))
        match item.get("type"):
            case "function_call":
                if not 0 < len(call_id) <= _LONGEST_ID or call_id in seen:
                    yield f"input[{at}]: call_id {call_id!r} is empty, too long, or given twice"
                seen.add(call_id)
                open_calls.append(call_id)
            case "function_call_output" if call_id in open_calls:
                open_calls.remove(call_id)
            case "function_call_output":
                yield f"No tool call found for function call output with call_id {call_id}."
            case "reasoning":
                pass
            case _ if open_calls:
                yield f"No tool output found for function call {open_calls[0]}."
                open_calls.clear()
            case _:
                pass
    if open_calls:
        yield f"No tool output found for function call {open_calls[0]}."


def _reasoning(items: Sequence[Body], memory: Memory) -> Iterator[str]:
    """Reasoning is followed by what came of it, and what came of it does not come without it."""
    for at, item in enumerate(items):
        following = items[at + 1] if at + 1 < len(items) else NOTHING
        if item.get("type") == "reasoning" and not _is_output(following):
            yield f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
        reason = memory.reasons.get(str(item.get("id")))
        if reason is not None and reason not in {each.get("id") for each in items[:at]}:
            yield f"Item '{item.get('id')}' was provided without its required 'reasoning' item: '{reason}'."


def _is_output(item: Body) -> bool:
    return item.get("type") in {"reasoning", "function_call"} or item.get("role") == "assistant"

"""The fake provider refuses what a real one would: each rule of each protocol, broken once."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import httpx
import pytest

from tests.harness.history import check_history
from tests.harness.history_anthropic import check_messages
from tests.harness.history_gemini import check_contents
from tests.harness.history_responses import check_responses
from tests.harness.provider import Provider
from tests.harness.replies import Json, Text
from tests.harness.rules import Memory

Break = Callable[[Any], object]

SCHEMA: Json = {"type": "object", "properties": {"command": {"type": "string"}}}
SIGNED = {"good": ("anthropic", "hm"), "theirs": ("gemini", "")}

CHAT: Json = {
    "model": "x",
    "stream": True,
    "messages": [
        {"role": "system", "content": "You are."},
        {"role": "user", "content": "hello"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "t", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "go on"},
    ],
    "tools": [{"type": "function", "function": {"name": "t", "description": "d", "parameters": SCHEMA}}],
}

ANTHROPIC: Json = {
    "model": "x",
    "stream": True,
    "max_tokens": 4096,
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "system": [{"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hello"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "good"},
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "a", "name": "t", "input": {}},
                {"type": "tool_use", "id": "b", "name": "t", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "1"},
                {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "2"}]},
                {"type": "text", "text": "go on"},
            ],
        },
    ],
    "tools": [{"name": "t", "description": "d", "input_schema": SCHEMA}],
}

RESPONSES: Json = {
    "model": "x",
    "stream": True,
    "store": False,
    "instructions": "You are.",
    "input": [
        {"role": "user", "content": "hello"},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "e",
        },
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "t", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go on"}]},
    ],
    "tools": [{"type": "function", "name": "t", "description": "d", "parameters": SCHEMA, "strict": False}],
}

GEMINI: Json = {
    "contents": [
        {"role": "user", "parts": [{"text": "hello"}]},
        {
            "role": "model",
            "parts": [
                {"text": "hm", "thought": True},
                {"functionCall": {"name": "t", "args": {}}, "thoughtSignature": "s"},
                {"function_call": {"name": "u", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "t", "response": {"content": "1"}}},
                {"function_response": {"name": "u", "response": {"content": "2"}}},
            ],
        },
    ],
    "system_instruction": {"parts": [{"text": "You are."}]},
    "tools": [{"function_declarations": [{"name": "t", "description": "d", "parameters": SCHEMA}]}],
}


def broken(body: Json, how: Break) -> Json:
    copy = deepcopy(body)
    how(copy)
    return copy


def memory() -> Memory:
    return Memory(signed=dict(SIGNED), reasons={"fc_1": "rs_1"})


def test_what_is_valid_is_taken() -> None:
    found = [
        check_history(CHAT),
        check_messages(ANTHROPIC, memory()),
        check_responses(RESPONSES, memory()),
        check_contents(GEMINI, "gemini-3-pro", memory()),
    ]
    assert found == [[], [], [], []]


def at(*path: str | int) -> Callable[[Any], Any]:
    """Walk down a body."""

    def walk(body: Any) -> Any:
        for step in path:
            body = body[step]
        return body

    return walk


def drop(*path: str | int) -> Break:
    return lambda body: at(*path[:-1])(body).__delitem__(path[-1])


def put(value: object, *path: str | int) -> Break:
    return lambda body: at(*path[:-1])(body).__setitem__(path[-1], value)


def add(value: object, *path: str | int) -> Break:
    return lambda body: at(*path)(body).append(value)


def insert(value: object, *path: str | int) -> Break:
    return lambda body: at(*path[:-1])(body).insert(path[-1], value)


def swap(one: int, other: int, *path: str | int) -> Break:
    def exchange(body: Any) -> None:
        items = at(*path)(body)
        items[one], items[other] = items[other], items[one]

    return exchange


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        (put([], "messages"), "messages: not a list with something in it"),
        (put(1, "messages", 1), "messages: one is not an object"),
        (put(1, "colour"), "unknown field 'colour'"),
        (put("x", "messages", 1, "colour"), "unknown field 'colour'"),
        (put("x", "messages", 5, "reasoning_content"), "unknown field 'reasoning_content'"),
        (put("robot", "messages", 1, "role"), "unknown role 'robot'"),
        (drop("messages", 1), "the first that is not the system's is not the user's"),
        (add({"role": "user", "content": "x"}, "messages"), "roles must alternate"),
        (add({"role": "system", "content": "x"}, "messages"), "must be at the beginning"),
        (drop("messages", 4), "['b'] before it have no result"),
        (put("c", "messages", 4, "tool_call_id"), "a result for 'c', which was not called"),
        (put("a", "messages", 4, "tool_call_id"), "a result for 'a', which was not called or was answered before"),
        (put("a", "messages", 2, "tool_calls", 1, "id"), "one id on two calls"),
        (put("a" * 41, "messages", 2, "tool_calls", 0, "id"), "maximum length 40"),
        (put("a b", "messages", 2, "tool_calls", 0, "function", "name"), "does not match"),
        (put("{", "messages", 2, "tool_calls", 0, "function", "arguments"), "are not JSON"),
        (put("[]", "messages", 2, "tool_calls", 0, "function", "arguments"), "are not an object"),
        (put("", "messages", 5, "content"), "neither content nor tool_calls"),
        (put("", "messages", 1, "content"), "no content, or an empty text in it"),
        (put([{"type": "text", "text": ""}], "messages", 1, "content"), "no content, or an empty text in it"),
        (put(None, "messages", 3, "content"), "a result that is not text"),
        (put([], "tools"), "tools: an empty list"),
        (add(CHAT["tools"][0], "tools"), "two are called 't'"),
        (put("a b", "tools", 0, "function", "name"), "is not allowed"),
        (drop("tools", 0, "function", "description"), "no description"),
        (put({"type": "string"}, "tools", 0, "function", "parameters"), "not the schema of an object"),
    ],
)
def test_what_openai_refuses(how: Break, fault: str) -> None:
    assert any(fault in found for found in check_history(broken(CHAT, how))), fault


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        (drop("max_tokens"), "max_tokens: Field required"),
        (put(1, "colour"), "unknown field 'colour'"),
        (put("", "system"), "system: empty"),
        (put("", "system", 0, "text"), "non-whitespace text"),
        (drop("tools"), "must define tools"),
        (add(ANTHROPIC["tools"][0], "tools"), "Tool names must be unique"),
        (put("a b", "tools", 0, "name"), "should match pattern"),
        (put({}, "tools", 0, "input_schema"), "input_schema.type: Field required"),
        (put({"type": "object", "anyOf": []}, "tools", 0, "input_schema"), "does not support oneOf"),
        (put("x", "messages", 1, "reasoning_content"), "unknown field 'reasoning_content'"),
        (put(" ", "messages", 0, "content", 0, "text"), "non-whitespace text"),
        (put(" ", "messages", 0, "content"), "non-empty content"),
        (put([], "messages", 0, "content"), "not a list with something in it"),
        (put({"type": "thinking"}, "messages", 0, "content", 0), "'thinking' is not allowed here"),
        (put(5000, "thinking", "budget_tokens"), "less than `max_tokens`"),
        (put(0.5, "temperature"), "`temperature` may only be set to 1"),
        (put("other", "messages", 1, "content", 0, "thinking"), "cannot be modified"),
        (put("", "messages", 1, "content", 0, "signature"), "Invalid `signature`"),
        (put("theirs", "messages", 1, "content", 0, "signature"), "Invalid `signature`"),
        (put({"type": "redacted_thinking"}, "messages", 1, "content", 0), "without data"),
        (swap(0, 1, "messages", 1, "content"), "thinking blocks must be first"),
        (drop("messages", 1, "content", 0), "must start with a thinking block"),
        (put({"type": "ephemeral"}, "messages", 1, "content", 0, "cache_control"), "unknown field 'cache_control'"),
        (put("a:b", "messages", 1, "content", 2, "id"), "should match pattern"),
        (put("x", "messages", 1, "content", 2, "input"), "no dictionary"),
        (put("b", "messages", 1, "content", 2, "id"), "ids must be unique: b"),
        (drop("messages", 2, "content", 0), "without `tool_result` blocks immediately after: a"),
        (put("c", "messages", 2, "content", 0, "tool_use_id"), "unexpected `tool_use_id`"),
        (put("b", "messages", 2, "content", 0, "tool_use_id"), "must have a single result"),
        (swap(0, 2, "messages", 2, "content"), "must come first"),
        (add(ANTHROPIC["messages"][0], "messages"), "roles must alternate"),
        (drop("messages", 0), "first message must use the user role"),
        (drop("messages", 2), "assistant message prefill"),
        (put("system", "messages", 0, "role"), "unexpected role 'system'"),
        (
            put([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 4, "messages", 0, "content"),
            "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        ),
    ],
)
def test_what_anthropic_refuses(how: Break, fault: str) -> None:
    assert any(fault in found for found in check_messages(broken(ANTHROPIC, how), memory())), fault


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        (put([], "input"), "input: not a list with something in it"),
        (put("", "input"), "input: empty"),
        (put([], "messages"), "unknown field 'messages'"),
        (put("x", "input", 0, "colour"), "unknown field 'colour'"),
        (put("robot", "input", 0, "role"), "Invalid value: 'robot'"),
        (put("picture", "input", 0, "type"), "Invalid value: 'picture'"),
        (put("", "input", 0, "content"), "no content"),
        (put("", "input", 5, "content", 0, "text"), "an empty text"),
        (put("input_text", "input", 4, "content", 0, "type"), "Supported values are: ['output_text', 'refusal']"),
        (put("output_text", "input", 5, "content", 0, "type"), "Invalid value: 'output_text'"),
        (drop("input", 1, "summary"), "Missing required parameter: 'summary'"),
        (drop("input", 1, "encrypted_content"), "Items are not persisted"),
        (put({"type": "reasoning", "summary": []}, "input", 1), "parameter: 'id'"),
        (put("xx", "input", 1, "id"), "begins with 'rs'"),
        (put("theirs", "input", 1, "encrypted_content"), "Invalid `signature`"),
        (swap(1, 0, "input"), "without its required following item"),
        (drop("input", 1), "without its required 'reasoning' item: 'rs_1'"),
        (put("call_1", "input", 2, "id"), "begins with 'fc'"),
        (put("{", "input", 2, "arguments"), "not a JSON object"),
        (put("a b", "input", 2, "name"), "does not match pattern"),
        (put("a" * 65, "input", 2, "call_id"), "too long"),
        (drop("input", 3), "No tool output found for function call a."),
        (drop("input", 2), "No tool call found for function call output with call_id a."),
        (add(RESPONSES["input"][3], "input"), "No tool call found for function call output with call_id a."),
        (drop("input", 3, "output"), "Missing required parameter: 'output'"),
        (add(RESPONSES["tools"][0], "tools"), "two are called 't'"),
        (put(True, "tools", 0, "strict"), "'additionalProperties' is required to be false"),
        (put("a b", "tools", 0, "name"), "is not allowed"),
        (put({}, "tools", 0, "parameters"), "not the schema of an object"),
    ],
)
def test_what_openais_responses_refuse(how: Break, fault: str) -> None:
    assert any(fault in found for found in check_responses(broken(RESPONSES, how), memory())), fault


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        (put([], "contents"), "contents: not a list with something in it"),
        (put([], "messages"), "unknown field 'messages'"),
        (put("assistant", "contents", 1, "role"), "Please use a valid role"),
        (put([], "contents", 0, "parts"), "must not be empty"),
        (put("", "contents", 0, "parts", 0, "text"), "an empty text"),
        (put({}, "contents", 0, "parts", 0, "inlineData"), "must have one initialized field"),
        (put(1, "contents", 0, "parts", 0, "colour"), "unknown field 'colour'"),
        (put("9x", "contents", 1, "parts", 1, "functionCall", "name"), "Invalid function name"),
        (put([], "contents", 1, "parts", 1, "functionCall", "args"), "that are no object"),
        (drop("contents", 1, "parts", 1, "thoughtSignature"), "missing a thought_signature"),
        (put("good", "contents", 1, "parts", 1, "thoughtSignature"), "Invalid `signature`"),
        (drop("contents", 2), "the calls at the end have no result"),
        (drop("contents", 2, "parts", 1), "the number of function response parts is equal"),
        (swap(0, 1, "contents", 2, "parts"), "not those of the calls, in their order"),
        (drop("contents", 0), "end with a user role"),
        (insert({"role": "model", "parts": [{"text": "x"}]}, "contents", 1), "immediately after a user"),
        (
            add(GEMINI["tools"][0]["function_declarations"][0], "tools", 0, "function_declarations"),
            "Duplicate function",
        ),
        (put("9x", "tools", 0, "function_declarations", 0, "name"), "Invalid function name"),
        (put(False, "tools", 0, "function_declarations", 0, "parameters", "additionalProperties"), "unknown field"),
        (put({}, "tools", 0, "function_declarations", 0, "parameters", "properties"), "should be non-empty"),
        (put(["x"], "tools", 0, "function_declarations", 0, "parameters", "required"), "not defined: x"),
        (
            put({"type": "array"}, "tools", 0, "function_declarations", 0, "parameters", "properties", "command"),
            "items: missing field",
        ),
        (
            put(
                {"type": "integer", "enum": [1]},
                *("tools", 0, "function_declarations", 0, "parameters", "properties", "command"),
            ),
            "only allowed for STRING type",
        ),
    ],
)
def test_what_gemini_refuses(how: Break, fault: str) -> None:
    found = check_contents(broken(GEMINI, how), "gemini-3-pro", memory())
    assert any(fault in each for each in found), (fault, found)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/v1/responses", RESPONSES),
        ("/v1/messages", ANTHROPIC),
        ("/v1beta/models/x:streamGenerateContent?alt=sse", GEMINI),
    ],
)
async def test_what_is_refused_is_answered_400_and_fails_the_test(path: str, body: Json) -> None:
    headers = {"anthropic-version": "2023-06-01"}
    with Provider([Text("hi")], [Text("hi")]) as provider:
        root = provider.url.removesuffix("/v1")
        async with httpx.AsyncClient() as client:
            good = await client.post(root + path, json=body, headers=headers)
            bad = await client.post(root + path, json={**body, "colour": 1}, headers=headers)
        with pytest.raises(AssertionError, match="unknown field 'colour'"):
            provider.assert_no_violations()
        provider.violations.clear()
    assert (good.status_code, bad.status_code) == (200, 400)
    assert "unknown field 'colour'" in bad.json()["error"]["message"]

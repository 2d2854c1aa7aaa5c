"""Whatever happened, each of the four protocols is sent what its strictest provider takes."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    JsonValue,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.llm.assemble import to_chat
from openhands_acp.llm.dialect import dialect_of
from openhands_acp.llm.reasoning import CLAUDE, owner_of, sealed
from openhands_acp.llm.responses import to_responses
from tests.harness.history import check_history
from tests.harness.history_anthropic import check_messages
from tests.harness.history_gemini import check_contents
from tests.harness.history_responses import check_responses
from tests.harness.rules import Memory
from tests.llm.asking import TERMINAL

# Loosely typed, as what they give is.
CLAUDE_CONFIG: Any = import_module("litellm.llms.anthropic.chat.transformation").AnthropicConfig()
TO_GEMINI: Any = import_module("litellm.llms.vertex_ai.gemini.transformation").gemini_convert_messages_with_history
GPT = owner_of("openai", "gpt-5", api="responses")
GOOGLE = owner_of("gemini", "gemini-3-pro", api="chat")
DEEPSEEK = owner_of("deepseek", "deepseek-chat", api="chat")
assert GPT
assert GOOGLE
assert DEEPSEEK
PIXEL = Image("image/png", "iVBO")
ITEM: JsonValue = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "seal"}

TEXTS = st.text(max_size=6) | st.sampled_from(["", " ", "\ud800", "done"])
IDS = st.sampled_from(["", "a", "b", "a.b", "functions.terminal:0", "x" * 70, "call_1__thought__c2ln"])
ARGUMENTS = st.sampled_from(["{}", '{"x": 1}', '{"x"', "", "null", "[]", '{"x": NaN}'])
CALLS = st.builds(CallMade, IDS, st.sampled_from(["terminal", "no such.tool", "", "9lives", "x" * 70]), ARGUMENTS)
BLOCKS: st.SearchStrategy[JsonValue] = st.sampled_from(
    [
        None,
        [{"type": "thinking", "thinking": "hm", "signature": "old"}],
        sealed(CLAUDE, []),
        sealed(CLAUDE, [{"type": "thinking", "thinking": "hm", "signature": "seal"}]),
        sealed(DEEPSEEK, {}),
        sealed(GOOGLE, {"text": "seal", "calls": []}),
        sealed(GOOGLE, {"text": None, "calls": ["seal", None]}),
        sealed(GPT, [ITEM]),
        sealed(GPT, [ITEM, {"type": "function_call"}, ITEM, {"type": "message", "length": 2}]),
        sealed(GPT, [{"type": "message", "length": 2, "phase": "commentary"}, ITEM, {"type": "message", "length": 9}]),
    ]
)
MESSAGES: st.SearchStrategy[list[Message]] = st.lists(
    st.one_of(
        st.builds(SystemMessage, TEXTS, TEXTS),
        st.builds(UserMessage, st.lists(st.builds(Text, TEXTS) | st.just(PIXEL), max_size=3).map(tuple)),
        st.builds(AssistantMessage, TEXTS, st.lists(CALLS, max_size=3).map(tuple), TEXTS, BLOCKS),
        st.builds(ToolMessage, IDS, TEXTS, TEXTS, st.sampled_from([(), (PIXEL,)])),
    ),
    max_size=10,
)


@given(MESSAGES)
def test_chat_completions(messages: list[Message]) -> None:
    dialect = dialect_of("deepseek", "deepseek-chat", "auto", {}, is_own_url=False)
    chat, tools = to_chat(messages, (TERMINAL,), dialect)
    assert check_history({"model": "deepseek-chat", "messages": chat, "tools": tools}) == []


@given(MESSAGES)
def test_responses(messages: list[Message]) -> None:
    dialect = dialect_of("openai", "gpt-5", "responses", {}, is_own_url=False)
    body = to_responses(messages, (TERMINAL,), dialect)
    json.dumps(body).encode()
    assert check_responses({"model": "gpt-5", **body}, Memory()) == []


@settings(max_examples=40)  # LiteLLM takes its time
@given(MESSAGES)
def test_anthropic(messages: list[Message]) -> None:
    dialect = dialect_of("anthropic", "claude-sonnet-4-5", "auto", {}, is_own_url=False)
    chat, tools = to_chat(messages, (TERMINAL,), dialect)
    options: dict[str, Any] = CLAUDE_CONFIG.map_openai_params(
        {"tools": tools, "max_tokens": 10}, {}, "claude-sonnet-4-5", False
    )
    body = CLAUDE_CONFIG.transform_request("claude-sonnet-4-5", chat, options, {}, {})
    assert check_messages(body, Memory()) == []


@settings(max_examples=40)
@given(MESSAGES)
def test_gemini(messages: list[Message]) -> None:
    model = "gemini-3-pro-preview"
    dialect = dialect_of("gemini", model, "auto", {}, is_own_url=False)
    chat, _ = to_chat(messages, (), dialect)
    contents = TO_GEMINI([message for message in chat if message["role"] != "system"], model)
    assert check_contents({"contents": contents}, model, Memory()) == []

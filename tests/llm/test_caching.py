"""What a provider has read once it need not read again: each request begins as the one before it did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from importlib import import_module
from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    JsonValue,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.llm.assemble import to_chat
from openhands_acp.llm.dialect import dialect_of
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.replies import Call, Reply, Thought
from tests.harness.replies import Text as Says
from tests.harness.rules import is_list, is_object
from tests.harness.waiting import PATIENCE
from tests.llm.asking import KEY, TERMINAL
from tests.llm.conversing import ANTHROPIC, CHAT, FAMILIES, Conversing
from tests.llm.growing import CHANGES, Change, grown

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

# Loosely typed, as what it gives is.
BEDROCK: Any = import_module("litellm.llms.bedrock.chat.converse_transformation").AmazonConverseConfig()
ROUND: list[Reply] = [
    [Thought("first", "seal-1"), Says("I look."), Call("terminal", {"command": "ls"}), Call("terminal")],
    [Thought("second", "seal-2"), Call("terminal", {"command": "cat a"})],
    [Says("Done.")],
    [Says("Yes.")],
]
PIECE = {"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}
YES = f"data: {json.dumps({'object': 'chat.completion.chunk', 'choices': [PIECE]})}\n\ndata: [DONE]\n\n"
IN_ORDER = ("tools", "system", "system_instruction", "instructions", "messages", "contents", "input")
"""The parts of a request that a cache holds, as providers read them."""


def without_marks(value: object) -> object:
    if is_object(value):
        return {name: without_marks(each) for name, each in value.items() if name != "cache_control"}
    return [without_marks(each) for each in value] if is_list(value) else value


def prefix(body: dict[str, Any]) -> str:
    """What the provider reads, without the brackets that close it: these move as it grows."""
    parts = [body[name] for name in IN_ORDER if name in body]
    return json.dumps(without_marks(parts)).rstrip("]}")


@pytest.mark.parametrize(
    "model",
    [*FAMILIES, "anthropic/claude-opus-4-6", "openai/claude-behind-a-proxy", "openrouter/anthropic/claude-sonnet-4.5"],
)
async def test_each_request_begins_with_the_whole_of_the_last(model: str) -> None:
    with Provider(*ROUND) as provider:
        conversing = Conversing(provider)
        for at in range(4):
            if at == 3:
                conversing.ask("sure?")
            await conversing.step(model)
        read = [prefix(request.body) for request in provider.requests]
    for earlier, later in pairwise(read):
        assert later.startswith(earlier)


async def sent_of(asking: Sequence[tuple[LiteLLM, list[Message]]], bodies: list[bytes]) -> list[bytes]:
    """Ask each model, and return what was sent."""
    with anyio.fail_after(PATIENCE):
        for model, messages in asking:
            async with aclosing(model.stream(messages, (TERMINAL,))) as chunks:
                assert [chunk async for chunk in chunks] != []
    return bodies


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("openai/fake-model", {"temperature": 0.5}),
        ("openai/o1-mini", {}),  # whose system prompt LiteLLM makes the person's
        ("openai/kimi-k2", {"top_k": 3}),
        ("openai/claude-behind-a-proxy", {}),
        ("openai/fake-model", {"ensure_alternating_roles": True}),
        ("openai/fake-model", {"parallel_tool_calls": False}),  # which it leaves out where there are no tools
        ("openai/fake-model", {"extra_body": {"tools": []}}),
    ],
)
@settings(max_examples=6, deadline=None)
@given(changes=st.lists(CHANGES, min_size=3, max_size=10))
def test_what_was_sent_before_is_sent_as_if_it_had_not_been(
    name: str, extra: dict[str, JsonValue], changes: list[Change]
) -> None:
    bodies: list[bytes] = []

    def reply(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=YES)

    def model() -> LiteLLM:
        return LiteLLM(
            ModelSettings(name, KEY, "http://127.0.0.1:1", extra=extra, api="chat"), httpx.MockTransport(reply)
        )

    remembers = model()
    asking = [(each, messages) for messages in grown(changes) for each in (remembers, model())]
    anyio.run(sent_of, asking, bodies)
    assert bodies[::2] == bodies[1::2]


def marked(value: object, path: str = "") -> list[str]:
    """Where there are marks."""
    if is_object(value):
        own = [path] if "cache_control" in value else []
        return own + [each for name, inner in value.items() for each in marked(inner, f"{path}/{name}")]
    inside = enumerate(value) if is_list(value) else ()
    return [each for at, inner in inside for each in marked(inner, f"{path}/{at}")]


async def test_anthropic_is_given_all_four_marks() -> None:
    with Provider(*ROUND) as provider:
        conversing = Conversing(provider)
        for _ in range(3):
            await conversing.step(ANTHROPIC)
        where = [marked(request.body) for request in provider.requests[:3]]
    assert [sorted(each) for each in where] == [
        ["/messages/0/content/0", "/system/0", "/system/1", "/tools/0"],
        ["/messages/0/content/0", "/messages/2/content/1", "/system/0", "/tools/0"],
        ["/messages/2/content/1", "/messages/4/content/0", "/system/0", "/tools/0"],
    ]


async def test_nobody_else_is_given_a_mark() -> None:
    with Provider([Says("hi")]) as provider:
        conversing = Conversing(provider)
        await conversing.step(CHAT)
        assert marked(provider.requests[0].body) == []


BATCH: list[Message] = [
    SystemMessage("static", ""),
    UserMessage((Text("hello"),)),
    AssistantMessage("", tuple(CallMade(f"c{at}", "terminal", "{}") for at in range(30))),
    *(ToolMessage(f"c{at}", "terminal", "ran") for at in range(30)),
]


@pytest.mark.parametrize(
    ("provider", "name", "where"),
    [
        # The last mark is 60 blocks away from what was cached before, of which a cache looks at 20.
        ("anthropic", "claude-sonnet-4-5", ["0/0/content/0", "0/1/content/0", "0/32", "1/0"]),
        ("bedrock", "us.anthropic.claude-opus-4-1-20250805-v1:0", ["0/0/content/0", "0/1/content/0", "0/32", "1/0"]),
        ("openrouter", "anthropic/claude-sonnet-4.5", ["0/0/content/0", "0/1/content/0", "0/32/content/0", "1/0"]),
        ("openai", "claude-behind-a-proxy", ["0/0/content/0", "0/1/content/0", "0/32/content/0", "1/0"]),
        ("openai", "gpt-4o", []),
        ("gemini", "gemini-2.5-pro", []),
    ],
)
def test_marks_are_where_the_last_request_ended_too(provider: str, name: str, where: list[str]) -> None:
    dialect = dialect_of(provider, name, "chat", {}, is_own_url=False)
    assert marked(list(to_chat(BATCH, (TERMINAL,), dialect))) == [f"/{each}" for each in where]


def test_bedrock_is_given_them_in_its_own_spelling() -> None:
    name = "us.anthropic.claude-opus-4-1-20250805-v1:0"
    chat, tools = to_chat(BATCH, (TERMINAL,), dialect_of("bedrock", name, "auto", {}, is_own_url=False))
    body = BEDROCK.transform_request(name, chat, BEDROCK.map_openai_params({"tools": tools}, {}, name, False), {}, {})
    point = {"cachePoint": {"type": "default"}}
    assert [each == point for each in body["toolConfig"]["tools"]] == [False, True]
    assert [each == point for each in body["system"]] == [False, True]
    assert [[part == point for part in message["content"]] for message in body["messages"]] == [
        [False, True],
        [False] * 30,
        [*([False] * 30), True],
    ]

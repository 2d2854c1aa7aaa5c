"""What a provider streams is what the engine reads."""

from __future__ import annotations

import json
from typing import Any

import anyio.to_thread
import pytest

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import SystemMessage
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from openhands_acp.llm.warming import prewarm
from tests.harness import replies as fake
from tests.harness.provider import Provider
from tests.harness.replies import Call, Chunks, Delta, Reply, Text, Thought
from tests.llm.asking import HELLO, KEY, answer, settings

pytestmark = pytest.mark.anyio

SIGNED: list[dict[str, Any]] = [
    {"reasoning_content": "a file ", "thinking_blocks": [{"type": "thinking", "thinking": "a file "}]},
    {"reasoning_content": "is missing", "thinking_blocks": [{"type": "thinking", "thinking": "is missing"}]},
    {"reasoning_content": "", "thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "sig1"}]},
    {"reasoning_content": "", "thinking_blocks": [{"type": "redacted_thinking", "data": "xyz"}]},
]


@pytest.mark.parametrize(
    ("reply", "chunks"),
    [
        pytest.param(
            [Text("Hel"), Text("lo "), Text("wörld \N{PARTY POPPER}")],
            [TextChunk("Hel"), TextChunk("lo "), TextChunk("wörld \N{PARTY POPPER}"), Finish("stop")],
            id="text",
        ),
        pytest.param(
            [Thought("I"), Thought(" see"), Text("Yes")],
            [ThoughtChunk("I"), ThoughtChunk(" see"), TextChunk("Yes"), Finish("stop")],
            id="thought before text",
        ),
        pytest.param(
            [Delta({"reasoning": "hm"}), Text("Yes")],
            [ThoughtChunk("hm"), TextChunk("Yes"), Finish("stop")],
            id="a thought as other servers spell it",
        ),
        pytest.param(
            [Call("terminal", id="a", pieces=("{", '"comm', 'and": "l', 's"}'))],
            [
                CallChunk(0, "a", "terminal"),
                CallChunk(0, arguments="{"),
                CallChunk(0, arguments='"comm'),
                CallChunk(0, arguments='and": "l'),
                CallChunk(0, arguments='s"}'),
                Finish("stop"),
            ],
            id="a call in odd pieces",
        ),
        pytest.param(
            [Text("Two:"), Call("one", {"x": 1}, id="a"), Call("two", id="b"), fake.Usage(1000, 20, cached=800)],
            [
                TextChunk("Two:"),
                CallChunk(0, "a", "one"),
                CallChunk(0, arguments='{"x": 1}'),
                CallChunk(1, "b", "two"),
                CallChunk(1, arguments="{}"),
                Finish("stop", Usage(1000, 20, 800, None)),
            ],
            id="text, two calls, usage",
        ),
        pytest.param(
            [
                Delta({"tool_calls": [{"index": 0, "id": i, "function": {"name": n, "arguments": "{}"}}]})
                for i, n in [("a", "one"), ("b", "two")]
            ],
            [CallChunk(0, "a", "one", "{}"), CallChunk(1, "b", "two", "{}"), Finish("stop")],
            id="two calls that both have index 0",
        ),
        pytest.param([Text("Once upon"), fake.Finish("length")], [TextChunk("Once upon"), Finish("length")], id="cut"),
        pytest.param(
            [Text("I"), fake.Finish("content_filter")], [TextChunk("I"), Finish("refusal")], id="refused half way"
        ),
        pytest.param(
            [Delta(each) for each in SIGNED],
            [ThoughtChunk("a file "), ThoughtChunk("is missing"), Finish("stop")],
            id="reasoning that is signed, by nobody known",
        ),
    ],
)
async def test_every_piece_arrives_as_it_was_sent(reply: Reply, chunks: list[Chunk]) -> None:
    with Provider(reply) as provider:
        assert await answer(LiteLLM(settings(provider))) == chunks


async def test_a_thousand_chunks_arrive_in_order() -> None:
    with Provider([Chunks(1000), fake.Usage(1, 1000)]) as provider:
        *texts, last = await answer(LiteLLM(settings(provider)))
    assert texts == [TextChunk(f"t{at} ") for at in range(1000)]
    assert last == Finish("stop", Usage(1, 1000))


async def test_a_known_model_has_its_price() -> None:
    with Provider([Text("hi"), fake.Usage(1000, 100)]) as provider:
        *_, last = await answer(LiteLLM(settings(provider, "openai/gpt-4o")))
    assert isinstance(last, Finish)
    assert last.usage is not None
    assert last.usage.cost_usd == pytest.approx(1000 * 2.5e-6 + 100 * 10e-6)


async def test_the_request_says_what_was_asked_and_nothing_else() -> None:
    with Provider([Text("hi")]) as provider:
        await answer(LiteLLM(settings(provider)), [SystemMessage("You are.", "Today."), *HELLO])
        request = await provider.request()
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "fake-model",
        "messages": [{"role": "system", "content": "You are.\n\nToday."}, {"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "terminal",
                    "description": "Run a command.",
                    "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
                },
            }
        ],
    }


async def test_more_arguments_of_a_person_reach_the_provider() -> None:
    with Provider([Text("hi")]) as provider:
        more = ModelSettings("openai/fake-model", KEY, provider.url, extra={"temperature": 0.5, "max_tokens": 7})
        await answer(LiteLLM(more))
        body = (await provider.request()).body
    assert (body["temperature"], body["max_tokens"]) == (0.5, 7)


async def test_one_connection_serves_one_request_after_the_other() -> None:
    with Provider([Text("one")], [Text("two")]) as provider:
        model = LiteLLM(settings(provider))
        first = [chunk async for chunk in model.stream(HELLO, ())]
        second = await answer(model)
    assert [*first, *second] == [TextChunk("one"), Finish("stop"), TextChunk("two"), Finish("stop")]
    assert provider.connections == 1


@pytest.mark.parametrize("model", [None, "claude-sonnet-4-5", "gemini/gemini-2.5-pro", "ollama_chat/m", "nobody's"])
async def test_prewarming_asks_nobody(model: str | None) -> None:
    await anyio.to_thread.run_sync(prewarm, model)


@pytest.mark.parametrize(
    ("settings", "window", "sees"),
    [
        (ModelSettings("gpt-4o"), 128_000, True),
        (ModelSettings("openai/gpt-4o", context_window=5_000), 5_000, True),
        (ModelSettings("anthropic/claude-sonnet-4-5"), 200_000, True),
        (ModelSettings("openai/fake-model"), None, False),
        (ModelSettings("nobody-knows-this"), None, False),
        (ModelSettings("ollama/llama3", base_url="http://127.0.0.1:9"), None, False),
    ],
)
async def test_what_is_known_of_a_model(settings: ModelSettings, window: int | None, sees: bool) -> None:
    model = LiteLLM(settings)
    assert (model.model, model.context_window, model.sees_images) == (settings.model, window, sees)


def test_the_key_is_not_in_the_settings_as_printed() -> None:
    assert KEY not in repr(ModelSettings("gpt-4o", KEY))


def test_a_script_reads_from_json() -> None:
    script: list[list[Any]] = [
        [{"text": "hi"}, {"call": {"name": "t", "pieces": ["{", "}"]}}, {"usage": {"prompt": 1, "completion": 2}}],
        [{"delta": {"x": 1}}, {"error": {"status": 500, "body": {}}}, "stall"],
    ]
    assert fake.load_script(json.dumps(script)) == [
        [Text("hi"), Call("t", pieces=("{", "}")), fake.Usage(1, 2)],
        [Delta({"x": 1}), fake.Error(500, {}), fake.Stall()],
    ]

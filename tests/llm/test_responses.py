"""OpenAI's Responses: what is streamed, what is asked, and when they are spoken at all."""

from __future__ import annotations

from typing import Any

import pytest

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.messages import Text as Said
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.dialect import dialect_of
from openhands_acp.llm.model import Api, ModelSettings
from openhands_acp.llm.responses import to_responses, with_arguments
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness import replies as fake
from tests.harness.provider import Provider
from tests.harness.refusals import openai_error
from tests.harness.replies import Broken, Call, Chunks, Cut, Event, Reply, Stall, Text, Thought
from tests.llm.asking import HELLO, KEY, PATIENT, answer, asked
from tests.llm.conversing import RESPONSES, Conversing

pytestmark = pytest.mark.anyio

RELAYED = "xai/grok-4.20-multi-agent"
"""A provider whose Responses LiteLLM reads."""


def model(provider: Provider, name: str = RESPONSES, **more: Any) -> LiteLLM:
    return LiteLLM(ModelSettings(name, KEY, provider.base_url(name), PATIENT, **more))


def kept(*items: dict[str, Any], provider: str = "openai", family: str = "gpt-5") -> dict[str, Any]:
    return {"form": "reasoning_items", "provider": provider, "family": family, "content": list(items)}


def item(**fields: Any) -> Event:
    return Event({"type": "response.output_item.done", **fields})


ROUND: Reply = [
    Thought("I "),
    Thought("see", "seal"),
    Text("Two"),
    Text(":"),
    Call("one", {"x": 1}, id="a"),
    Call("two", id="b", pieces=("{", '"y"', ": 2}")),
    fake.Usage(1000, 20, cached=800, reasoning=5),
]
THOUGHT = {
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "I see"}],
    "id": "rs_1",
    "encrypted_content": "seal",
}
ROUND_CHUNKS: list[Chunk] = [
    ThoughtChunk("I "),
    ThoughtChunk("see"),
    TextChunk("Two"),
    TextChunk(":"),
    CallChunk(0, "a", "one"),
    CallChunk(0, arguments='{"x": 1}'),
    CallChunk(1, "b", "two"),
    CallChunk(1, arguments="{"),
    CallChunk(1, arguments='"y"'),
    CallChunk(1, arguments=": 2}"),
]
ROUND_KEPT = (THOUGHT, {"type": "message", "length": 4}, {"type": "function_call"}, {"type": "function_call"})


@pytest.mark.parametrize(
    ("reply", "chunks"),
    [
        pytest.param(
            ROUND,
            [*ROUND_CHUNKS, Finish("stop", Usage(1000, 20, 800, 0.00055, reasoning_tokens=5), kept(*ROUND_KEPT))],
            id="thought, text, two calls, usage",
        ),
        pytest.param([Text("Once"), fake.Finish("length")], [TextChunk("Once"), Finish("length")], id="cut"),
        pytest.param(
            [Text("I"), fake.Finish("content_filter")], [TextChunk("I"), Finish("refusal")], id="refused half way"
        ),
        pytest.param(
            [Text("one"), Thought("hm", "seal"), Text("two"), Thought("ah", "more"), Text("three")],
            [
                TextChunk("one"),
                ThoughtChunk("hm"),
                TextChunk("\n\n"),
                TextChunk("two"),
                ThoughtChunk("\n\n"),
                ThoughtChunk("ah"),
                TextChunk("\n\n"),
                TextChunk("three"),
                Finish("stop"),
            ],
            id="messages and thoughts in turn",
        ),
        pytest.param(
            [
                item(output_index=0, item={"type": "reasoning", "id": "rs", "summary": [{"text": "hm"}]}),
                item(output_index=1, item={"type": "message", "content": [{"text": "Yes."}]}),
                item(
                    output_index=2,
                    item={"type": "function_call", "call_id": "a", "name": "one", "arguments": "{}"},
                ),
            ],
            [
                ThoughtChunk("hm"),
                TextChunk("Yes."),
                CallChunk(0, "a", "one"),
                CallChunk(0, arguments="{}"),
                Finish("stop"),
            ],
            id="whole items only",
        ),
        pytest.param(
            [Event({"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "hm"})],
            [ThoughtChunk("hm"), Finish("stop")],
            id="thoughts that are no summary",
        ),
        pytest.param(
            [Event({"type": "response.refusal.delta", "output_index": 0, "delta": "I cannot."})],
            [TextChunk("I cannot."), Finish("stop")],
            id="a refusal in words",
        ),
    ],
)
async def test_every_piece_arrives_as_it_was_sent(reply: Reply, chunks: list[Chunk]) -> None:
    with Provider(reply) as provider:
        *pieces, last = await answer(model(provider))
    *expected, end = chunks
    assert pieces == expected
    assert isinstance(last, Finish)
    assert isinstance(end, Finish)
    if end.usage is None:
        assert last.reason == end.reason
    else:
        assert last == end


async def test_litellm_reads_them_the_same_where_it_alone_knows_the_way() -> None:
    with Provider(ROUND) as provider:
        *pieces, last = await answer(model(provider, RELAYED))
    assert [chunk for chunk in pieces if chunk != CallChunk(0) and chunk != CallChunk(1)] == ROUND_CHUNKS
    assert isinstance(last, Finish)
    assert last.blocks == kept(*ROUND_KEPT, provider="xai", family="grok-4")
    assert last.usage is not None
    assert (last.usage.input_tokens, last.usage.cached_tokens, last.usage.reasoning_tokens) == (1000, 800, 5)


async def test_a_thousand_chunks_arrive_in_order() -> None:
    with Provider([Chunks(1000)]) as provider:
        *texts, _ = await answer(model(provider))
    assert texts == [TextChunk(f"t{at} ") for at in range(1000)]


async def test_one_connection_serves_one_request_after_the_other() -> None:
    with Provider([Text("one")], [Text("two")]) as provider:
        llm = model(provider)
        first = [chunk async for chunk in llm.stream(HELLO, ())]
        second = await answer(llm)
    assert [first[0], second[0]] == [TextChunk("one"), TextChunk("two")]
    assert provider.connections == 1


async def test_the_request_says_what_was_asked_and_nothing_else() -> None:
    with Provider([Text("hi")]) as provider:
        await answer(model(provider, thought_level="low"), [SystemMessage("You are.", "Today."), *HELLO])
        request = await provider.request()
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "gpt-5.1",
        "instructions": "You are.\n\nToday.",
        "input": [{"role": "user", "content": "hello"}],
        "tools": [
            {
                "type": "function",
                "name": "terminal",
                "description": "Run a command.",
                "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
                "strict": False,
            }
        ],
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
    }


async def test_a_model_that_does_not_reason_is_asked_for_no_reasoning() -> None:
    with Provider([Text("hi")]) as provider:
        await answer(model(provider, "openai/responses/gpt-4.1", thought_level="low"))
        body = (await provider.request()).body
    assert body.keys() & {"reasoning", "include"} == set()


@pytest.mark.parametrize(
    ("name", "known", "thinks"),
    [
        ("gpt-5", {"supports_reasoning": True}, True),
        ("gpt-4.1", {"supports_reasoning": None}, False),
        ("gpt-9", {}, True),
        ("my-model", {}, False),
        ("gpt-5-chat-latest", {"supports_reasoning": True}, False),
    ],
)
def test_who_reasons(name: str, known: dict[str, Any], thinks: bool) -> None:
    assert dialect_of("openai", name, "responses", known, is_own_url=False).thinks is thinks


async def test_an_organisation_that_may_not_see_thoughts_is_answered_without() -> None:
    text = "Your organization must be verified to generate reasoning summaries."
    refusal = openai_error(400, text, "unsupported_value")
    with Provider([refusal], [Text("one")], [Text("two")]) as provider:
        llm = model(provider, thought_level="low")
        said = [chunk async for chunk in llm.stream(HELLO, ())]
        await answer(llm)
        asked_for = [request.body["reasoning"] for request in provider.requests]
    assert said[0] == TextChunk("one")
    assert asked_for == [{"effort": "low", "summary": "auto"}, {"effort": "low"}, {"effort": "low"}]


async def test_reasoning_that_cannot_be_decrypted_is_left_out() -> None:
    """As after a change of the key to another organisation's."""
    text = "The encrypted content gAAA... could not be verified."
    refusal = openai_error(400, text, "invalid_encrypted_content")
    with Provider(ROUND, [refusal], [Text("Yes.")]) as provider:
        conversing = Conversing(provider)
        await conversing.step(RESPONSES)
        said = await conversing.step(RESPONSES)
        kinds = [[item.get("type") for item in request.body["input"]] for request in provider.requests[1:]]
    assert said.text == "Yes."
    assert kinds[0] == [None, "reasoning", "message", *["function_call"] * 2, *["function_call_output"] * 2]
    assert kinds[1] == [None, "message", *["function_call"] * 2, *["function_call_output"] * 2]


@pytest.mark.parametrize("reply", [[Broken("server")], [Text("Once"), Broken("overloaded")], [Text("Once"), Cut()]])
async def test_a_failure_in_mid_stream_is_one(reply: Reply) -> None:
    with Provider(reply) as provider, pytest.raises(TurnError):
        await answer(model(provider))


async def test_closing_in_mid_stream_hangs_up() -> None:
    with Provider([Text("Once"), Stall()]) as provider:
        async with asked(model(provider)) as stream:
            assert await anext(stream) == TextChunk("Once")
            await stream.aclose()
            await (await provider.request()).until_hung_up()


# ---------------------------------------------------------------- spelling

PIXEL = Image("image/png", "iVBO")
SEEN = {"type": "input_image", "image_url": "data:image/png;base64,iVBO"}


def test_images_stay_in_the_results_of_calls() -> None:
    history: list[Message] = [
        UserMessage((Said("see"), PIXEL)),
        AssistantMessage("", (CallMade("a", "look", "{}"),)),
        ToolMessage("a", "look", "this", (PIXEL,)),
    ]
    body = to_responses(history, (), dialect_of("openai", "gpt-5", "auto", GPT5, is_own_url=False))
    assert body["input"] == [
        {"role": "user", "content": [{"type": "input_text", "text": "see"}, SEEN]},
        {"type": "function_call", "call_id": "a", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "this"}, SEEN]},
    ]


@pytest.mark.parametrize(
    ("more", "thinks", "fields"),
    [
        ({"max_tokens": 7, "temperature": 0.5}, False, {"max_output_tokens": 7, "temperature": 0.5}),
        (
            {"max_completion_tokens": 7, "temperature": 0.5, "seed": 1, "verbosity": "low", "reasoning_effort": "high"},
            True,
            {
                "max_output_tokens": 7,
                "text": {"verbosity": "low"},
                "include": ["reasoning.encrypted_content"],
                "reasoning": {"summary": "auto", "effort": "high"},
            },
        ),
    ],
)
def test_a_persons_arguments_are_translated(more: dict[str, Any], thinks: bool, fields: dict[str, Any]) -> None:
    assert with_arguments({}, more, thinks=thinks, summarises=True) == fields


# ---------------------------------------------------------------- when

GPT5 = {"mode": "chat", "supports_reasoning": True, "supported_endpoints": ["/v1/chat/completions", "/v1/responses"]}
CODEX = {"mode": "responses", "supports_reasoning": True, "supported_endpoints": ["/v1/responses"]}
GPT4 = {"mode": "chat", "supported_endpoints": ["/v1/chat/completions", "/v1/responses"]}


@pytest.mark.parametrize(
    ("model", "api", "known", "is_own_url", "spoken"),
    [
        ("openai/gpt-5", "auto", GPT5, False, "responses"),
        ("openai/gpt-5", "chat", GPT5, False, "chat"),
        ("openai/gpt-5", "auto", GPT5, True, "chat"),
        ("openai/gpt-5", "responses", GPT5, True, "responses"),
        ("openai/gpt-5.1-codex", "auto", CODEX, False, "responses"),
        ("openai/gpt-5.1-codex", "auto", CODEX, True, "chat"),
        ("openai/gpt-4.1", "auto", GPT4, False, "chat"),
        ("openai/gpt-4.1", "responses", GPT4, False, "responses"),
        ("openai/gpt-9-new", "auto", {}, False, "responses"),
        ("openai/my-model", "auto", {}, False, "chat"),
        ("azure/gpt-5", "auto", GPT5, True, "responses"),
        ("azure/my-deployment", "auto", {}, True, "chat"),
        ("github_copilot/gpt-5.5", "auto", CODEX, False, "responses"),
        ("openrouter/openai/gpt-5", "auto", GPT5, False, "chat"),
        ("anthropic/claude-sonnet-4-5", "auto", {"mode": "chat", "supports_reasoning": True}, False, "chat"),
    ],
)
def test_they_are_spoken_where_the_model_wants_them(
    model: str, api: Api, known: dict[str, Any], is_own_url: bool, spoken: str
) -> None:
    provider, _, name = model.partition("/")
    assert dialect_of(provider, name, api, known, is_own_url=is_own_url).api == spoken

"""Four protocols, one engine: what a model says is the same, whoever it is, and a conversation goes on in each."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import AssistantMessage, CallMade, Message, Text, ToolMessage, UserMessage
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness import replies as fake
from tests.harness.provider import Provider
from tests.harness.replies import Call, Chunks, Redacted, Reply, Thought
from tests.llm.asking import HELLO, KEY, PATIENT, answer

pytestmark = pytest.mark.anyio

MODELS = ["openai/gpt-x", "openai/responses/gpt-x", "anthropic/claude-x", "gemini/gemini-x"]
MORE = ["ollama_chat/qwen-x", "azure/my-gpt"]
"""Which count nothing of a cache, and refuse nothing half way."""


def model(name: str, provider: Provider) -> LiteLLM:
    return LiteLLM(ModelSettings(name, KEY, provider.base_url(name), PATIENT))


def said(chunks: Iterable[Chunk]) -> tuple[str, str, list[tuple[str, str]], str]:
    """What came of `chunks`: thoughts, text, calls as name and arguments, and why it ended."""
    thoughts, text, reason = "", "", ""
    calls: dict[int, tuple[str, str]] = {}
    for chunk in chunks:
        match chunk:
            case ThoughtChunk():
                thoughts += chunk.text
            case TextChunk():
                text += chunk.text
            case CallChunk():
                name, arguments = calls.get(chunk.index, ("", ""))
                calls[chunk.index] = (name + chunk.name, arguments + chunk.arguments)
            case Finish():
                reason = chunk.reason
            case _:
                raise AssertionError(chunk)
    return thoughts, text, list(calls.values()), reason


NONE: list[tuple[str, str]] = []


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("reply", "whole"),
    [
        pytest.param(
            [fake.Text("Hel"), fake.Text("lo "), fake.Text("wörld")], ("", "Hello wörld", NONE, "stop"), id="text"
        ),
        pytest.param([Thought("I "), Thought("see"), fake.Text("Yes")], ("I see", "Yes", NONE, "stop"), id="a thought"),
        pytest.param(
            [Thought("I see", "c2lnMQ=="), Call("terminal", {"command": "ls"})],
            ("I see", "", [("terminal", '{"command": "ls"}')], "stop"),
            id="a signed thought and a call",
        ),
        pytest.param(
            [Redacted("xyz"), fake.Text("Yes")], ("", "Yes", NONE, "stop"), id="a thought that nobody may read"
        ),
        pytest.param(
            [fake.Text("Two:"), Call("terminal", {"command": "ls"}), Call("terminal", {"command": "pwd"})],
            ("", "Two:", [("terminal", '{"command": "ls"}'), ("terminal", '{"command": "pwd"}')], "stop"),
            id="text and two calls",
        ),
        pytest.param(
            [Call("terminal", pieces=('{"comm', 'and": "l', 's"}'))],
            ("", "", [("terminal", '{"command": "ls"}')], "stop"),
            id="a call in pieces",
        ),
        pytest.param(
            [fake.Text("Once upon"), fake.Finish("length")], ("", "Once upon", NONE, "length"), id="cut short"
        ),
        pytest.param(
            [fake.Text("I"), fake.Finish("content_filter")], ("", "I", NONE, "refusal"), id="refused half way"
        ),
        pytest.param([Chunks(50)], ("", "".join(f"t{at} " for at in range(50)), NONE, "stop"), id="many"),
    ],
)
async def test_what_is_said_is_the_same_in_every_protocol(
    name: str, reply: Reply, whole: tuple[str, str, list[tuple[str, str]], str]
) -> None:
    with Provider(reply) as provider:
        chunks = await answer(model(name, provider))
    assert said(chunks) == whole


@pytest.mark.parametrize("name", MODELS)
async def test_what_was_used_is_the_same_in_every_protocol(name: str) -> None:
    with Provider([fake.Text("hi"), fake.Usage(100, 20, cached=40)]) as provider:
        last = (await answer(model(name, provider)))[-1]
    assert isinstance(last, Finish)
    assert isinstance(last.usage, Usage)
    assert (last.usage.input_tokens, last.usage.output_tokens, last.usage.cached_tokens) == (100, 20, 40)


@pytest.mark.parametrize("name", MORE)
async def test_a_conversation_goes_on_with_servers_of_their_own_kind(name: str) -> None:
    first: Reply = [fake.Text("Two:"), Call("terminal", {"command": "ls"}), Call("terminal", {"command": "pwd"})]
    with Provider([*first, fake.Usage(100, 20)], [fake.Text("done")], key=KEY) as provider:
        chunks = await answer(model(name, provider))
        last = await answer(model(name, provider), [*HELLO, *_made(chunks)])
    calls = [("terminal", '{"command": "ls"}'), ("terminal", '{"command": "pwd"}')]
    assert (said(chunks), said(last)) == (("", "Two:", calls, "stop"), ("", "done", NONE, "stop"))
    assert isinstance(finish := chunks[-1], Finish)
    assert isinstance(finish.usage, Usage)
    assert (finish.usage.input_tokens, finish.usage.output_tokens) == (100, 20)


@pytest.mark.parametrize("name", MORE)
async def test_with_them_too_an_answer_that_was_cut_off_is_not_taken_for_a_whole_one(name: str) -> None:
    with Provider([fake.Text("Hel"), fake.Cut()]) as provider, pytest.raises(TurnError) as raised:
        await answer(model(name, provider))
    assert (raised.value.code, raised.value.can_retry) == ("network", True)


@pytest.mark.parametrize("name", MODELS)
async def test_a_conversation_goes_on_in_every_protocol(name: str) -> None:
    """The provider refuses a history that a real one would, signatures and all."""
    first: Reply = [
        Thought("I see", "c2lnMQ=="),
        fake.Text("I look"),
        Call("terminal", {"command": "ls"}),
        Call("terminal", {"command": "pwd"}),
    ]
    second: Reply = [Thought("now", "c2lnMg=="), Call("terminal", {"command": "cat a"})]
    history: list[Message] = list(HELLO)
    with Provider(first, second, [fake.Text("done")], [fake.Text("bye")]) as provider:
        for _step in range(2):
            chunks = await answer(model(name, provider), history)
            history += _made(chunks)
        last = await answer(model(name, provider), history)
        history += [AssistantMessage("done"), UserMessage((Text("bye"),))]
        await answer(model(name, provider), history)
    assert said(last)[1] == "done"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("other", MODELS)
async def test_a_conversation_goes_on_with_another_model(name: str, other: str) -> None:
    reply: Reply = [Thought("I see", "c2lnMQ=="), fake.Text("I look"), Call("terminal", {"command": "ls"})]
    with Provider(reply, [fake.Text("done")]) as provider:
        history = [*HELLO, *_made(await answer(model(name, provider)))]
        last = await answer(model(other, provider), history)
    assert said(last)[1] == "done"


def _made(chunks: list[Chunk]) -> list[Message]:
    """The messages that the engine would make of an answer and of running its calls."""
    thoughts, text, calls, _reason = said(chunks)
    idents = {chunk.index: chunk.id for chunk in chunks if isinstance(chunk, CallChunk) and chunk.id}
    blocks = next(chunk.blocks for chunk in chunks if isinstance(chunk, Finish))
    made = tuple(CallMade(idents[at], name, arguments) for at, (name, arguments) in enumerate(calls))
    results = [ToolMessage(call.id, call.name, "a.py") for call in made]
    return [AssistantMessage(text, made, thoughts, blocks), *results]

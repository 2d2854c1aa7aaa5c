"""Whatever a provider does wrong, the person reads one sentence: who, which model, why, what to do."""

from __future__ import annotations

import gc
import logging
import socket
from collections.abc import Iterator

import anyio
import pytest

from openhands_acp.engine.ports import CallChunk, Chunk, TextChunk
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import Deadlines, ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.replies import Call, Cut, Delta, Error, Event, Reply, Reset, Stall, Text, openai_error
from tests.llm.asking import BRIEF, KEY, answer, asked, settings

pytestmark = pytest.mark.anyio

AGAIN = "then send the prompt again."


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No library prints, logs or leaves a task's exception behind."""
    caplog.set_level(logging.WARNING)
    yield
    gc.collect(1)
    assert capfd.readouterr() == ("", "")
    assert caplog.messages == []


async def failure(model: LiteLLM) -> TurnError:
    with pytest.raises(TurnError) as caught:
        await answer(model)
    return caught.value


async def collect(model: LiteLLM, got: list[Chunk]) -> None:
    async with asked(model) as stream:
        async for chunk in stream:
            got += [chunk]


OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (
            openai_error(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key"),
            "auth",
            "The server at HOST refused the key for fake-model (401): Incorrect API key provided: ***. "
            f"Set LLM_API_KEY or run `openhands-acp setup`, {AGAIN}",
        ),
        (
            openai_error(403, "You are not allowed to sample from this model."),
            "auth",
            "The server at HOST does not let this key use fake-model (403): You are not allowed to sample from this "
            f"model. Use another key or another model, {AGAIN}",
        ),
        (
            openai_error(404, "The model `fake-model` does not exist.", "model_not_found"),
            "model",
            "The server at HOST has no model fake-model (404): The model `fake-model` does not exist. "
            f"Check the name in LLM_MODEL or choose another model, {AGAIN}",
        ),
        (
            openai_error(429, "Rate limit reached for requests.", Retry_After="7"),
            "rate_limit",
            "The server at HOST limits how often fake-model may be asked (429): Rate limit reached for requests. "
            f"Wait 7 s, {AGAIN}",
        ),
        (
            openai_error(429, "You exceeded your current quota, please check your plan.", "insufficient_quota"),
            "quota",
            "The server at HOST says that the quota for fake-model is used up (429): You exceeded your current quota, "
            f"please check your plan. Add credit or choose another model, {AGAIN}",
        ),
        (
            openai_error(402, "Insufficient Balance"),
            "quota",
            "The server at HOST says that the quota for fake-model is used up (402): Insufficient Balance. "
            f"Add credit or choose another model, {AGAIN}",
        ),
        (
            openai_error(500, "The server had an error."),
            "network",
            "The server at HOST failed while running fake-model (500): The server had an error. "
            f"Wait a little, {AGAIN}",
        ),
        (
            Error(529, OVERLOADED),
            "rate_limit",
            f"The server at HOST is overloaded and did not run fake-model (529): Overloaded. Wait a little, {AGAIN}",
        ),
        (
            openai_error(
                400,
                "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
                "context_length_exceeded",
            ),
            "context",
            "The conversation has become longer than fake-model at the server at HOST can read (400): This model's "
            "maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
            "Start a new session, or choose a model with a larger context window.",
        ),
        (
            openai_error(400, "Unsupported value: 'temperature'."),
            "request",
            "The server at HOST refused the request to fake-model (400): Unsupported value: 'temperature'. "
            f"Choose another model, or start a new session, {AGAIN}",
        ),
        (
            Error(502, {"html": "<h1>Bad gateway</h1>"}),
            "network",
            None,
        ),
    ],
)
async def test_a_refusal_says_who_why_and_what_to_do(error: Error, code: str, detail: str | None) -> None:
    with Provider([error]) as provider:
        told = await failure(LiteLLM(settings(provider)))
        assert len(provider.requests) == 1
        host = provider.url.removeprefix("http://").removesuffix("/v1")
    if detail is not None:
        assert told.detail == detail.replace("HOST", host)
    assert told.code == code
    assert KEY not in told.detail


async def test_a_wrong_key_is_refused() -> None:
    with Provider(key="sk-right") as provider:
        told = await failure(LiteLLM(settings(provider, key="sk-wrong")))
    assert told.code == "auth"
    assert "sk-" not in told.detail


@pytest.mark.parametrize(
    ("reply", "seen", "code", "phrase"),
    [
        pytest.param([Stall()], [], "timeout", "accepted the request, but fake-model sent nothing", id="no headers"),
        pytest.param(
            [Delta({"role": "assistant", "content": ""}), Stall()],
            [],
            "timeout",
            "accepted the request, but fake-model sent nothing",
            id="only a role",
        ),
        pytest.param(
            [Text("Once"), Stall()], [TextChunk("Once")], "timeout", "fake-model was silent for 0.3 s", id="mid-stream"
        ),
        pytest.param([Reset()], [], "network", "could not be reached for fake-model", id="reset at once"),
        pytest.param(
            [Call("terminal", id="a", pieces=('{"com',)), Reset()],
            [CallChunk(0, "a", "terminal"), CallChunk(0, arguments='{"com')],
            "network",
            "broke while fake-model was answering",
            id="reset in a call",
        ),
        pytest.param(
            [Text("Once"), Cut()],
            [TextChunk("Once")],
            "network",
            "broke while fake-model was answering: it ended before the answer did",
            id="an end that is none",
        ),
    ],
)
async def test_a_silence_or_a_reset_ends_in_one_sentence(
    reply: Reply, seen: list[Chunk], code: str, phrase: str
) -> None:
    got: list[Chunk] = []
    with Provider(reply) as provider:
        with pytest.raises(TurnError) as caught:
            await collect(LiteLLM(settings(provider, deadlines=BRIEF)), got)
        host = provider.url.removeprefix("http://").removesuffix("/v1")
    told = caught.value
    assert got == seen
    assert told.code == code
    assert phrase in told.detail
    assert host in told.detail
    assert told.detail.endswith(AGAIN)


async def test_an_error_in_the_stream_is_told_in_the_providers_words() -> None:
    with Provider([Text("Once"), Event({"error": {"message": "CUDA out of memory", "code": 500}})]) as provider:
        told = await failure(LiteLLM(settings(provider)))
        host = provider.url.removeprefix("http://").removesuffix("/v1")
    assert (told.code, told.detail) == (
        "network",
        f"The server at {host} failed while running fake-model (500): CUDA out of memory. Wait a little, {AGAIN}",
    )


async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        told = await failure(LiteLLM(ModelSettings("openai/fake-model", KEY, f"http://127.0.0.1:{port}/v1")))
    assert (told.code, told.detail) == (
        "network",
        f"The server at 127.0.0.1:{port} could not be reached for fake-model: connection refused. "
        f"Check that it runs and that LLM_BASE_URL is right, {AGAIN}",
    )


async def test_a_connection_that_does_not_come_about() -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for filler in (first, second):  # the queue is full now: nobody answers a third
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        port = deaf.getsockname()[1]
        limits = Deadlines(connect=0.3, first_token=5, between_chunks=5)
        told = await failure(LiteLLM(ModelSettings("openai/fake-model", KEY, f"http://127.0.0.1:{port}/v1", limits)))
    assert (told.code, told.detail) == (
        "timeout",
        f"The server at 127.0.0.1:{port} could not be reached for fake-model: no connection within 0.3 s. "
        f"Check the network and LLM_BASE_URL, or raise the `connect` deadline, {AGAIN}",
    )


async def test_a_model_of_no_known_provider() -> None:
    told = await failure(LiteLLM(ModelSettings("nobody-knows-this", KEY)))
    assert (told.code, told.detail) == (
        "model",
        "No provider is known for the model 'nobody-knows-this'. Write it as `provider/name`, for example "
        f"`openai/nobody-knows-this`, {AGAIN}",
    )


async def test_the_next_prompt_after_a_failure_succeeds() -> None:
    with Provider([Text("Once"), Reset()], [Text("hi")]) as provider:
        model = LiteLLM(settings(provider))
        with anyio.fail_after(10), pytest.raises(TurnError):
            _ = [chunk async for chunk in model.stream([], ())]
        assert (await answer(model))[0] == TextChunk("hi")

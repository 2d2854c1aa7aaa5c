"""Whatever a provider does wrong, the person reads one sentence: who, which model, why, what to do."""

from __future__ import annotations

import gc
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import replace

import anyio
import pytest

from openhands_acp.engine.ports import CallChunk, Chunk, TextChunk
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.replies import Call, Chunks, Cut, Delta, Error, Refusal, Reply, Reset, Stall, Text
from tests.harness.waiting import PATIENCE
from tests.llm.asking import KEY, PATIENT, answer, asked, settings

pytestmark = pytest.mark.anyio

AGAIN = "then send the prompt again."
AGAIN_LATER = (408, 409, 429, 500, 502, 503, 504, 529)


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
    # The one deadline that is to be met: of the others, a busy machine would make another failure.
    limits = PATIENT if code != "timeout" else replace(PATIENT, **{"between_chunks" if seen else "first_token": 0.3})
    with Provider(reply) as provider:
        with pytest.raises(TurnError) as caught:
            await collect(LiteLLM(settings(provider, deadlines=limits)), got)
        host = provider.url.removeprefix("http://").removesuffix("/v1")
    told = caught.value
    assert got == seen
    assert told.code == code
    assert phrase in told.detail
    assert host in told.detail
    assert told.detail.endswith(AGAIN)


@pytest.mark.parametrize(
    ("status", "can_retry"),
    [(400, False), (401, False), (403, False), (404, False), *((status, True) for status in AGAIN_LATER)],
)
@pytest.mark.parametrize("model", ["openai/gpt-x", "openai/responses/gpt-x", "anthropic/claude-x", "gemini/gemini-x"])
async def test_what_may_be_over_soon_is_tried_again(model: str, status: int, can_retry: bool) -> None:
    with Provider([Error(status, {"error": {"message": "no"}})]) as provider:
        told = await failure(LiteLLM(ModelSettings(model, KEY, provider.base_url(model), PATIENT)))
        assert (told.can_retry, len(provider.requests)) == (can_retry, 1)


async def test_an_answer_that_never_ends_is_ended() -> None:
    limits = replace(PATIENT, whole=1)
    got: list[Chunk] = []
    with Provider(script=lambda _body: [Chunks(1_000_000)]) as provider:
        with pytest.raises(TurnError) as caught:
            await collect(LiteLLM(settings(provider, deadlines=limits)), got)
        await (await provider.request()).until_hung_up()
        host = provider.url.removeprefix("http://").removesuffix("/v1")
    assert got[0] == TextChunk("t0 ")
    assert (caught.value.code, caught.value.can_retry, caught.value.detail) == (
        "timeout",
        False,
        f"The server at {host} was still sending after 1 s: fake-model did not come to the end of its answer. "
        f"Check whether the model repeats itself, or raise the `whole` deadline, {AGAIN}",
    )


@pytest.mark.parametrize(
    ("model", "refusal", "code", "wait"),
    [
        ("openai/gpt-x", Refusal("rate_limit", 2.5), "rate_limit", 2.5),
        ("openai/gpt-x", Refusal("rate_limit", 7200), "quota", 7200),
        ("openai/responses/gpt-x", Refusal("rate_limit", 2.5), "rate_limit", 2.5),
        ("anthropic/claude-x", Refusal("rate_limit", 7200), "quota", 7200),
        ("anthropic/claude-x", Refusal("quota", 90000), "quota", 90000),
        ("gemini/gemini-x", Refusal("rate_limit", 41.5), "rate_limit", 41.5),
        ("gemini/gemini-x", Refusal("quota", 41), "quota", None),
        ("gemini/gemini-x", Refusal("quota", 7200), "quota", 7200),
    ],
)
async def test_what_is_lifted_soon_is_a_limit_and_what_is_not_a_quota(
    model: str, refusal: Refusal, code: str, wait: float | None
) -> None:
    with Provider([refusal]) as provider:
        told = await failure(LiteLLM(ModelSettings(model, KEY, provider.base_url(model), PATIENT)))
    # Anthropic tells the minute at which a quota is given back.
    assert (told.code, told.wait) == (code, wait if wait is None else pytest.approx(wait, abs=61))
    assert told.can_retry == (code == "rate_limit")


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
        limits = replace(PATIENT, connect=0.3)
        told = await failure(LiteLLM(ModelSettings("openai/fake-model", KEY, f"http://127.0.0.1:{port}/v1", limits)))
    assert (told.code, told.detail) == (
        "timeout",
        f"The server at 127.0.0.1:{port} could not be reached for fake-model: no connection within 0.3 s. "
        f"Check the network and LLM_BASE_URL, or raise the `connect` deadline, {AGAIN}",
    )


@pytest.mark.parametrize(
    "model", ["openai/x", "openai/responses/x", "anthropic/claude-x", "gemini/gemini-x", "groq/x", "cerebras/x"]
)
async def test_an_answer_that_was_cut_off_is_never_taken_for_a_whole_one(model: str) -> None:
    told: list[tuple[str, bool, str]] = []
    for reply in ([Text("Once"), Cut()], [Call("terminal", {"command": "ls"}), Cut()], [Refusal("empty")]):
        with Provider(reply) as provider:
            found = await failure(LiteLLM(ModelSettings(model, KEY, provider.base_url(model), PATIENT)))
            host = provider.url.removeprefix("http://").removesuffix("/v1")
        told.append((found.code, found.can_retry, found.detail.replace(host, "HOST")))
    name = model.rpartition("/")[2]
    broke = f"The connection to the server at HOST broke while {name} was answering: it ended before the answer did. "
    nothing = f"The server at HOST answered the request to {name} with nothing: it ended before the answer did. "
    assert told == [
        ("network", True, f"{broke}Check the network, {AGAIN}"),
        ("network", True, f"{broke}Check the network, {AGAIN}"),
        ("network", True, f"{nothing}Wait a little, {AGAIN}"),
    ]


@pytest.mark.parametrize(
    ("asked_for", "code", "start", "end"),
    [
        (
            ModelSettings("gemini/gemini-x"),
            "auth",
            "There is no key for gemini-x at Google Gemini: Missing Gemini API key.",
            f"Set LLM_API_KEY or run `openhands-acp setup`, {AGAIN}",
        ),
        (
            ModelSettings("cerebras/x"),
            "auth",
            "There is no key for x at cerebras: Missing credentials.",
            f"Set LLM_API_KEY or run `openhands-acp setup`, {AGAIN}",
        ),
        (
            ModelSettings("anthropic/claude-x"),
            "auth",
            "There is no key for claude-x at Anthropic (401): Missing Anthropic API Key",
            f"Set LLM_API_KEY or run `openhands-acp setup`, {AGAIN}",
        ),
        (
            ModelSettings("gemini/gemini-x", KEY, extra={"logit_bias": {}}),
            "request",
            "Google Gemini refused the request to gemini-x (400): gemini does not support parameters: ['logit_bias']",
            f"Choose another model, or start a new session, {AGAIN}",
        ),
        (
            ModelSettings("openai/x", KEY, "somewhere"),
            "request",
            "No request could be made to OpenAI for x: its address is to begin with http:// or https://.",
            f"Check LLM_BASE_URL, {AGAIN}",
        ),
        (
            ModelSettings("vertex_ai/gemini-x", KEY),
            "internal",
            "The request to gemini-x at Google Vertex AI failed unexpectedly: ",
            f"Check the settings, {AGAIN}",
        ),
    ],
)
async def test_what_is_never_sent_is_told_too(
    asked_for: ModelSettings, code: str, start: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_AUTH_TOKEN"))]:
        monkeypatch.delenv(name)
    told = await failure(LiteLLM(asked_for))
    assert (told.code, told.can_retry, told.detail[: len(start)], told.detail[-len(end) :]) == (code, False, start, end)


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
        with anyio.fail_after(PATIENCE), pytest.raises(TurnError):
            _ = [chunk async for chunk in model.stream([], ())]
        assert (await answer(model))[0] == TextChunk("hi")

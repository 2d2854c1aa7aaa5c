"""Whoever tells how much a model reads is asked, at the model's own address, and what they say is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from openhands_acp.llm import provider_limits
from openhands_acp.llm.model import ModelSettings, Told
from openhands_acp.llm.provider_limits import address_of, limits_in, questions, told
from openhands_acp.llm.via_litellm import LiteLLM, ask_for_limits
from openhands_acp.llm.web import fetched
from tests.harness import tells_models as telling
from tests.harness.model_server import ModelServer, dribbles
from tests.harness.provider import Provider
from tests.harness.replies import Error, Reply, Reset, Stall, Text
from tests.harness.waiting import PATIENCE
from tests.llm.asking import KEY, answer

Tells = Mapping[str, Reply]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have providers asked for as long as a busy machine takes."""
    monkeypatch.setattr(provider_limits, "PATIENCE", PATIENCE)


def bodies(tells: Tells) -> list[Any]:
    return [step.body for reply in tells.values() for step in reply if isinstance(step, Error)]


@pytest.mark.parametrize(
    ("said", "model", "expected"),
    [
        (telling.anthropic("claude-x", 1_000_000, 64_000), "claude-x", Told(1_000_000, 64_000)),
        (telling.anthropic("claude-x", None, 64_000), "claude-x", Told(None, 64_000)),
        (telling.gemini("gemini-x", 1_048_576), "gemini-x", Told(1_048_576)),
        (telling.openrouter("vendor/model", 262_144, 131_072), "vendor/model", Told(262_144)),
        (telling.openrouter("vendor/model", None, 131_072), "vendor/model", Told(131_072)),
        (telling.openrouter("vendor/model", 262_144, None), "vendor/model:nitro", Told(262_144)),
        (telling.openrouter("vendor/model", 262_144, None), "vendor/third", Told()),
        (telling.mistral("devstral", 256_000), "devstral", Told(256_000)),
        (telling.mistral("devstral", 256_000), "devstral-2512", Told(256_000)),
        (telling.groq("llama-x", 131_072), "llama-x", Told(131_072)),
        (telling.together("vendor/model", 65_536), "vendor/model", Told(65_536)),
        (telling.vllm("Qwen/Qwen3", 40_960), "Qwen/Qwen3", Told(40_960)),
        # What it was trained with is none of what it reads here.
        (telling.llama_cpp(16_384), "whatever", Told(16_384)),
    ],
)
def test_each_provider_is_understood(said: Tells, model: str, expected: Told) -> None:
    (body,) = bodies(said)
    assert limits_in(body, model, "max_tokens") == expected


@pytest.mark.parametrize(
    ("windows", "window"),
    [((200_000,), 200_000), ((200_000, 128_000), 128_000), ((None, 9_000), 9_000), ((None,), None)],
)
def test_of_several_deployments_the_smallest_counts(windows: tuple[int | None, ...], window: int | None) -> None:
    _listed, info = bodies(telling.litellm_proxy("claude-x", *windows))
    assert limits_in(info, "claude-x") == Told(window)


@pytest.mark.parametrize(
    "body",
    [
        *(None, 5, "text", [], {}, [5, None], {"data": 5}, {"data": [5, "m", {"id": 5}]}, {"error": {"code": 404}}),
        *({"id": "m", "context_length": odd} for odd in (True, "9000", 0, -1, 0.5, 1e15, float("inf"), None, [9])),
    ],
)
def test_what_is_none_of_it_tells_nothing(body: object) -> None:
    assert limits_in(body, "m") == Told()


def test_a_number_may_be_spelt_with_a_point() -> None:
    assert limits_in({"id": "m", "max_input_tokens": 16385.0}, "m") == Told(16_385)


@pytest.mark.parametrize(
    ("provider", "base", "environ", "urls"),
    [
        ("anthropic", None, {}, ["https://api.anthropic.com/v1/models/m"]),
        ("anthropic", "https://a.example/v1/messages", {}, ["https://a.example/v1/models/m"]),
        ("anthropic", None, {"ANTHROPIC_BASE_URL": "https://a.example/"}, ["https://a.example/v1/models/m"]),
        ("gemini", None, {}, ["https://generativelanguage.googleapis.com/v1beta/models/m"]),
        ("openrouter", None, {}, ["https://openrouter.ai/api/v1/models"]),
        ("groq", "https://api.groq.com/openai/v1", {}, ["https://api.groq.com/openai/v1/models"]),
        ("openai", "https://o.example/v1", {}, ["https://o.example/v1/models", "https://o.example/v1/model/info"]),
        ("openai", None, {}, []),
        ("openai", "https://eu.api.openai.com/v1", {}, []),
        ("litellm_proxy", "https://l.example", {}, ["https://l.example/model/info"]),
        ("litellm_proxy", None, {}, []),
        # They do not tell, or have no such list.
        ("azure", "https://a.example", {}, []),
        ("bedrock", None, {}, []),
        ("ollama_chat", "http://o.example", {}, []),
    ],
)
def test_a_question_goes_where_the_model_is_asked(
    provider: str, base: str | None, environ: dict[str, str], urls: list[str]
) -> None:
    asked = questions(provider, "m", address_of(provider, base, environ), KEY, {"x-team": "ours"})
    assert [question.url for question in asked] == urls
    assert all(question.headers["x-team"] == "ours" for question in asked)
    assert KEY not in repr(asked)


OWN: list[tuple[str, Tells, Told, list[tuple[str, str]]]] = [
    (
        "anthropic/claude-x",
        telling.anthropic("claude-x", 400_000, 64_000),
        Told(400_000, 64_000),
        [("/v1/models/claude-x", "x-api-key")],
    ),
    (
        "gemini/gemini-x",
        telling.gemini("gemini-x", 900_000),
        Told(900_000),
        [("/v1beta/models/gemini-x", "x-goog-api-key")],
    ),
    (
        "openrouter/vendor/model",
        telling.openrouter("vendor/model", 262_144, None),
        Told(262_144),
        [("/v1/models", "authorization")],
    ),
    ("mistral/devstral", telling.mistral("devstral", 256_000), Told(256_000), [("/v1/models", "authorization")]),
    ("groq/llama-x", telling.groq("llama-x", 131_072), Told(131_072), [("/v1/models", "authorization")]),
    (
        "together_ai/vendor/model",
        telling.together("vendor/model", 65_536),
        Told(65_536),
        [("/v1/models", "authorization")],
    ),
    ("hosted_vllm/Qwen/Q", telling.vllm("Qwen/Q", 40_960), Told(40_960), [("/v1/models", "authorization")]),
    ("openai/q", telling.llama_cpp(8_192), Told(8_192), [("/v1/models", "authorization")]),
    (
        "openai/claude-x",
        telling.litellm_proxy("claude-x", 200_000),
        Told(200_000),
        [("/v1/models", "authorization"), ("/v1/model/info", "authorization")],
    ),
    (
        "litellm_proxy/claude-x",
        telling.litellm_proxy("claude-x", 200_000),
        Told(200_000),
        [("/v1/model/info", "authorization")],
    ),
]


@pytest.mark.parametrize(("model", "tells", "expected", "lookups"), OWN, ids=[row[0] for row in OWN])
def test_it_is_asked_with_the_models_key(
    model: str, tells: Tells, expected: Told, lookups: list[tuple[str, str]]
) -> None:
    with Provider(tells=tells) as provider:
        settings = ModelSettings(model, KEY, provider.base_url(model))
        assert ask_for_limits(settings)
        assert (settings.told, LiteLLM(settings).context_window) == (expected, expected.window)
        asked = [
            (look.path, next(name for name, value in look.headers.items() if value.removeprefix("Bearer ") == KEY))
            for look in provider.lookups
        ]
        assert asked == lookups


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("variable", "model", "tells"),
    [
        ("ANTHROPIC_API_BASE", "anthropic/claude-x", telling.anthropic("claude-x", 7_000, 1)),
        ("ANTHROPIC_BASE_URL", "anthropic/claude-x", telling.anthropic("claude-x", 7_000, 1)),
        ("GEMINI_API_BASE", "gemini/gemini-x", telling.gemini("gemini-x", 7_000)),
        ("OPENAI_BASE_URL", "openai/q", telling.vllm("q", 7_000)),
        ("OPENAI_API_BASE", "openai/q", telling.vllm("q", 7_000)),
        ("OPENROUTER_API_BASE", "openrouter/v/m", telling.openrouter("v/m", 7_000, None)),
        ("GROQ_API_BASE", "groq/llama-x", telling.groq("llama-x", 7_000)),
        ("HOSTED_VLLM_API_BASE", "hosted_vllm/q", telling.vllm("q", 7_000)),
        ("LITELLM_PROXY_API_BASE", "litellm_proxy/m", telling.litellm_proxy("m", 7_000)),
    ],
)
async def test_an_address_in_the_environment_is_that_of_requests_and_of_questions(
    variable: str, model: str, tells: Tells, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Provider([Text("hi")], tells=tells) as provider:
        monkeypatch.setenv(variable, provider.base_url(model))
        settings = ModelSettings(model, KEY)
        assert (ask_for_limits(settings), settings.told.window) == (True, 7_000)
        await answer(LiteLLM(settings))
        assert len(provider.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_key_goes_along_to_nobody_else(status: int) -> None:
    model = "anthropic/claude-x"
    with Provider(tells=telling.anthropic("claude-x", 9_000, 1)) as elsewhere:
        moved = Error(status, {}, {"location": f"{elsewhere.base_url(model)}/v1/models/claude-x"})
        with Provider(tells={"/v1/models/claude-x": [moved]}) as provider:
            settings = ModelSettings(model, KEY, provider.base_url(model))
            assert (ask_for_limits(settings), settings.told) == (True, Told())
        assert elsewhere.lookups == []


@pytest.mark.parametrize(
    ("reply", "is_answered"),
    [
        ([Error(401, {"error": "no"})], True),
        ([Error(200, "<html>")], False),
        ([Error(200, "[" * 100_000)], False),
        ([Reset()], False),
    ],
)
def test_whatever_goes_wrong_nothing_is_told(reply: Reply, is_answered: bool) -> None:
    with Provider(tells={"/v1/models/claude-x": reply}) as provider:
        settings = ModelSettings("anthropic/claude-x", KEY, provider.base_url("anthropic/claude-x"))
        assert (ask_for_limits(settings), settings.told) == (is_answered, Told())


def test_who_never_comes_to_an_end_is_not_waited_for() -> None:
    with ModelServer({"/": dribbles}) as server, pytest.raises(TimeoutError):
        fetched(f"{server.url}/", {}, 0.2)
    with Provider(tells={"/v1/models": [Stall()]}) as provider:
        asked = questions("openai", "q", provider.url, KEY, {})
        assert told(asked, "q", 0.2) is None
        # One limit for all questions.
        assert [look.path for look in provider.lookups] == ["/v1/models"]

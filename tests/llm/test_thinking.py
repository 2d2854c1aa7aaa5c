"""How much a model is to think: what is offered by its name, and what its provider is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openhands_acp.llm.thinking import LEVELS, arguments, levels
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.replies import Text
from tests.llm.asking import answer, settings

pytestmark = pytest.mark.anyio

WITHOUT_OFF = ("default", "low", "medium", "high")


@pytest.mark.parametrize(
    ("model", "offered"),
    [
        ("anthropic/claude-sonnet-4-5", LEVELS),
        ("anthropic/claude-3-7-sonnet-latest", LEVELS),
        ("anthropic/claude-3-5-haiku-20241022", ()),
        ("openrouter/anthropic/claude-sonnet-4.5", LEVELS),
        ("bedrock/us.anthropic.claude-opus-4-1-20250805-v1:0", LEVELS),
        ("openai/gpt-5", LEVELS),
        ("gpt-5.1-codex", LEVELS),
        ("openai/gpt-4o", ()),
        ("o3", WITHOUT_OFF),
        ("openai/o4-mini", WITHOUT_OFF),
        ("groq/openai/gpt-oss-120b", WITHOUT_OFF),
        ("gemini/gemini-2.5-flash", LEVELS),
        ("gemini/gemini-2.5-pro", WITHOUT_OFF),
        ("deepseek/deepseek-reasoner", LEVELS),
        ("ollama_chat/qwen3-coder", LEVELS),
        ("scripted/demo", ()),
        ("openai/my-local-model", ()),
    ],
)
def test_what_is_offered_goes_by_the_name(model: str, offered: tuple[str, ...]) -> None:
    assert levels(model) == offered


@pytest.mark.parametrize(
    ("level", "model", "known", "spelt"),
    [
        ("off", "gpt-5.1", {"supports_none_reasoning_effort": True}, {"reasoning_effort": "none"}),
        ("off", "gpt-5", {"supports_none_reasoning_effort": False}, {"reasoning_effort": "minimal"}),
        ("low", "gpt-5", {"max_output_tokens": 128_000}, {"reasoning_effort": "low"}),
        (
            "high",
            "claude-sonnet-4-5",
            {"max_output_tokens": 64_000},
            {"reasoning_effort": "high", "max_tokens": 64_000},
        ),
    ],
)
def test_each_is_asked_for_as_its_provider_wants_it(
    level: str, model: str, known: dict[str, object], spelt: dict[str, object]
) -> None:
    assert arguments(level, model, known) == spelt


@pytest.mark.parametrize(
    ("model", "level", "sent"),
    [
        ("openai/gpt-5", "high", "high"),
        ("openai/gpt-5", "off", "minimal"),
        ("openai/gpt-5", "default", None),
        # LiteLLM knows that this one would refuse it.
        ("openai/gpt-4o", "high", None),
    ],
)
async def test_the_provider_is_told(model: str, level: str, sent: str | None) -> None:
    with Provider([Text("Yes.")]) as provider:
        await answer(LiteLLM(replace(settings(provider, model), thought_level=level)))
        assert (await provider.request()).body.get("reasoning_effort") == sent

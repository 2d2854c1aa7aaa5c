"""How much a model is to think: what is offered by its name, and what its provider is told."""

from __future__ import annotations

import pytest

from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.thinking import LEVELS, arguments, levels
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.replies import Text
from tests.llm.asking import KEY, answer

pytestmark = pytest.mark.anyio

WITHOUT_OFF = ("default", "low", "medium", "high")
ON_OR_OFF = ("default", "off", "high")


@pytest.mark.parametrize(
    ("model", "offered"),
    [
        ("anthropic/claude-sonnet-4-5", LEVELS),
        ("anthropic/claude-3-7-sonnet-latest", LEVELS),
        ("anthropic/claude-3-5-haiku-20241022", ()),
        ("openrouter/anthropic/claude-sonnet-4.5", LEVELS),
        ("bedrock/us.anthropic.claude-opus-4-1-20250805-v1:0", LEVELS),
        ("openai/gpt-5", LEVELS),
        ("gpt-5.1-codex", WITHOUT_OFF),
        ("openai/gpt-4o", ()),
        ("o3", WITHOUT_OFF),
        ("openai/o4-mini", WITHOUT_OFF),
        ("groq/openai/gpt-oss-120b", WITHOUT_OFF),
        ("gemini/gemini-2.5-flash", LEVELS),
        ("gemini/gemini-2.5-pro", WITHOUT_OFF),
        ("deepseek/deepseek-reasoner", ON_OR_OFF),
        ("zai/glm-4.7", ON_OR_OFF),
        ("moonshot/kimi-k2.6", ON_OR_OFF),
        ("moonshot/kimi-k3", WITHOUT_OFF),
        ("anthropic/claude-opus-4-6", LEVELS),
        ("anthropic/claude-fable-5", WITHOUT_OFF),
        ("anthropic/claude-opus-5-5", WITHOUT_OFF),
        ("gpt-6-sol", LEVELS),
        ("gpt-5.1-chat-latest", ()),
        ("gemini/gemini-flash-latest", LEVELS),
        ("xai/grok-4.3", WITHOUT_OFF),
        ("ollama_chat/qwen3-coder", LEVELS),
        ("scripted/demo", ()),
        ("openai/my-local-model", ()),
    ],
)
def test_what_is_offered_goes_by_the_name(model: str, offered: tuple[str, ...]) -> None:
    assert levels(model) == offered


EFFORT = ("reasoning_effort", "thinking")


@pytest.mark.parametrize(
    ("level", "model", "known", "taken", "spelt"),
    [
        ("off", "gpt-5.1", {"supports_none_reasoning_effort": True}, EFFORT, {"reasoning_effort": "none"}),
        (
            "off",
            "gpt-5",
            {"supports_none_reasoning_effort": False, "supports_minimal_reasoning_effort": True},
            EFFORT,
            {"reasoning_effort": "minimal"},
        ),
        (
            "off",
            "gpt-6-astra",
            {"supports_none_reasoning_effort": False, "supports_minimal_reasoning_effort": False},
            EFFORT,
            {"reasoning_effort": "low"},
        ),
        ("off", "gpt-5.1-codex", {}, EFFORT, {"reasoning_effort": "low"}),
        ("low", "gpt-5.5-pro", {"supports_low_reasoning_effort": False}, EFFORT, {"reasoning_effort": "medium"}),
        (
            "medium",
            "kimi-k3",
            {"reasoning_effort_levels": ["low", "high", "max"]},
            ("reasoning_effort",),
            {"reasoning_effort": "high"},
        ),
        ("high", "chat-latest", {"reasoning_effort_levels": ["medium"]}, EFFORT, {"reasoning_effort": "medium"}),
        ("low", "gpt-5", {"max_output_tokens": 128_000}, EFFORT, {"reasoning_effort": "low"}),
        ("off", "gemini-2.5-flash", {}, EFFORT, {"reasoning_effort": "none"}),
        (
            "high",
            "claude-sonnet-4-5",
            {"max_output_tokens": 64_000},
            EFFORT,
            {"reasoning_effort": "high", "max_tokens": 64_000},
        ),
        ("off", "claude-sonnet-4-5", {"max_output_tokens": 64_000}, EFFORT, {"reasoning_effort": "none"}),
        ("off", "glm-4.7", {}, ("thinking",), {"thinking": {"type": "disabled"}}),
        ("high", "deepseek-v4-pro", {}, EFFORT, {"thinking": {"type": "enabled"}}),
        # LiteLLM knows that this one would refuse it.
        ("high", "gpt-4o", {}, (), {}),
    ],
)
def test_each_is_asked_for_as_its_provider_wants_it(
    level: str, model: str, known: dict[str, object], taken: tuple[str, ...], spelt: dict[str, object]
) -> None:
    assert arguments(level, model, known, taken) == spelt


@pytest.mark.parametrize(
    ("model", "level", "sent"),
    [
        ("openai/gpt-5", "high", {"reasoning_effort": "high"}),
        ("openai/gpt-5", "off", {"reasoning_effort": "minimal"}),
        ("openai/gpt-5", "default", {}),
        ("openai/gpt-4o", "high", {}),
        ("openai/responses/gpt-5", "high", {"reasoning": {"summary": "auto", "effort": "high"}}),
        ("openai/responses/gpt-5.1-codex", "off", {"reasoning": {"summary": "auto", "effort": "low"}}),
        ("openai/responses/gpt-4o", "high", {}),
        (
            "anthropic/claude-sonnet-4-5",
            "low",
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 64_000},
        ),
        (
            "anthropic/claude-opus-4-6",
            "low",
            {
                "thinking": {"type": "adaptive", "display": "summarized"},
                "output_config": {"effort": "low"},
                "max_tokens": 128_000,
            },
        ),
        ("anthropic/claude-sonnet-4-5", "off", {"max_tokens": 64_000}),
        (
            "gemini/gemini-3-pro-preview",
            "low",
            {
                "generationConfig": {
                    "thinkingConfig": {"thinkingLevel": "low", "includeThoughts": True},
                    "temperature": 1.0,
                }
            },
        ),
        (
            "gemini/gemini-2.5-flash",
            "off",
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False}}},
        ),
    ],
)
async def test_the_provider_is_told(model: str, level: str, sent: dict[str, object]) -> None:
    with Provider([Text("Yes.")]) as provider:
        await answer(LiteLLM(ModelSettings(model, KEY, provider.base_url(model), thought_level=level)))
        body = (await provider.request()).body
    told = ("reasoning_effort", "reasoning", "thinking", "output_config", "max_tokens", "generationConfig")
    assert {name: body[name] for name in told if name in body} == sent

"""Whose reasoning it is, by provider and model, and how it is told apart."""

from __future__ import annotations

from typing import Literal

import pytest

from openhands_acp.engine.messages import JsonValue
from openhands_acp.llm.reasoning import CLAUDE, Owner, opened, owner_of, sealed

DEEPSEEK = Owner("reasoning_content", "", "deepseek")


@pytest.mark.parametrize(
    ("model", "api", "owner"),
    [
        ("anthropic/claude-sonnet-4-5", "chat", CLAUDE),
        ("bedrock/us.anthropic.claude-opus-4-1-20250805-v1:0", "chat", CLAUDE),
        ("vertex_ai/claude-sonnet-4-5", "chat", CLAUDE),
        ("litellm_proxy/claude-sonnet-4-5", "chat", CLAUDE),
        ("openrouter/anthropic/claude-sonnet-4.5", "chat", Owner("reasoning_details", "openrouter", "claude")),
        ("openrouter/openai/gpt-5.1", "chat", Owner("reasoning_details", "openrouter", "gpt-5")),
        ("openai/gpt-5.1-codex", "responses", Owner("reasoning_items", "openai", "gpt-5")),
        ("openai/o3-pro", "responses", Owner("reasoning_items", "openai", "o3")),
        ("azure/gpt-5", "responses", Owner("reasoning_items", "azure", "gpt-5")),
        ("azure/my-deployment", "responses", Owner("reasoning_items", "azure", "my-deployment")),
        ("openai/gpt-5", "chat", None),
        ("gemini/gemini-3-pro-preview", "chat", Owner("thought_signatures", "google", "gemini-3")),
        ("vertex_ai/gemini-2.5-pro", "chat", Owner("thought_signatures", "google", "gemini-2")),
        ("deepseek/deepseek-reasoner", "chat", DEEPSEEK),
        ("fireworks_ai/accounts/fireworks/models/deepseek-v3p2", "chat", DEEPSEEK),
        ("moonshot/kimi-k2-thinking", "chat", Owner("reasoning_content", "", "kimi")),
        ("zai/glm-4.7", "chat", Owner("reasoning_content", "", "glm")),
        ("hosted_vllm/openai/gpt-oss-120b", "chat", Owner("reasoning_content", "", "gpt-oss")),
        ("ollama_chat/qwen3:8b", "chat", Owner("reasoning_content", "", "qwen3")),
        # They refuse a field that they do not know.
        ("groq/openai/gpt-oss-120b", "chat", None),
        ("cerebras/qwen-3-coder", "chat", None),
        ("mistral/magistral-medium", "chat", None),
        ("openai/my-local-model", "chat", None),
    ],
)
def test_it_goes_by_provider_and_model(model: str, api: Literal["chat", "responses"], owner: Owner | None) -> None:
    provider, _, name = model.partition("/")
    assert owner_of(provider, name, api=api) == owner


BLOCK: JsonValue = [{"type": "thinking", "thinking": "hm", "signature": "seal"}]


@pytest.mark.parametrize(
    ("blocks", "owner", "content"),
    [
        (None, CLAUDE, None),
        (sealed(CLAUDE, BLOCK), CLAUDE, BLOCK),
        (sealed(CLAUDE, BLOCK), DEEPSEEK, None),
        (sealed(CLAUDE, BLOCK), None, None),
        (sealed(CLAUDE, []), CLAUDE, []),
        # As journals of before have it.
        (BLOCK, CLAUDE, BLOCK),
        (BLOCK, DEEPSEEK, None),
        (sealed(Owner("reasoning_items", "openai", "gpt-5"), []), Owner("reasoning_items", "azure", "gpt-5"), None),
        (sealed(Owner("reasoning_items", "openai", "gpt-5"), []), Owner("reasoning_items", "openai", "o3"), None),
    ],
)
def test_only_its_owner_opens_it(blocks: JsonValue, owner: Owner | None, content: JsonValue) -> None:
    assert opened(blocks, owner) == content

"""Whose reasoning is whose: what a model signed goes back to it as it came, and to no other.

Pure: knows how each provider carries it, and no vendor. A `blocks` of the engine is what `sealed` made,
or in journals of before a bare list, which is Claude's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from openhands_acp.engine.messages import AssistantMessage, JsonValue

Form: TypeAlias = Literal[
    "thinking_blocks", "reasoning_content", "reasoning_details", "thought_signatures", "reasoning_items"
]
"""How reasoning travels: Anthropic's signed blocks, plain text, OpenRouter's details, Gemini's signatures on
parts, the items of OpenAI's Responses."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who can read a reasoning: any model of the family there."""

    form: Form
    provider: str
    """Empty where it is plain text, which the same model reads wherever it runs."""
    family: str


CLAUDE: Final = Owner("thinking_blocks", "anthropic", "claude")
"""Its signatures are good at Anthropic, Bedrock, Vertex and behind proxies alike."""

_GENERATIONS = re.compile(r"(?:gpt-\d+|\bo\d+|gemini-\d+|claude|grok-\d+)")
_TAKEN_BACK = re.compile(r"deepseek|kimi|glm|minimax|mimo|qwen-?3|gpt-oss")
"""Models whose template or API reads the thoughts of the round again; some refuse the round without."""
_TAKES_BACK = frozenset(
    {
        "deepseek",
        "moonshot",
        "zai",
        "minimax",
        "xiaomi_mimo",
        "dashscope",
        "fireworks_ai",
        "together_ai",
        "novita",
        "hosted_vllm",
        "vllm",
        "lm_studio",
        "llamafile",
        "ollama_chat",
        "openai",
    }
)
"""Providers that take `reasoning_content`. Others (Groq, Cerebras, Mistral) refuse a field that they do not know."""


def owner_of(provider: str, model: str, *, api: Literal["chat", "responses"]) -> Owner | None:
    """Say whose the reasoning of `model` is, as LiteLLM names provider and model; None: it is not taken back."""
    name = model.lower()
    if api == "responses":
        return Owner("reasoning_items", provider, _family(name))
    if provider == "openrouter":
        return Owner("reasoning_details", provider, _family(name))
    if "claude" in name:
        return CLAUDE
    if "gemini" in name and provider in {"gemini", "vertex_ai", "vertex_ai_beta"}:
        return Owner("thought_signatures", "google", _family(name))
    if provider in _TAKES_BACK and (known := _TAKEN_BACK.search(name)):
        return Owner("reasoning_content", "", known[0])
    return None


def _family(name: str) -> str:
    known = _GENERATIONS.search(name)
    return known[0] if known else name


def sealed(owner: Owner, content: JsonValue) -> JsonValue:
    return {"form": owner.form, "provider": owner.provider, "family": owner.family, "content": content}


def opened(blocks: JsonValue, owner: Owner | None) -> JsonValue:
    """Return what was sealed if it is `owner`'s; None if it is nobody's or another's."""
    if blocks is None or owner is None:
        return None
    if isinstance(blocks, Mapping):
        whose = (blocks.get("form"), blocks.get("provider"), blocks.get("family"))
        return blocks.get("content") if whose == (owner.form, owner.provider, owner.family) else None
    return blocks if owner == CLAUDE else None


def is_own(blocks: JsonValue, owner: Owner) -> bool:
    """Tell whether an answer with these `blocks` was `owner`'s, though nothing may be in them."""
    return opened(blocks, owner) is not None


def given_back(message: AssistantMessage, owner: Owner | None) -> dict[str, Any]:
    """Return the fields of a message of chat completions that give its reasoning back; calls are not among them."""
    content = opened(message.blocks, owner)
    if owner is None or content is None:
        return {}
    match owner.form:
        case "thinking_blocks":
            return {"reasoning_content": message.thought, "thinking_blocks": content} if content else {}
        case "reasoning_content":
            return {"reasoning_content": message.thought} if message.thought else {}
        case "reasoning_details":
            return {"reasoning_details": content} if content else {}
        case "thought_signatures":
            signature = content.get("text") if isinstance(content, Mapping) else None
            return {"provider_specific_fields": {"thought_signatures": [signature]}} if signature else {}
        case "reasoning_items":
            return {}


def signatures(message: AssistantMessage, owner: Owner | None) -> Sequence[JsonValue]:
    """Return what Gemini signed the first of the calls with, in their order; None where it did not."""
    content = opened(message.blocks, owner)
    if owner is None or owner.form != "thought_signatures" or not isinstance(content, Mapping):
        return ()
    calls = content.get("calls")
    return calls if isinstance(calls, list) else ()

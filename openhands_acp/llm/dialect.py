"""How one model at one provider wants a conversation: which API, whose reasoning, which marks.

Pure: goes by names as LiteLLM has them, and by what LiteLLM knows of the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from openhands_acp.llm.model import Api
from openhands_acp.llm.reasoning import CLAUDE, Owner, owner_of
from openhands_acp.llm.repair import PLAIN_IDS

Spoken: TypeAlias = Literal["chat", "responses"]

_ANY_IDS = re.compile(r"(?!.*__thought__).{1,200}", re.DOTALL)
_NINE = re.compile(r"[a-zA-Z0-9]{9}")
_NATIVE_CLAUDE: Final = frozenset({"anthropic", "azure_ai", "bedrock", "vertex_ai"})
"""Providers of Claude that LiteLLM translates Anthropic's own for: images in results, which most others refuse
there, and marks on them."""
_NEW_OPENAI = re.compile(r"gpt-(?:[5-9]|\d\d)|o\d+-pro|codex")
"""What OpenAI's own models that LiteLLM does not know yet are called."""
_FOR_TALK = re.compile(r"(?:^|-)chat-latest|gpt-5-chat|-search-api")
"""Models that refuse to be asked for their reasoning, though LiteLLM says that they reason."""


@dataclass(frozen=True, slots=True)
class Dialect:
    api: Spoken = "chat"
    owner: Owner | None = None
    """Whose reasoning is sent back; None: none."""
    cache_marks: Literal["messages", "parts"] | None = None
    """It caches up to marks, which stand on a result as such, or on a text in it; others cache by themselves."""
    image_results: bool = False
    ids: re.Pattern[str] = PLAIN_IDS
    """What ids of calls may look like."""
    cache_key: bool = False
    """It finds its cache faster by a key of the conversation."""
    thinks: bool = False
    """It is known to reason, which only Responses must be told."""


def dialect_of(provider: str, model: str, api: Api, known: Mapping[str, Any], *, is_own_url: bool) -> Dialect:
    """Choose by LiteLLM's names; `is_own_url` says that the server is none of the provider's own."""
    spoken = _spoken(provider, model, api, known, is_own_url=is_own_url)
    owner = owner_of(provider, model, api=spoken)
    is_claude = "claude" in model.lower()
    is_openai = provider == "openai" and not is_own_url
    return Dialect(
        api=spoken,
        owner=owner,
        cache_marks=_marks(provider) if is_claude and spoken == "chat" else None,
        image_results=is_openai if spoken == "responses" else owner == CLAUDE and provider in _NATIVE_CLAUDE,
        ids=_ids(provider, model),
        cache_key=is_openai,
        thinks=_thinks(model, known),
    )


def _spoken(provider: str, model: str, api: Api, known: Mapping[str, Any], *, is_own_url: bool) -> Spoken:
    """Prefer Responses where a model reasons: chat completions neither show nor take back what OpenAI's think.

    A server of the person's own that speaks OpenAI's protocol mostly speaks only its older half.
    """
    if api != "auto":
        return api
    if provider == "openai" and is_own_url:
        return "chat"
    if known.get("mode") == "responses":
        return "responses"
    if provider not in {"openai", "azure"}:
        return "chat"
    if not known:
        return "responses" if provider == "openai" and _NEW_OPENAI.search(model) else "chat"
    endpoints = known.get("supported_endpoints") or ()
    return "responses" if known.get("supports_reasoning") and "/v1/responses" in endpoints else "chat"


def _thinks(model: str, known: Mapping[str, Any]) -> bool:
    if _FOR_TALK.search(model):
        return False
    return bool(known.get("supports_reasoning") if known else _NEW_OPENAI.search(model))


def _marks(provider: str) -> Literal["messages", "parts"]:
    return "messages" if provider in _NATIVE_CLAUDE else "parts"


def _ids(provider: str, model: str) -> re.Pattern[str]:
    if provider in {"mistral", "codestral"}:
        return _NINE
    # Kimi counts its calls in their ids (`functions.terminal:0`), and goes astray where they read otherwise.
    return _ANY_IDS if "kimi" in model.lower() else PLAIN_IDS

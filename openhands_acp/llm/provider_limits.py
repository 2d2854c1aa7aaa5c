"""How much a model reads and writes at once, as its provider tells: what to ask, and what the answer says of it.

Knows who tells it, where and in which words. A question goes to the address that the model itself is asked at, with its
key, and to nobody else. Blocks, so it is called in a thread.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from time import monotonic
from typing import Any, Final
from urllib.parse import quote, urlsplit

from openhands_acp.llm.fields import count, table, tables, text, texts
from openhands_acp.llm.litellm_failures import FAILED
from openhands_acp.llm.model import Told
from openhands_acp.llm.web import fetched

logger = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds for all questions about one model."""

_USUAL: Final = {
    "anthropic": "https://api.anthropic.com",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "openrouter": "https://openrouter.ai/api/v1",
}
_FROM: Final[Mapping[str, Sequence[str]]] = {
    "anthropic": ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    "gemini": ("GEMINI_API_BASE",),
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "openrouter": ("OPENROUTER_API_BASE",),
}
"""Variables that LiteLLM takes an address from where it does not tell which; of the others it does."""
_LISTING: Final = frozenset(
    (
        *("openrouter", "mistral", "codestral", "groq", "together_ai", "fireworks_ai", "moonshot"),
        *("vercel_ai_gateway", "hosted_vllm", "lm_studio", "llamafile", "docker_model_runner"),
    )
)
"""Who has a list of models like OpenAI's, and tells there, mostly, how much each of them reads."""

_READ: Final = (
    "max_input_tokens",  # Anthropic, LiteLLM's proxy
    "inputTokenLimit",  # Gemini
    "max_model_len",  # vLLM
    "context_length",  # OpenRouter, Together, Fireworks, Moonshot
    "context_window",  # Groq, Vercel
    "max_context_length",  # Mistral
    "n_ctx",  # llama.cpp
)
_WITHIN: Final = ("model_info", "top_provider", "meta")
"""Where LiteLLM's proxy, OpenRouter and llama.cpp have what they do not say in front."""


@dataclass(frozen=True, slots=True)
class Question:
    url: str
    headers: Mapping[str, str] = field(repr=False)
    longest_answer: str = ""
    """What the answer calls it; empty where nobody needs to know, because it is the provider's own default."""


def address_of(provider: str, base: str | None, environ: Mapping[str, str]) -> str:
    """Return where a provider is asked, `base` if that is known; empty if nobody set an address and none is usual."""
    named = (environ[name] for name in _FROM.get(provider, ()) if environ.get(name))
    return (base or next(named, None) or _USUAL.get(provider, "")).rstrip("/")


def is_openais(address: str) -> bool:
    """Tell whether a server is OpenAI's own."""
    host = urlsplit(address).hostname or ""
    return host == "openai.com" or host.endswith(".openai.com")


def questions(
    provider: str, model: str, address: str, key: str | None, more: Mapping[str, str]
) -> tuple[Question, ...]:
    """Return what to ask about a model, as LiteLLM names both, with `more` headers; the next where one says nothing."""
    bearer = {**({"Authorization": f"Bearer {key}"} if key else {}), **more}
    name = quote(model)
    match provider:
        case _ if not address:
            return ()
        case "anthropic":
            root = address.removesuffix("/messages").removesuffix("/v1")
            headers = {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {}), **more}
            return (Question(f"{root}/v1/models/{name}", headers, "max_tokens"),)
        case "gemini":
            return (Question(f"{address}/models/{name}", {**({"x-goog-api-key": key} if key else {}), **more}),)
        case "litellm_proxy":
            return (Question(f"{address}/model/info", bearer),)
        case "openai":
            # Behind that name, many have a proxy of LiteLLM's. OpenAI's own list says nothing of it.
            ends = () if is_openais(address) else ("models", "model/info")
            return tuple(Question(f"{address}/{end}", bearer) for end in ends)
        case _ if provider in _LISTING:
            return (Question(f"{address}/models", bearer),)
        case _:
            return ()


def limits_in(answer: object, model: str, longest_answer: str = "") -> Told:
    """Read what is said of `model`, alone or in a list. Of several that serve it, the least of what they say."""
    entries = tables(answer) or tables(table(answer).get("data")) or [table(answer)]
    # OpenRouter has variants of a model that are not on its list.
    named = ([entry for entry in entries if name in _names(entry)] for name in (model, model.partition(":")[0]))
    # llama.cpp has one, whatever it is called.
    own = next(filter(None, named), entries[: len(entries) == 1])
    return Told(min(_counts(own, _READ), default=None), min(_counts(own, (longest_answer,)), default=None))


def told(asked: Sequence[Question], model: str, patience: float | None = None) -> Told | None:
    """Ask until an answer has it; None if nobody answered at all. Never fails."""
    until = monotonic() + (PATIENCE if patience is None else patience)
    limits: Told | None = None
    for question in takewhile(lambda _each: monotonic() < until, asked):
        try:
            answer = json.loads(fetched(question.url, question.headers, until - monotonic()) or b"{}")
        except (*FAILED, RecursionError) as error:
            logger.debug("how much %s reads is not told by %s: %r", model, urlsplit(question.url).hostname, error)
            continue
        limits = limits_in(answer, model, question.longest_answer)
        if limits.window is not None:
            break
    return limits


def _names(entry: Mapping[str, Any]) -> Iterator[str]:
    yield from (text(entry, "id"), text(entry, "model_name"), text(entry, "name").removeprefix("models/"))
    yield from texts(entry.get("aliases"))


def _counts(entries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[int]:
    """Yield the first number that goes by one of `names`, of each entry that has one."""
    for entry in entries:
        places = (entry, *(table(entry.get(within)) for within in _WITHIN))
        numbers = (number for place in places for name in names if (number := count(place, name)) is not None)
        yield from islice(numbers, 1)

"""What a person is told when a model fails: one sentence of cause, one of what to do next.

Pure: a failure comes in judged (`failures.py`), in nobody's types.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, TypeGuard
from urllib.parse import urlsplit

from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.failures import Failure, Judgement, Situation, is_page, judge
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.route import Route, route_to

Phase = Literal["connect", "first_token", "between_chunks", "whole"]

_NAMES = {
    "anthropic": "Anthropic",
    "azure": "Azure OpenAI",
    "bedrock": "Amazon Bedrock",
    "deepseek": "DeepSeek",
    "gemini": "Google Gemini",
    "groq": "Groq",
    "mistral": "Mistral",
    "moonshot": "Moonshot",
    "ollama": "Ollama",
    "ollama_chat": "Ollama",
    "openai": "OpenAI",
    "openrouter": "OpenRouter",
    "vertex_ai": "Google Vertex AI",
    "xai": "xAI",
}
_AGAIN = "then send the prompt again."
_SHORTEST = 4
"""Characters of a key."""
_LENGTH = 400
"""Characters of a provider's own words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked for what, and on which way, as a person would say it."""

    provider: str
    model: str
    key: str | None
    is_own_url: bool
    route: Route


def asked(settings: ModelSettings, provider: str) -> Asked:
    """Name the provider; a base URL of the person's own says more than whose API it imitates."""
    host = urlsplit(settings.base_url or "").netloc.rpartition("@")[2]
    name = f"the server at {host}" if host else _NAMES.get(provider, provider or "the provider")
    model = settings.model.removeprefix(f"{provider}/").removeprefix("responses/")
    route = route_to(settings.base_url, os.environ)
    return Asked(name, model, settings.api_key, is_own_url=bool(host), route=route)


def timed_out(who: Asked, phase: Phase, seconds: float) -> TurnError:
    what, check = {
        "connect": (
            f"{who.provider} could not be reached for {who.model}{_via(who)}: no connection within {seconds:g} s",
            "the network and LLM_BASE_URL",
        ),
        "first_token": (
            f"{who.provider} accepted the request, but {who.model} sent nothing within {seconds:g} s",
            "whether the provider is overloaded",
        ),
        "between_chunks": (
            f"{who.provider} stopped sending: {who.model} was silent for {seconds:g} s in its answer",
            "whether the provider is overloaded",
        ),
        "whole": (
            f"{who.provider} was still sending after {seconds:g} s: {who.model} did not come to the end of its answer",
            "whether the model repeats itself",
        ),
    }[phase]
    detail = _sentence(f"{what}. Check {check}, or raise the `{phase}` deadline, {_AGAIN}")
    return TurnError("timeout", detail, can_retry=phase != "whole")


def unknown_provider(who: Asked) -> TurnError:
    what = f"No provider is known for the model {who.model!r}"
    return TurnError("model", f"{what}. Write it as `provider/name`, for example `openai/{who.model}`, {_AGAIN}")


def turn_error(who: Asked, failure: Failure, now: datetime | None = None) -> TurnError:
    """Judge, and say what happened and what to do."""
    judged = judge(failure, now or datetime.now(UTC))
    what, advice = (template.format_map(_words(who, judged)) for template in _WORDS[judged.situation])
    status = f" ({failure.status})" if failure.status else ""
    cause = _cause(failure, who.key)
    detail = _sentence(f"{what}{status}: {cause}{'' if cause[-1] in '!?…' else '.'} {advice}")
    return TurnError(judged.code, detail, can_retry=judged.can_retry, wait=judged.wait, window=judged.window)


def mask(text: str, key: str | None) -> str:
    """Take every key out of `text`: ours, and whatever looks like one."""
    if key is not None and len(key) >= _SHORTEST:  # a shorter one is no secret, and would be found in every word
        text = text.replace(key, "***")
    return _KEYS.sub("***", text)


_KEYS = re.compile(
    r"\b(?:sk|pk|rk|xai)-[\w*.-]{3,}[\w*-]|\bAIza[\w-]{10,}|\b(?:gsk_|hf_|nvapi-|r8_|pplx-|csk-)[\w*-]{12,}"
    r"|(?<=Bearer )\S+|(?<=[?&]key=)[^&\s]+|(?<=api_key:)[\w-]+|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)


# ---------------------------------------------------------------- the words


def _words(who: Asked, judged: Judgement) -> Mapping[str, str]:
    route = who.route
    if route.proxy:
        check = f"that the proxy runs and that {route.proxy_from} is right"
    else:
        check = "that it runs and that LLM_BASE_URL is right" if who.is_own_url else "the network and LLM_BASE_URL"
    soon = f"It is available again in {_span(judged.wait)}: wait" if judged.wait is not None else "Add credit"
    return {
        "provider": who.provider,
        "model": who.model,
        "again": _AGAIN,
        "check": check,
        "wait": _span(judged.wait) if judged.wait is not None else "a little",
        "soon": soon,
        "via": _via(who),
        "trust": _trust(route),
        "proxy": f"the proxy {route.proxy} ({route.proxy_from})" if route.proxy else "a proxy",
        "proxy_from": route.proxy_from or "HTTPS_PROXY",
        "between": f"the proxy {route.proxy} ({route.proxy_from})" if route.proxy else "something",
    }


def _trust(route: Route) -> str:
    if route.is_trust_missing:
        return f"{route.trusted_from} names {route.trusted}, which is not there: correct it"
    if route.trusted:
        named = f"{route.trusted} ({route.trusted_from})"
        return f"Trusted is what {named} holds: add the certificate authority of this server"
    return "If your company signs it itself, name the file of its certificate authority in SSL_CERT_FILE"


def _via(who: Asked) -> str:
    return f" through the proxy {who.route.proxy} ({who.route.proxy_from})" if who.route.proxy else ""


def _span(seconds: float) -> str:
    for unit, size, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds <= size * most:
            return f"{math.ceil(seconds / size)} {unit}"
    return f"{math.ceil(seconds / 86400)} days"


_WORDS: Mapping[Situation, tuple[str, str]] = {
    "auth": ("{provider} refused the key for {model}", "Set LLM_API_KEY or run `openhands-acp setup`, {again}"),
    "no_key": ("There is no key for {model} at {provider}", "Set LLM_API_KEY or run `openhands-acp setup`, {again}"),
    "forbidden": ("{provider} does not let this key use {model}", "Use another key or another model, {again}"),
    "quota": (
        "{provider} says that the quota for {model} is used up",
        "{soon} or choose another model, {again}",
    ),
    "rate_limit": ("{provider} limits how often {model} may be asked", "Wait {wait}, {again}"),
    "overloaded": ("{provider} is overloaded and did not run {model}", "Wait {wait}, {again}"),
    "loading": ("{provider} is not ready to run {model} yet", "Wait {wait}, {again}"),
    "context": (
        "The conversation has become longer than {model} at {provider} can read",
        "Start a new session, or choose a model with a larger context window.",
    ),
    "too_much_at_once": (
        "The conversation has become longer than {provider} lets {model} read in a minute",
        "Start a new session, or choose a model with a higher limit.",
    ),
    "content_filter": ("The content filter of {provider} refused this request to {model}", "Rephrase it, {again}"),
    "model": ("{provider} has no model {model}", "Check the name in LLM_MODEL or choose another model, {again}"),
    "address": (
        "{provider} knows nothing of models at the address that was asked for {model}",
        "Check LLM_BASE_URL (mostly it ends in /v1), {again}",
    ),
    "no_address": ("No request could be made to {provider} for {model}", "Check LLM_BASE_URL, {again}"),
    "memory": ("{provider} has not the memory for {model}", "Choose a smaller model, {again}"),
    "timeout": ("{provider} gave up waiting for {model}", "Wait {wait}, {again}"),
    "request": (
        "{provider} refused the request to {model}",
        "Choose another model, or start a new session, {again}",
    ),
    "conflict": ("{provider} was busy with another request and did not run {model}", "Wait {wait}, {again}"),
    "server": ("{provider} failed while running {model}", "Wait {wait}, {again}"),
    "gateway": (
        "{between} between here and {provider} answered the request to {model} in its place",
        "Wait {wait}, {again}",
    ),
    "broken": ("The connection to {provider} broke while {model} was answering{via}", "Check the network, {again}"),
    "empty": ("{provider} answered the request to {model} with nothing{via}", "Wait {wait}, {again}"),
    "unreachable": ("{provider} could not be reached for {model}{via}", "Check {check}, {again}"),
    "tls": (
        "{provider} could not be reached for {model}{via}: no secure connection came about",
        "Check whether the address is to begin with http:// or https://, {again}",
    ),
    "untrusted": ("The certificate of {provider} was not accepted for {model}{via}", "{trust}, {again}"),
    "proxy": ("{provider} was not reached for {model}: {proxy} refused", "Check {proxy_from}, {again}"),
    "internal": ("The request to {model} at {provider} failed unexpectedly", "Check the settings, {again}"),
}

_PREFIX = re.compile(r"(?:litellm\.)?[A-Za-z_]*(?:Error|Exception|Timeout)\s*[:-]\s*|[A-Z_]{6,} - ")
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def _cause(failure: Failure, key: str | None) -> str:
    """Give the provider's own words without the wrappings of libraries, keys, line ends and excess."""
    text = re.split("Traceback \\(most recent call last\\)|This looks like a bug in LiteLLM", failure.text)[0].strip()
    while (match := _PREFIX.match(text)) is not None and match.end() < len(text):
        text = text[match.end() :]
    said = _title(text, failure.status) if is_page(text) else _message_in(text)
    said = " ".join(mask(said, key).split())
    if len(said) > _LENGTH:
        said = f"{said[:_LENGTH].rpartition(' ')[0]} …"
    return said.rstrip(" .") or "it did not say why"


def _title(page: str, status: int | None) -> str:
    found = _TITLE.search(page)
    title = found[1].strip().removeprefix(str(status)).strip() if found else ""
    if status == HTTPStatus.OK or not title:
        return f"a page for browsers{f', {title!r}' if title else ''}"
    return title


def _message_in(text: str) -> str:
    """Read the message out of the JSON error body in `text`, if there is one."""
    start = text.find("{")
    try:
        body: Any = json.JSONDecoder().raw_decode(text, start)[0] if start >= 0 else None
    except ValueError:
        return text
    while _is_object(body):
        body = _raw(body) or body.get("error", body.get("message", body.get("detail")))
    return body if isinstance(body, str) and body else text


def _raw(error: dict[str, Any]) -> str | None:
    """Dig out what OpenRouter was told by who it asked: its own message is that there was an error."""
    metadata = error.get("metadata")
    raw = metadata.get("raw") if _is_object(metadata) else None
    return raw if isinstance(raw, str) and raw else None


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]

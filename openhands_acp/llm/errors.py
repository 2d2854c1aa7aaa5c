"""What a person is told when a model fails: one sentence of cause, one of what to do next.

Pure: a failure comes in as plain words and numbers, so nothing here knows whose exceptions they were.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, TypeGuard
from urllib.parse import urlsplit

from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import ModelSettings

Phase = Literal["connect", "first_token", "between_chunks"]

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
_LENGTH = 300
"""Characters of a provider's own words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Who was asked for what, as a person would say it."""

    provider: str
    model: str
    key: str | None
    is_own_url: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that failed, in nobody's types."""

    kind: str
    """The name of the exception's class, or `connection` if it never was an answer."""
    status: int | None
    text: str
    retry_after: str | None = None
    while_answering: bool = False
    """Part of the answer had come."""


def asked(settings: ModelSettings, provider: str) -> Asked:
    """Name the provider; a base URL of the person's own says more than whose API it imitates."""
    host = urlsplit(settings.base_url or "").netloc.rpartition("@")[2]
    name = f"the server at {host}" if host else _NAMES.get(provider, provider or "the provider")
    model = settings.model.removeprefix(f"{provider}/")
    return Asked(name, model, settings.api_key, is_own_url=bool(host))


def timed_out(who: Asked, phase: Phase, seconds: float) -> TurnError:
    what = {
        "connect": f"{who.provider} could not be reached for {who.model}: no connection within {seconds:g} s",
        "first_token": f"{who.provider} accepted the request, but {who.model} sent nothing within {seconds:g} s",
        "between_chunks": f"{who.provider} stopped sending: {who.model} was silent for {seconds:g} s in its answer",
    }[phase]
    check = "the network and LLM_BASE_URL" if phase == "connect" else "whether the provider is overloaded"
    return TurnError("timeout", _sentence(f"{what}. Check {check}, or raise the `{phase}` deadline, {_AGAIN}"))


def unknown_provider(who: Asked) -> TurnError:
    what = f"No provider is known for the model {who.model!r}"
    return TurnError("model", f"{what}. Write it as `provider/name`, for example `openai/{who.model}`, {_AGAIN}")


def turn_error(who: Asked, failure: Failure) -> TurnError:
    """Choose the code, and say what happened and what to do."""
    code = _code(failure)
    words = {
        "provider": who.provider,
        "model": who.model,
        "again": _AGAIN,
        "check": "that it runs and that LLM_BASE_URL is right" if who.is_own_url else "the network and LLM_BASE_URL",
        "wait": f"{failure.retry_after} s" if _SECONDS.fullmatch(failure.retry_after or "") else "a little",
    }
    what, advice = (template.format_map(words) for template in _WORDS[_situation(failure, code)])
    status = f" ({failure.status})" if failure.status else ""
    return TurnError(code, _sentence(f"{what}{status}: {_cause(failure.text, who.key)}. {advice}"))


def root_cause(error: BaseException) -> str | None:
    """Say in plain words what the operating system said, if it is in the chain of `error`."""
    for each in reversed(list(chain(error))):
        match each:
            case ConnectionRefusedError():
                return "connection refused"
            case ConnectionResetError() | BrokenPipeError():
                return "the connection was reset"
            case socket.gaierror():
                return "the host name is not known"
            case ssl.SSLError():
                return f"TLS failed, {each.reason or each}"
            case OSError() if each.strerror:
                return each.strerror
            case _:
                pass
    return None


def chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from `error` to what first went wrong, at most 20 steps."""
    each: BaseException | None = error
    for _ in range(20):
        if each is None:
            return
        yield each
        each = each.__cause__ or each.__context__


def mask(text: str, key: str | None) -> str:
    """Take every key out of `text`: ours, and whatever looks like one."""
    if key is not None and len(key) >= _SHORTEST:  # a shorter one is no secret, and would be found in every word
        text = text.replace(key, "***")
    return _KEYS.sub("***", text)


_KEYS = re.compile(r"\b(?:sk|pk|rk|gsk|xai)-[\w*.-]{4,}|\bAIza[\w-]{10,}|(?<=Bearer )\S+|(?<=[?&]key=)[^&\s]+")
_PREFIX = re.compile(r"(?:litellm\.)?[A-Za-z_]*(?:Error|Exception|Timeout)\s*[:-]\s*")
_SECONDS = re.compile(r"\d+(\.\d+)?")


def _code(failure: Failure) -> str:
    match failure.kind:
        case "ContextWindowExceededError":
            return "context"
        case "ContentPolicyViolationError":
            return "content_filter"
        case "connection":
            return "network"
        case _ if failure.status is None:
            return "network" if failure.while_answering else "internal"
        case _:
            return _code_of_status(failure.status, failure.text.lower())


def _code_of_status(status: int, text: str) -> str:
    match status:
        case 401 | 403:
            return "auth"
        case 404:
            return "model"
        case 402:
            return "quota"
        case 400 | 413 if any(phrase in text for phrase in _CONTEXT):
            return "context"
        case 408 | 504:
            return "timeout"
        case 429 | 503 | 529:
            return "quota" if any(phrase in text for phrase in _QUOTA) else "rate_limit"
        case _:
            return "network" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "request"


_QUOTA = ("insufficient_quota", "exceeded your current quota", "credit balance", "billing", "insufficient balance")
_CONTEXT = (
    "context length",
    "context_length",
    "context window",
    "exceed_context",
    "prompt is too long",
    "too many tokens",
)


def _situation(failure: Failure, code: str) -> str:
    """Choose the words: a code, or where one code is said in several ways, the way."""
    match code, failure.status:
        case "auth", 403:
            return "forbidden"
        case "rate_limit", 503 | 529:
            return "overloaded"
        case "network", None:
            return "broken" if failure.while_answering else "unreachable"
        case _:
            return code


_WORDS = {
    "auth": ("{provider} refused the key for {model}", "Set LLM_API_KEY or run `openhands-acp setup`, {again}"),
    "forbidden": ("{provider} does not let this key use {model}", "Use another key or another model, {again}"),
    "quota": (
        "{provider} says that the quota for {model} is used up",
        "Add credit or choose another model, {again}",
    ),
    "rate_limit": ("{provider} limits how often {model} may be asked", "Wait {wait}, {again}"),
    "overloaded": ("{provider} is overloaded and did not run {model}", "Wait {wait}, {again}"),
    "context": (
        "The conversation has become longer than {model} at {provider} can read",
        "Start a new session, or choose a model with a larger context window.",
    ),
    "content_filter": ("The content filter of {provider} refused this request to {model}", "Rephrase it, {again}"),
    "model": ("{provider} has no model {model}", "Check the name in LLM_MODEL or choose another model, {again}"),
    "timeout": ("{provider} gave up waiting for {model}", "Wait {wait}, {again}"),
    "request": (
        "{provider} refused the request to {model}",
        "Choose another model, or start a new session, {again}",
    ),
    "network": ("{provider} failed while running {model}", "Wait {wait}, {again}"),
    "broken": ("The connection to {provider} broke while {model} was answering", "Check the network, {again}"),
    "unreachable": ("{provider} could not be reached for {model}", "Check {check}, {again}"),
    "internal": ("The request to {model} at {provider} failed unexpectedly", "Check the settings, {again}"),
}


def _cause(text: str, key: str | None) -> str:
    """Give the provider's own words without the wrappings of libraries, keys, line ends and excess."""
    text = text.partition("Traceback (most recent call last)")[0].strip()
    while (match := _PREFIX.match(text)) is not None and match.end() < len(text):
        text = text[match.end() :]
    said = " ".join(mask(_message_in(text), key).split())
    return said[:_LENGTH].rstrip(" .") or "it did not say why"


def _message_in(text: str) -> str:
    """Read the message out of the JSON error body in `text`, if there is one."""
    start = text.find("{")
    try:
        body: Any = json.JSONDecoder().raw_decode(text, start)[0] if start >= 0 else None
        while _is_object(body):
            body = body.get("error", body.get("message", body.get("detail")))
    except ValueError:
        return text
    return body if isinstance(body, str) and body else text


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]

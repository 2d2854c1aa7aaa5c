"""What a failed request to a model means: one of ten codes, whether to try again, when, and what fits.

Pure, and in nobody's types: status, headers and body as a server sent them, or what became of the
connection. The words for the person are `errors.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Literal, TypeAlias

from openhands_acp.llm.hints import wait_in, window_in

Cause: TypeAlias = Literal["answer", "connection", "tls", "untrusted", "proxy", "no_address", "unexpected"]
"""`answer` is a refusal, or an error in mid-stream; those between never reached the provider, or broke off."""

Situation: TypeAlias = Literal[
    "auth",
    "no_key",
    "forbidden",
    "quota",
    "rate_limit",
    "overloaded",
    "loading",
    "context",
    "too_much_at_once",
    "model",
    "address",
    "no_address",
    "memory",
    "content_filter",
    "timeout",
    "request",
    "conflict",
    "server",
    "gateway",
    "broken",
    "empty",
    "unreachable",
    "tls",
    "untrusted",
    "proxy",
    "internal",
]
"""What the words go by: where one code is said in several ways, the way."""

SOON = 300.0
"""Seconds: a limit that is lifted later than that is a quota, and not waited for."""


@dataclass(frozen=True, slots=True)
class Failure:
    cause: Cause
    text: str
    """The body of the answer, or what the system said."""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names in lower case."""
    kind: str = ""
    """The vendor's class of it: a hint for what no rule below knows."""
    has_begun: bool = False
    """Part of the answer had come."""


@dataclass(frozen=True, slots=True)
class Judgement:
    situation: Situation
    code: str
    can_retry: bool = False
    wait: float | None = None
    window: int | None = None


_CODES: Mapping[Situation, str] = {
    "forbidden": "auth",
    "no_key": "auth",
    "no_address": "request",
    "overloaded": "rate_limit",
    "loading": "rate_limit",
    "too_much_at_once": "context",
    "address": "request",
    "memory": "model",
    "conflict": "request",
    **dict.fromkeys(("server", "gateway", "broken", "empty", "unreachable", "tls", "untrusted", "proxy"), "network"),
}
"""Where the code is not the situation's own name."""

_WORTH_A_RETRY = frozenset[Situation](
    (
        "rate_limit",
        "overloaded",
        "loading",
        "timeout",
        "conflict",
        "server",
        "gateway",
        "broken",
        "empty",
        "unreachable",
    )
)


def judge(failure: Failure, now: datetime) -> Judgement:
    text = failure.text.lower()
    situation = _situation(failure, text)
    wait = wait_in(failure.headers, failure.text, now)
    if "perday" in text and wait is not None and wait <= SOON:
        wait = None  # Google tells when the minute is over, also of a day's quota
    if situation == "rate_limit" and wait is not None and wait > SOON:
        situation = "quota"
    code = _CODES.get(situation, situation)
    return Judgement(
        situation,
        code,
        can_retry=_can_retry(situation, failure, wait),
        wait=wait if code in {"quota", "rate_limit", "network", "timeout"} else None,
        window=window_in(failure.text) if code == "context" else None,
    )


def _can_retry(situation: Situation, failure: Failure, wait: float | None) -> bool:
    match situation:
        case "quota":
            return wait is not None and wait <= SOON
        case "proxy":
            return "407" not in failure.text
        case _:
            return situation in _WORTH_A_RETRY and failure.status != HTTPStatus.NOT_IMPLEMENTED


def is_page(text: str) -> bool:
    """Tell whether something that speaks to browsers answered: a proxy, a portal, the wrong address."""
    start = text.lstrip()[:200].lower()
    return start.startswith("<") and ("<html" in start or "<!doctype" in start)


# ---------------------------------------------------------------- which it is


def _situation(failure: Failure, text: str) -> Situation:
    match failure.cause:
        case "connection" if failure.has_begun:
            return "broken"
        case "connection" if failure.text == ENDED:
            return "empty"
        case "connection":
            return "unreachable"
        case "tls" | "untrusted" | "proxy" | "no_address":
            return failure.cause
        case "unexpected":
            return "no_key" if any(phrase in text for phrase in _NO_KEY) else "internal"
        case "answer":
            return _by_words(failure.status, text) or _by_status(failure, text)


ENDED = "it ended before the answer did"
"""The text of a failure whose body ended in good order, but too early."""

_ANY = frozenset({None, 400, 413, 422, 429, 500})
_NO_KEY = ("missing credentials", "no key is set", "api key. set the", "unable to locate credentials")
"""What LiteLLM and the vendors' packages say before they ask anybody."""
_RULES: tuple[tuple[Situation, frozenset[int | None], tuple[str, ...]], ...] = (
    ("too_much_at_once", frozenset({413, 429}), ("request too large for",)),
    (
        "context",
        _ANY,
        (
            "context length",
            "context_length",
            "context window",
            "context limit",
            "context size",
            "exceed_context",
            "maximum context",
            "maximum number of tokens allowed",
            "maximum prompt length",
            "maximum model length",
            "maximum input length",
            "prompt is too long",
            "prompt too long",
            "input is too long",
            "too many tokens",
            "reduce the length of the messages",
            "token limit:",
            "tokens exceed the configured limit",
            "range of input length",
            "`max_new_tokens` must be",
            "current length is",
            "prompt token count of",
            "prompt exceeds max length",
        ),
    ),
    (
        "content_filter",
        frozenset({None, 400, 403, 422}),
        (
            "content_filter",
            "content filter",
            "content_policy",
            "content management policy",
            "invalid_prompt",
            "usage policy",
            "safety system",
            "requires moderation",
            "prohibited_content",
            "data_inspection_failed",
        ),
    ),
    ("rate_limit", frozenset({429}), ("perminute",)),  # Google says `quota` of both
    (
        "quota",
        frozenset({None, 400, 402, 403, 429}),
        (
            "insufficient_quota",
            "exceeded your current quota",
            "exceeded_current_quota",
            "credit balance",
            "usage limit",
            "billing_hard_limit",
            "insufficient balance",
            "insufficient credits",
            "requires more credits",
            "out of credits",
            "used all available credits",
            "spending limit",
            "key limit exceeded",
            "arrearage",
        ),
    ),
    ("no_key", frozenset({None, 401}), _NO_KEY),
    ("auth", frozenset({400}), ("api key not valid", "api_key_invalid", "invalid api key", "api key expired")),
    ("forbidden", frozenset({400}), ("user location is not supported",)),
    (
        "model",
        frozenset({None, 400, 404}),
        (
            "model_not_found",
            "invalid model",
            "model not exist",
            "not a valid model",
            "no endpoints found",
            "not_found_error",
            "deploymentnotfound",
        ),
    ),
    ("memory", frozenset({None, 400, 500}), ("requires more system memory",)),
    ("loading", frozenset({None, 503}), ("loading model",)),
    ("overloaded", frozenset({None, 429, 500, 502, 503, 529}), ("overloaded", "service tier capacity", "server busy")),
    ("rate_limit", frozenset({None, 500}), ("rate limit", "rate_limit", "too many requests")),
    ("timeout", frozenset({None}), ("timed out", "timeout_error", "deadline expired")),
)
"""In this order: a status, None in mid-stream, and words in the body of which one decides."""


def _by_words(status: int | None, text: str) -> Situation | None:
    for situation, statuses, phrases in _RULES:
        if status in statuses and any(phrase in text for phrase in phrases):
            return situation
    return None


_BY_STATUS: Mapping[int, Situation] = {
    401: "auth",
    402: "quota",
    403: "forbidden",
    408: "timeout",
    409: "conflict",
    413: "context",
    425: "conflict",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    522: "timeout",
    524: "timeout",
    529: "overloaded",
}


def _by_status(failure: Failure, text: str) -> Situation:
    status = failure.status
    if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        is_between = is_page(text) and status not in {HTTPStatus.GATEWAY_TIMEOUT, 522, 524}
        return "gateway" if is_between else _BY_STATUS.get(status or 0, "server")
    if status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        return "model" if "model" in text else "address"
    if status < HTTPStatus.BAD_REQUEST:
        return "address"
    by_kind: Mapping[str, Situation] = {
        "ContextWindowExceededError": "context",
        "ContentPolicyViolationError": "content_filter",
    }
    return _BY_STATUS.get(status) or by_kind.get(failure.kind, "request")

"""What the words and numbers of servers mean, whoever sends them, and how that is said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.errors import Asked, turn_error
from openhands_acp.llm.failures import Failure
from openhands_acp.llm.route import Route

KEY = "sk-proj-abcdefghijkl"


def told_of(failure: Failure, route: Route | None = None) -> TurnError:
    return turn_error(Asked("somebody", "x", KEY, is_own_url=False, route=route or Route()), failure, NOW)


NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "body", "code", "more"),
    [
        # OpenRouter
        (402, '{"error":{"message":"Insufficient credits. Add more","code":402}}', "quota", {}),
        (
            402,
            '{"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}}',
            "quota",
            {},
        ),
        (403, '{"error":{"message":"Key limit exceeded (total limit).","code":403}}', "quota", {}),
        (
            429,
            '{"error":{"message":"Rate limit exceeded: free-models-per-day.","code":429,"metadata":{"headers":'
            '{"X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1769904000000"}}}}',
            "quota",
            {"wait": 43200.0},
        ),
        (
            429,
            '{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x is temporarily rate-limited"}}}',
            "rate_limit",
            {"can_retry": True},
        ),
        (
            403,
            '{"error":{"message":"x requires moderation on Y. Your input was flagged","code":403}}',
            "content_filter",
            {},
        ),
        (404, '{"error":{"message":"No endpoints found that support tool use.","code":404}}', "model", {}),
        (400, '{"error":{"message":"nobody/x is not a valid model ID","code":400}}', "model", {}),
        (
            400,
            '{"error":{"message":"This endpoint\'s maximum context length is 131072 tokens. However, you requested 140000"}}',
            "context",
            {"window": 131072},
        ),
        (None, '{"error":{"code":"server_error","message":"Provider disconnected"}}', "network", {"can_retry": True}),
        # Groq
        (
            429,
            '{"error":{"message":"Rate limit reached on tokens per day (TPD): Limit 100000, Used 99336, Requested 2000. '
            'Please try again in 19m14.7s.","code":"rate_limit_exceeded"}}',
            "quota",
            {"wait": 1154.7},
        ),
        (
            413,
            '{"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7000, '
            'please reduce your message size and try again.","code":"rate_limit_exceeded"}}',
            "context",
            {"window": 6000},
        ),
        # llama.cpp
        (
            400,
            '{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it",'
            '"type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":4096}}',
            "context",
            {"window": 4096},
        ),
        (
            503,
            '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}',
            "rate_limit",
            {"can_retry": True},
        ),
        # vLLM, old and new
        (
            400,
            '{"object":"error","message":"This model\'s maximum context length is 4096 tokens. However, you requested 5000"}',
            "context",
            {"window": 4096},
        ),
        (404, '{"error":{"message":"The model `x` does not exist.","type":"NotFoundError"}}', "model", {}),
        (401, '{"error":"Unauthorized"}', "auth", {}),
        # Ollama
        (404, '{"error":{"message":"model \\"x\\" not found, try pulling it first"}}', "model", {}),
        (
            500,
            '{"error":"model requires more system memory (9.1 GiB) than is available (5.2 GiB)"}',
            "model",
            {},
        ),
        (400, '{"error":"prompt too long; exceeded max context length by 12 tokens"}', "context", {}),
        (404, "404 page not found", "request", {}),
        # Mistral, xAI, Moonshot, DeepSeek, DashScope, LM Studio
        (
            400,
            '{"object":"error","message":"Prompt contains 40000 tokens, too large for model with 32768 maximum context '
            'length","code":"3051"}',
            "context",
            {"window": 32768},
        ),
        (429, '{"message":"Service tier capacity exceeded for this model."}', "rate_limit", {"can_retry": True}),
        (400, '{"message":"Invalid model: x","code":"1500"}', "model", {}),
        (
            400,
            '{"code":"invalid argument","error":"This model\'s maximum prompt length is 131072 but the request contains 9"}',
            "context",
            {"window": 131072},
        ),
        (
            400,
            '{"error":{"message":"Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)"}}',
            "context",
            {"window": 131072},
        ),
        (402, '{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}', "quota", {}),
        (400, '{"error":{"message":"Range of input length should be [1, 129024]"}}', "context", {"window": 129024}),
        (
            400,
            '{"error":"the model is loaded with context length of only 4096 tokens, which is not enough"}',
            "context",
            {"window": 4096},
        ),
        # Google, for a day
        (
            429,
            '{"error":{"code":429,"message":"You exceeded your current quota. Please retry in 41.7s.",'
            '"details":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}}',
            "quota",
            {},
        ),
        # Anthropic, for a month
        (
            400,
            '{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage '
            'limits. You will regain access on 2026-02-01 at 00:00 UTC."}}',
            "quota",
            {"wait": 43200.0},
        ),
        (
            413,
            '{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}',
            "context",
            {},
        ),
        # Azure
        (
            400,
            '{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI\'s content management '
            'policy.","code":"content_filter"}}',
            "content_filter",
            {},
        ),
        # in mid-stream, without a status
        (None, "Request timed out", "timeout", {"can_retry": True}),
        (None, '{"error":{"code":"context_length_exceeded","message":"Your input exceeds"}}', "context", {}),
        (None, '{"error":{"code":"rate_limit_exceeded","message":"Slow down"}}', "rate_limit", {"can_retry": True}),
        (None, '{"error":{"code":"insufficient_quota","message":"Too much"}}', "quota", {}),
        # whoever it is
        (408, "", "timeout", {"can_retry": True}),
        (409, '{"error":{"message":"The resource is locked"}}', "request", {"can_retry": True}),
        (429, "", "rate_limit", {"can_retry": True}),
        (501, "", "network", {}),
        (503, "<html><title>503 Service Unavailable</title></html>", "network", {"can_retry": True}),
        (524, "<html><title>524: A timeout occurred</title></html>", "timeout", {"can_retry": True}),
        (418, "", "request", {}),
    ],
)
def test_what_servers_say(status: int | None, body: str, code: str, more: dict[str, object]) -> None:
    told = told_of(Failure("answer", body, status))
    found = {"can_retry": told.can_retry, "wait": told.wait, "window": told.window}
    assert (told.code, {name: value for name, value in found.items() if value}) == (code, more)


@pytest.mark.parametrize(
    ("failure", "route", "detail"),
    [
        (
            Failure("answer", '{"error":{"message":"Rate limit reached. Please try again in 3h2m0s."}}', 429),
            Route(),
            "Somebody says that the quota for x is used up (429): Rate limit reached. Please try again in 3h2m0s. "
            "It is available again in 4 h: wait or choose another model, then send the prompt again.",
        ),
        (
            Failure(
                "answer", '{"error":{"message":"Provider returned error","metadata":{"raw":"x is busy upstream"}}}', 429
            ),
            Route(),
            "Somebody limits how often x may be asked (429): x is busy upstream. Wait a little, then send the prompt again.",
        ),
        (
            Failure("answer", "<html><title>502 Bad Gateway</title></html>", 502),
            Route("http://proxy:3128", "HTTPS_PROXY"),
            "The proxy http://proxy:3128 (HTTPS_PROXY) between here and somebody answered the request to x in its place "
            "(502): Bad Gateway. Wait a little, then send the prompt again.",
        ),
        (
            Failure("connection", "connection refused"),
            Route("http://proxy:3128", "HTTPS_PROXY"),
            "Somebody could not be reached for x through the proxy http://proxy:3128 (HTTPS_PROXY): connection refused. "
            "Check that the proxy runs and that HTTPS_PROXY is right, then send the prompt again.",
        ),
        (
            Failure("unexpected", "KeyError: 'choices'"),
            Route(),
            "The request to x at somebody failed unexpectedly: 'choices'. "
            "Check the settings, then send the prompt again.",
        ),
        (
            Failure("answer", "a word " * 100, 500),
            Route(),
            f"Somebody failed while running x (500): {'a word ' * 57}… Wait a little, then send the prompt again.",
        ),
        (
            Failure("answer", "", 500),
            Route(),
            "Somebody failed while running x (500): it did not say why. Wait a little, then send the prompt again.",
        ),
    ],
)
def test_how_it_is_said(failure: Failure, route: Route, detail: str) -> None:
    assert told_of(failure, route).detail == detail


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcDEF123456.",
        "Permission denied: Consumer 'api_key:AIzaSyA1234567890abcdef' has been suspended.",
        "GET https://example.com/v1?key=abcDEF123456 failed",
        "Authorization: Bearer abcDEF123456",
        "Invalid API Key: gsk_abcDEF1234567890abcdef",
        f"the key {KEY} is not known",
        "407, url='http://me:abcDEF123456@proxy:3128'",
    ],
)
def test_no_key_is_told(text: str) -> None:
    told = told_of(Failure("answer", text, 401)).detail
    assert "***" in told
    assert not any(secret in told for secret in ("abcDEF123456", "AIzaSyA1234567890abcdef", KEY))

"""How long to wait and how much fits, read out of what providers say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openhands_acp.llm.hints import wait_in, window_in

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "text", "wait"),
    [
        ({}, "", None),
        ({"retry-after": "7"}, "", 7),
        ({"retry-after": "0.5"}, "", 0.5),
        ({"retry-after": "Sat, 31 Jan 2026 12:00:09 GMT"}, "", 9),
        ({"retry-after": "Sat, 31 Jan 2026 11:00:00 GMT"}, "", 0),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, "", 1.5),
        ({"retry-after": "7", "x-ratelimit-reset-tokens": "6m0s"}, "", 7),
        ({"x-ratelimit-reset-requests": "12ms", "x-ratelimit-reset-tokens": "6m0s"}, "", 360),
        (
            {
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "5000",
            },
            "",
            2,
        ),
        ({"x-ratelimit-reset": "1769860830"}, "", 30),
        ({"x-ratelimit-reset": "1769860830000"}, "", 30),
        ({"ratelimit-reset": "30"}, "", 30),
        ({"anthropic-ratelimit-input-tokens-reset": "2026-01-31T12:00:12Z"}, "", 12),
        (
            {
                "anthropic-ratelimit-requests-reset": "2026-01-31T12:01:00Z",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-input-tokens-reset": "2026-01-31T12:00:12Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
            },
            "",
            12,
        ),
        ({}, "Please try again in 2.5s. Visit https://platform.openai.com/account/rate-limits", 2.5),
        ({}, "Please try again in 120ms. Visit https://platform.openai.com", 0.12),
        ({}, "Limit 100000, Used 99336, Requested 2000. Please try again in 19m14.7s.", 1154.7),
        ({}, "Please try again in 7 minutes and do not hurry", 420),
        ({}, "Please retry in 41.79s.", 41.79),
        ({}, '{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "41s"}', 41),
        ({}, "You will regain access on 2026-02-01 at 00:00 UTC.", 43200),
        ({}, '{"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Reset": "1769904000000"}}', 43200),
        ({}, "your limit resets in 3 hours", 10800),
        ({}, "it was tried 3 times in 2 days", None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], text: str, wait: float | None) -> None:
    assert wait_in(headers, text, NOW) == (wait if wait is None else pytest.approx(wait))


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("This model's maximum context length is 128000 tokens. However, your messages resulted in 130562", 128_000),
        ("maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages)", 4096),
        ("This endpoint's maximum context length is 131072 tokens. However, you requested about 140000", 131_072),
        ("The decoder prompt (length 5000) is longer than the maximum model length of 4096.", 4096),
        ("prompt is too long: 208310 tokens > 200000 maximum", 200_000),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease", 200_000),
        ("The input token count (1248101) exceeds the maximum number of tokens allowed (1048576).", 1_048_576),
        ("The input token count exceeds the maximum number of tokens allowed 1048576.", 1_048_576),
        ("request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", 4096),
        ('"type": "exceed_context_size_error", "n_prompt_tokens": 5000, "n_ctx": 4096', 4096),
        ("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context", 32_768),
        ("This model's maximum prompt length is 131072 but the request contains 140000 tokens.", 131_072),
        ("Your request exceeded model token limit: 131072 (requested: 140000)", 131_072),
        ("Please reduce the length of the messages. Current length is 9000 while limit is 8192", 8192),
        ("the model is loaded with context length of only 4096 tokens, which is not enough", 4096),
        ("prompt token count of 130000 exceeds the limit of 128000", 128_000),
        ("Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000", 272_000),
        ("Range of input length should be [1, 129024]", 129_024),
        ("`inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000", 8193),
        ("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 34000.", 30_000),
        ("prompt is too long: 208,310 tokens > 200,000 maximum", 200_000),
        ("Your input exceeds the context window of this model.", None),
        ("prompt too long; exceeded max context length by 12 tokens", None),
        ("Please reduce the length of the messages or completion.", None),
    ],
)
def test_how_much_the_model_reads(text: str, window: int | None) -> None:
    assert window_in(text) == window

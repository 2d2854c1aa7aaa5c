"""What a person reads, and what the engine is told, for each failure of each family of providers: word for word."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.llm.failing import family

pytestmark = pytest.mark.anyio


async def test_openai_chat() -> None:
    assert await family("openai/gpt-x") == snapshot(
        {
            "auth": (
                "auth",
                {},
                "The SERVER refused the key for gpt-x (401): Incorrect API key provided: ***. You can find your API key at https://platform.openai.com/account/api-keys. Set LLM_API_KEY or run `openhands-acp setup` (AGAIN)",
            ),
            "forbidden": (
                "auth",
                {},
                "The SERVER does not let this key use gpt-x (403): Project `proj_1` does not have access to model `gpt-x`. Use another key or another model (AGAIN)",
            ),
            "quota": (
                "quota",
                {},
                "The SERVER says that the quota for gpt-x is used up (429): You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors. Add credit or choose another model (AGAIN)",
            ),
            "rate_limit": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER limits how often gpt-x may be asked (429): Rate limit reached for gpt-x in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 7s. Visit https://platform.openai.com/account/rate-limits to learn more. Wait 7 s (AGAIN)",
            ),
            "context": (
                "context",
                {"window": 128000},
                "The conversation has become longer than gpt-x at the SERVER can read (400): This model's maximum context length is 128000 tokens. However, your messages resulted in 130562 tokens (129562 in the messages, 1000 in the functions). Please reduce the length of the messages or functions. Start a new session, or choose a model with a larger context window.",
            ),
            "model": (
                "model",
                {},
                "The SERVER has no model gpt-x (404): The model `gpt-x` does not exist or you do not have access to it. Check the name in LLM_MODEL or choose another model (AGAIN)",
            ),
            "content_filter": (
                "content_filter",
                {},
                "The content filter of the SERVER refused this request to gpt-x (400): Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt. Rephrase it (AGAIN)",
            ),
            "request": (
                "request",
                {},
                "The SERVER refused the request to gpt-x (400): Unsupported parameter: 'temperature' is not supported with this model. Choose another model, or start a new session (AGAIN)",
            ),
            "overloaded": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER is overloaded and did not run gpt-x (503): The engine is currently overloaded, please try again later. Wait 7 s (AGAIN)",
            ),
            "server": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running gpt-x (500): The server had an error while processing your request. Sorry about that! Wait a little (AGAIN)",
            ),
            "timeout": (
                "timeout",
                {"can_retry": True},
                "The SERVER gave up waiting for gpt-x (504): Gateway Time-out. Wait a little (AGAIN)",
            ),
            "proxy": (
                "network",
                {"can_retry": True},
                "Something between here and the SERVER answered the request to gpt-x in its place (502): Bad Gateway. Wait a little (AGAIN)",
            ),
            "empty": (
                "network",
                {"can_retry": True},
                "The SERVER answered the request to gpt-x with nothing: it ended before the answer did. Wait a little (AGAIN)",
            ),
            "overloaded in mid-stream": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run gpt-x: The engine is currently overloaded, please try again later. Wait a little (AGAIN)",
            ),
            "failed in mid-stream": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running gpt-x: The server had an error while processing your request. Sorry about that! Wait a little (AGAIN)",
            ),
            "ended in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while gpt-x was answering: it ended before the answer did. Check the network (AGAIN)",
            ),
            "reset in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while gpt-x was answering: the connection was reset. Check the network (AGAIN)",
            ),
            "reset at once": (
                "network",
                {"can_retry": True},
                "The SERVER could not be reached for gpt-x: the connection was reset. Check that it runs and that LLM_BASE_URL is right (AGAIN)",
            ),
            "a portal's page": (
                "request",
                {},
                "The SERVER knows nothing of models at the address that was asked for gpt-x (200): a page for browsers, 'Sign in'. Check LLM_BASE_URL (mostly it ends in /v1) (AGAIN)",
            ),
            "silent": (
                "timeout",
                {"can_retry": True},
                "The SERVER accepted the request, but gpt-x sent nothing within 0.5 s. Check whether the provider is overloaded, or raise the `first_token` deadline (AGAIN)",
            ),
            "silent in mid-stream": (
                "timeout",
                {"can_retry": True},
                "The SERVER stopped sending: gpt-x was silent for 0.5 s in its answer. Check whether the provider is overloaded, or raise the `between_chunks` deadline (AGAIN)",
            ),
        }
    )


async def test_openai_responses() -> None:
    assert await family("openai/responses/gpt-x") == snapshot(
        {
            "auth": (
                "auth",
                {},
                "The SERVER refused the key for gpt-x (401): Incorrect API key provided: ***. You can find your API key at https://platform.openai.com/account/api-keys. Set LLM_API_KEY or run `openhands-acp setup` (AGAIN)",
            ),
            "forbidden": (
                "auth",
                {},
                "The SERVER does not let this key use gpt-x (403): Project `proj_1` does not have access to model `gpt-x`. Use another key or another model (AGAIN)",
            ),
            "quota": (
                "quota",
                {},
                "The SERVER says that the quota for gpt-x is used up (429): You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors. Add credit or choose another model (AGAIN)",
            ),
            "rate_limit": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER limits how often gpt-x may be asked (429): Rate limit reached for gpt-x in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 7s. Visit https://platform.openai.com/account/rate-limits to learn more. Wait 7 s (AGAIN)",
            ),
            "context": (
                "context",
                {},
                "The conversation has become longer than gpt-x at the SERVER can read (400): Your input exceeds the context window of this model. Please adjust your input and try again. Start a new session, or choose a model with a larger context window.",
            ),
            "model": (
                "model",
                {},
                "The SERVER has no model gpt-x (404): The model `gpt-x` does not exist or you do not have access to it. Check the name in LLM_MODEL or choose another model (AGAIN)",
            ),
            "content_filter": (
                "content_filter",
                {},
                "The content filter of the SERVER refused this request to gpt-x (400): Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt. Rephrase it (AGAIN)",
            ),
            "request": (
                "request",
                {},
                "The SERVER refused the request to gpt-x (400): Unsupported parameter: 'temperature' is not supported with this model. Choose another model, or start a new session (AGAIN)",
            ),
            "overloaded": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER is overloaded and did not run gpt-x (503): The engine is currently overloaded, please try again later. Wait 7 s (AGAIN)",
            ),
            "server": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running gpt-x (500): The server had an error while processing your request. Sorry about that! Wait a little (AGAIN)",
            ),
            "timeout": (
                "timeout",
                {"can_retry": True},
                "The SERVER gave up waiting for gpt-x (504): Gateway Time-out. Wait a little (AGAIN)",
            ),
            "proxy": (
                "network",
                {"can_retry": True},
                "Something between here and the SERVER answered the request to gpt-x in its place (502): Bad Gateway. Wait a little (AGAIN)",
            ),
            "empty": (
                "network",
                {"can_retry": True},
                "The SERVER answered the request to gpt-x with nothing: it ended before the answer did. Wait a little (AGAIN)",
            ),
            "overloaded in mid-stream": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run gpt-x: The engine is currently overloaded, please try again later. Wait a little (AGAIN)",
            ),
            "failed in mid-stream": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running gpt-x: The server had an error while processing your request. Sorry about that! Wait a little (AGAIN)",
            ),
            "ended in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while gpt-x was answering: it ended before the answer did. Check the network (AGAIN)",
            ),
            "reset in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while gpt-x was answering: the connection was reset. Check the network (AGAIN)",
            ),
            "reset at once": (
                "network",
                {"can_retry": True},
                "The SERVER could not be reached for gpt-x: the connection was reset. Check that it runs and that LLM_BASE_URL is right (AGAIN)",
            ),
            "a portal's page": (
                "request",
                {},
                "The SERVER knows nothing of models at the address that was asked for gpt-x (200): a page for browsers, 'Sign in'. Check LLM_BASE_URL (mostly it ends in /v1) (AGAIN)",
            ),
            "silent": (
                "timeout",
                {"can_retry": True},
                "The SERVER accepted the request, but gpt-x sent nothing within 0.5 s. Check whether the provider is overloaded, or raise the `first_token` deadline (AGAIN)",
            ),
            "silent in mid-stream": (
                "timeout",
                {"can_retry": True},
                "The SERVER stopped sending: gpt-x was silent for 0.5 s in its answer. Check whether the provider is overloaded, or raise the `between_chunks` deadline (AGAIN)",
            ),
        }
    )


async def test_anthropic() -> None:
    assert await family("anthropic/claude-x") == snapshot(
        {
            "auth": (
                "auth",
                {},
                "The SERVER refused the key for claude-x (401): invalid x-api-key. Set LLM_API_KEY or run `openhands-acp setup` (AGAIN)",
            ),
            "forbidden": (
                "auth",
                {},
                "The SERVER does not let this key use claude-x (403): Your API key does not have permission to use the specified resource. Use another key or another model (AGAIN)",
            ),
            "quota": (
                "quota",
                {},
                "The SERVER says that the quota for claude-x is used up (400): Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits. Add credit or choose another model (AGAIN)",
            ),
            "rate_limit": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER limits how often claude-x may be asked (429): This request would exceed your organization's rate limit of 30,000 input tokens per minute. Wait 7 s (AGAIN)",
            ),
            "context": (
                "context",
                {"window": 200000},
                "The conversation has become longer than claude-x at the SERVER can read (400): prompt is too long: 208310 tokens > 200000 maximum. Start a new session, or choose a model with a larger context window.",
            ),
            "model": (
                "model",
                {},
                "The SERVER has no model claude-x (404): model: claude-x. Check the name in LLM_MODEL or choose another model (AGAIN)",
            ),
            "content_filter": (
                "content_filter",
                {},
                "The content filter of the SERVER refused this request to claude-x (400): Output blocked by content filtering policy. Rephrase it (AGAIN)",
            ),
            "request": (
                "request",
                {},
                "The SERVER refused the request to claude-x (400): temperature: range: 0..1. Choose another model, or start a new session (AGAIN)",
            ),
            "overloaded": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER is overloaded and did not run claude-x (529): Overloaded. Wait 7 s (AGAIN)",
            ),
            "server": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running claude-x (500): Internal server error. Wait a little (AGAIN)",
            ),
            "timeout": (
                "timeout",
                {"can_retry": True},
                "The SERVER gave up waiting for claude-x (504): Request timed out. Wait a little (AGAIN)",
            ),
            "proxy": (
                "network",
                {"can_retry": True},
                "Something between here and the SERVER answered the request to claude-x in its place (502): Bad Gateway. Wait a little (AGAIN)",
            ),
            "empty": (
                "network",
                {"can_retry": True},
                "The SERVER answered the request to claude-x with nothing: it ended before the answer did. Wait a little (AGAIN)",
            ),
            "overloaded in mid-stream": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run claude-x: Overloaded. Wait a little (AGAIN)",
            ),
            "failed in mid-stream": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running claude-x: Internal server error. Wait a little (AGAIN)",
            ),
            "ended in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while claude-x was answering: it ended before the answer did. Check the network (AGAIN)",
            ),
            "reset in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while claude-x was answering: the connection was reset. Check the network (AGAIN)",
            ),
            "reset at once": (
                "network",
                {"can_retry": True},
                "The SERVER could not be reached for claude-x: the connection was reset. Check that it runs and that LLM_BASE_URL is right (AGAIN)",
            ),
            "a portal's page": (
                "request",
                {},
                "The SERVER knows nothing of models at the address that was asked for claude-x (200): a page for browsers, 'Sign in'. Check LLM_BASE_URL (mostly it ends in /v1) (AGAIN)",
            ),
            "silent": (
                "timeout",
                {"can_retry": True},
                "The SERVER accepted the request, but claude-x sent nothing within 0.5 s. Check whether the provider is overloaded, or raise the `first_token` deadline (AGAIN)",
            ),
            "silent in mid-stream": (
                "timeout",
                {"can_retry": True},
                "The SERVER stopped sending: claude-x was silent for 0.5 s in its answer. Check whether the provider is overloaded, or raise the `between_chunks` deadline (AGAIN)",
            ),
        }
    )


async def test_gemini() -> None:
    assert await family("gemini/gemini-x") == snapshot(
        {
            "auth": (
                "auth",
                {},
                "The SERVER refused the key for gemini-x (400): API key not valid. Please pass a valid API key. Set LLM_API_KEY or run `openhands-acp setup` (AGAIN)",
            ),
            "forbidden": (
                "auth",
                {},
                "The SERVER does not let this key use gemini-x (403): Generative Language API has not been used in project 123 before or it is disabled. Use another key or another model (AGAIN)",
            ),
            "quota": (
                "quota",
                {},
                "The SERVER says that the quota for gemini-x is used up (429): You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. * Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 250, model: gemini-x. Add credit or choose another model (AGAIN)",
            ),
            "rate_limit": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER limits how often gemini-x may be asked (429): You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. * Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 10, model: gemini-x Please retry in 7s. Wait 7 s (AGAIN)",
            ),
            "context": (
                "context",
                {"window": 1048576},
                "The conversation has become longer than gemini-x at the SERVER can read (400): The input token count (1248101) exceeds the maximum number of tokens allowed (1048576). Start a new session, or choose a model with a larger context window.",
            ),
            "model": (
                "model",
                {},
                "The SERVER has no model gemini-x (404): models/gemini-x is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods. Check the name in LLM_MODEL or choose another model (AGAIN)",
            ),
            "content_filter": (
                "",
                {},
                "it went well: Finish(reason='refusal', usage=Usage(input_tokens=0, output_tokens=0, cached_tokens=0, cost_usd=None, cache_write_tokens=0, reasoning_tokens=0), blocks=None)",
            ),
            "request": (
                "request",
                {},
                'The SERVER refused the request to gemini-x (400): Invalid JSON payload received. Unknown name "colour": Cannot find field. Choose another model, or start a new session (AGAIN)',
            ),
            "overloaded": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run gemini-x (503): The model is overloaded. Please try again later. Wait a little (AGAIN)",
            ),
            "server": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running gemini-x (500): An internal error has occurred. Please retry. Wait a little (AGAIN)",
            ),
            "timeout": (
                "timeout",
                {"can_retry": True},
                "The SERVER gave up waiting for gemini-x (504): Deadline expired before operation could complete. Wait a little (AGAIN)",
            ),
            "proxy": (
                "network",
                {"can_retry": True},
                "Something between here and the SERVER answered the request to gemini-x in its place (502): Bad Gateway. Wait a little (AGAIN)",
            ),
            "empty": (
                "network",
                {"can_retry": True},
                "The SERVER answered the request to gemini-x with nothing: it ended before the answer did. Wait a little (AGAIN)",
            ),
            "overloaded in mid-stream": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run gemini-x: The model is overloaded. Please try again later. Wait a little (AGAIN)",
            ),
            "failed in mid-stream": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running gemini-x: An internal error has occurred. Please retry. Wait a little (AGAIN)",
            ),
            "ended in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while gemini-x was answering: it ended before the answer did. Check the network (AGAIN)",
            ),
            "reset in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while gemini-x was answering: the connection was reset. Check the network (AGAIN)",
            ),
            "reset at once": (
                "network",
                {"can_retry": True},
                "The SERVER could not be reached for gemini-x: the connection was reset. Check that it runs and that LLM_BASE_URL is right (AGAIN)",
            ),
            "a portal's page": (
                "request",
                {},
                "The SERVER knows nothing of models at the address that was asked for gemini-x (200): a page for browsers, 'Sign in'. Check LLM_BASE_URL (mostly it ends in /v1) (AGAIN)",
            ),
            "silent": (
                "timeout",
                {"can_retry": True},
                "The SERVER accepted the request, but gemini-x sent nothing within 0.5 s. Check whether the provider is overloaded, or raise the `first_token` deadline (AGAIN)",
            ),
            "silent in mid-stream": (
                "timeout",
                {"can_retry": True},
                "The SERVER stopped sending: gemini-x was silent for 0.5 s in its answer. Check whether the provider is overloaded, or raise the `between_chunks` deadline (AGAIN)",
            ),
        }
    )

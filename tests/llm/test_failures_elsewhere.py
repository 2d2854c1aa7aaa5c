"""The same of those that answer in words of their own: Ollama, and Azure around OpenAI's models."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.llm.failing import family

pytestmark = pytest.mark.anyio


async def test_ollama() -> None:
    assert await family("ollama_chat/qwen-x", without=["content_filter"]) == snapshot(
        {
            "auth": (
                "auth",
                {},
                "The SERVER refused the key for qwen-x (401): unauthorized. Set LLM_API_KEY or run `openhands-acp setup` (AGAIN)",
            ),
            "quota": (
                "quota",
                {},
                "The SERVER says that the quota for qwen-x is used up (429): you've reached your hourly usage limit, please upgrade to continue. Add credit or choose another model (AGAIN)",
            ),
            "forbidden": (
                "auth",
                {},
                "The SERVER does not let this key use qwen-x (403): this model requires a subscription, upgrade for access. Use another key or another model (AGAIN)",
            ),
            "request": (
                "request",
                {},
                "The SERVER refused the request to qwen-x (400): registry.ollama.ai/library/qwen-x does not support tools. Choose another model, or start a new session (AGAIN)",
            ),
            "overloaded": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run qwen-x (503): server busy, please try again. maximum pending requests exceeded. Wait a little (AGAIN)",
            ),
            "rate_limit": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER limits how often qwen-x may be asked (429): too many concurrent requests. Wait a little (AGAIN)",
            ),
            "server": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running qwen-x (500): llama runner process has terminated: exit status 2. Wait a little (AGAIN)",
            ),
            "empty": (
                "network",
                {"can_retry": True},
                "The SERVER answered the request to qwen-x with nothing: it ended before the answer did. Wait a little (AGAIN)",
            ),
            "model": (
                "model",
                {},
                "The SERVER has no model qwen-x (404): model 'qwen-x' not found. Check the name in LLM_MODEL or choose another model (AGAIN)",
            ),
            "timeout": (
                "timeout",
                {"can_retry": True},
                "The SERVER gave up waiting for qwen-x (504): Gateway Time-out. Wait a little (AGAIN)",
            ),
            "proxy": (
                "network",
                {"can_retry": True},
                "Something between here and the SERVER answered the request to qwen-x in its place (502): Bad Gateway. Wait a little (AGAIN)",
            ),
            "ended in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while qwen-x was answering: it ended before the answer did. Check the network (AGAIN)",
            ),
            "failed in mid-stream": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running qwen-x: llama runner process has terminated: exit status 2. Wait a little (AGAIN)",
            ),
            "overloaded in mid-stream": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run qwen-x: server busy, please try again. maximum pending requests exceeded. Wait a little (AGAIN)",
            ),
            "context": (
                "context",
                {},
                "The conversation has become longer than qwen-x at the SERVER can read (400): prompt too long; exceeded max context length by 1200 tokens. Start a new session, or choose a model with a larger context window.",
            ),
            "reset in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while qwen-x was answering: the connection was reset. Check the network (AGAIN)",
            ),
            "a portal's page": (
                "request",
                {},
                "The SERVER knows nothing of models at the address that was asked for qwen-x (200): a page for browsers, 'Sign in'. Check LLM_BASE_URL (mostly it ends in /v1) (AGAIN)",
            ),
            "reset at once": (
                "network",
                {"can_retry": True},
                "The SERVER could not be reached for qwen-x: the connection was reset. Check that it runs and that LLM_BASE_URL is right (AGAIN)",
            ),
            "silent": (
                "timeout",
                {"can_retry": True},
                "The SERVER accepted the request, but qwen-x sent nothing within 0.5 s. Check whether the provider is overloaded, or raise the `first_token` deadline (AGAIN)",
            ),
            "silent in mid-stream": (
                "timeout",
                {"can_retry": True},
                "The SERVER stopped sending: qwen-x was silent for 0.5 s in its answer. Check whether the provider is overloaded, or raise the `between_chunks` deadline (AGAIN)",
            ),
        }
    )


async def test_azure() -> None:
    assert await family("azure/my-gpt") == snapshot(
        {
            "auth": (
                "auth",
                {},
                "The SERVER refused the key for my-gpt (401): Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource. Set LLM_API_KEY or run `openhands-acp setup` (AGAIN)",
            ),
            "forbidden": (
                "auth",
                {},
                "The SERVER does not let this key use my-gpt (403): The principal `9c5b` lacks the required data action `Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action` to perform `POST /openai/deployments/{deployment-id}/chat/completions` operation. Use another key or another model (AGAIN)",
            ),
            "quota": (
                "quota",
                {"wait": 86400.0},
                "The SERVER says that the quota for my-gpt is used up (429): Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 86400 seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit. It is available again in 24 h: wait or choose another model (AGAIN)",
            ),
            "rate_limit": (
                "rate_limit",
                {"can_retry": True, "wait": 7.0},
                "The SERVER limits how often my-gpt may be asked (429): Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded call rate limit of your current OpenAI S0 pricing tier. Please retry after 7 seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit. Wait 7 s (AGAIN)",
            ),
            "context": (
                "context",
                {"window": 8192},
                "The conversation has become longer than my-gpt at the SERVER can read (400): This model's maximum context length is 8192 tokens. However, your messages resulted in 10015 tokens. Please reduce the length of the messages. Start a new session, or choose a model with a larger context window.",
            ),
            "model": (
                "model",
                {},
                "The SERVER has no model my-gpt (404): The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again. Check the name in LLM_MODEL or choose another model (AGAIN)",
            ),
            "content_filter": (
                "content_filter",
                {},
                "The content filter of the SERVER refused this request to my-gpt (400): The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766. Rephrase it (AGAIN)",
            ),
            "request": (
                "request",
                {},
                "The SERVER refused the request to my-gpt (400): Unrecognized request argument supplied: colour. Choose another model, or start a new session (AGAIN)",
            ),
            "overloaded": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run my-gpt (503): The service is temporarily unable to process your request. Please try again later. Wait a little (AGAIN)",
            ),
            "server": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running my-gpt (500): The server had an error processing your request. Sorry about that! Wait a little (AGAIN)",
            ),
            "timeout": (
                "timeout",
                {"can_retry": True},
                "The SERVER gave up waiting for my-gpt (408): The operation was timeout. Wait a little (AGAIN)",
            ),
            "proxy": (
                "network",
                {"can_retry": True},
                "Something between here and the SERVER answered the request to my-gpt in its place (502): Bad Gateway. Wait a little (AGAIN)",
            ),
            "empty": (
                "network",
                {"can_retry": True},
                "The SERVER answered the request to my-gpt with nothing: it ended before the answer did. Wait a little (AGAIN)",
            ),
            "ended in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while my-gpt was answering: it ended before the answer did. Check the network (AGAIN)",
            ),
            "overloaded in mid-stream": (
                "rate_limit",
                {"can_retry": True},
                "The SERVER is overloaded and did not run my-gpt: The engine is currently overloaded, please try again later. Wait a little (AGAIN)",
            ),
            "failed in mid-stream": (
                "network",
                {"can_retry": True},
                "The SERVER failed while running my-gpt: The server had an error while processing your request. Sorry about that! Wait a little (AGAIN)",
            ),
            "reset at once": (
                "network",
                {"can_retry": True},
                "The SERVER could not be reached for my-gpt: the connection was reset. Check that it runs and that LLM_BASE_URL is right (AGAIN)",
            ),
            "a portal's page": (
                "network",
                {"can_retry": True},
                "The SERVER answered the request to my-gpt with nothing: it ended before the answer did. Wait a little (AGAIN)",
            ),
            "reset in mid-stream": (
                "network",
                {"can_retry": True},
                "The connection to the SERVER broke while my-gpt was answering: the connection was reset. Check the network (AGAIN)",
            ),
            "silent": (
                "timeout",
                {"can_retry": True},
                "The SERVER accepted the request, but my-gpt sent nothing within 0.5 s. Check whether the provider is overloaded, or raise the `first_token` deadline (AGAIN)",
            ),
            "silent in mid-stream": (
                "timeout",
                {"can_retry": True},
                "The SERVER stopped sending: my-gpt was silent for 0.5 s in its answer. Check whether the provider is overloaded, or raise the `between_chunks` deadline (AGAIN)",
            ),
        }
    )

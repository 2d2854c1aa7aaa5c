"""HTTP as models are asked over it: whose certificates are trusted, which proxy is taken, what a body must end with.

Part of LiteLLM's door: makes the clients that OpenAI's SDK and LiteLLM are given, and knows no protocol but its end.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any, Final, NoReturn

import httpx

from openhands_acp.llm.litellm_failures import cut, fault
from openhands_acp.llm.route import trust_variable


def trusted(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Trust what the environment names, as OpenSSL, curl and requests have it, else the usual and the system's."""
    return _trust_in(environ.get(trust_variable(environ), ""))


@lru_cache(maxsize=1)  # it takes 20 ms and a megabyte
def _trust_in(path: str) -> ssl.SSLContext:
    with suppress(OSError):  # what cannot be read is told when it matters, in the words of a failure
        if path:
            is_folder = Path(path).is_dir()
            return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)
    usual = httpx.create_ssl_context(trust_env=False)
    usual.load_default_certs()
    return usual


_NEVER_BY_PROXY: Final[Mapping[str, None]] = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
"""A proxy elsewhere cannot reach this machine's own servers, and few people except them in NO_PROXY."""

_LIKE_OPENAI: Final = (
    *("azure_ai", "deepseek", "fireworks_ai", "groq", "hosted_vllm", "mistral", "openrouter", "together_ai", "xai"),
)
_ENDS: Final[Mapping[str, Sequence[str]]] = {
    "anthropic": ('"message_stop"',),
    "gemini": ('"finishReason"', '"blockReason"'),
    "ollama_chat": ('"done":true', '"done": true'),
    **dict.fromkeys(_LIKE_OPENAI, ("[DONE]", '"finish_reason":"', '"finish_reason": "')),
}
"""What is in the last event of an answer, by provider: LiteLLM takes one that was cut off for a whole one.

Of the others LiteLLM makes the clients itself.
"""


_MOST: Final = 16 << 20
"""Bytes of what is fetched whole: OpenRouter's list of models has two million."""
_OLLAMAS_FAULT: Final = '{"error":'
"""How a line of its streams begins that is none of an answer."""
_KEPT: Final = httpx.Limits(max_keepalive_connections=20, keepalive_expiry=4)
"""Many servers (llama.cpp, Node's) hang up after five idle seconds, just as a client that keeps as long asks again."""


def new_client(
    transport: httpx.AsyncBaseTransport | None = None, ends: Sequence[str] = (), timeout: httpx.Timeout | None = None
) -> httpx.AsyncClient:
    """Make a client for the environment's proxies. Its answers end with one of `ends`, or fail."""

    async def look(response: httpx.Response) -> None:
        if response.is_success and "text/html" in response.headers.get("content-type", ""):
            await response.aread()
            raise httpx.HTTPStatusError("a page for browsers", request=response.request, response=response)
        if response.is_success and ends:
            response.aiter_lines = _whole(response.aiter_lines, ends)

    return httpx.AsyncClient(
        transport=transport,
        verify=trusted(os.environ),
        mounts=_NEVER_BY_PROXY,
        timeout=timeout or httpx.Timeout(5),
        limits=_KEPT,
        follow_redirects=True,
        event_hooks={"response": [look]},
    )


def fetched(url: str, headers: Mapping[str, str], patience: float) -> bytes:
    """Get what is at an address, empty if it is refused, on the way that models are asked on. Blocks for that long.

    Goes nowhere else, whatever the server says: a key goes along. Raises what `litellm_failures.FAILED` has.
    """
    until = monotonic() + patience
    with (
        httpx.Client(verify=trusted(os.environ), mounts=_NEVER_BY_PROXY, timeout=patience) as client,
        client.stream("GET", url, headers=dict(headers)) as response,
    ):
        said = bytearray()
        # In pieces: the client's own limit is for each wait, and a server that dribbles keeps within it.
        for piece in response.iter_bytes() if response.is_success else ():
            said += piece
            if len(said) > _MOST or monotonic() > until:
                raise TimeoutError
        return bytes(said)


def always_answering(events: str) -> httpx.AsyncBaseTransport:
    """Stand in for a network on which every request is answered with these events."""
    httpx.AsyncHTTPTransport(verify=trusted(os.environ))  # httpx imports what talks to a network when the first is made
    head = {"content-type": "text/event-stream"}
    return httpx.MockTransport(lambda _request: httpx.Response(200, headers=head, text=events))


def handler(
    litellm: Any, provider: str, timeout: httpx.Timeout, transport: httpx.AsyncBaseTransport | None = None
) -> Any:
    """Make what LiteLLM takes for the client of `provider`; None if its own must do. Close `handler.client`."""
    if provider not in _ENDS:
        _lead(litellm, os.environ)
        return None
    made = litellm.AsyncHTTPHandler(timeout=timeout)
    made.client = new_client(transport, _ENDS[provider], timeout)
    made.create_client = _tried_once
    return made


def _lead(litellm: Any, environ: Mapping[str, str]) -> None:
    """Have the clients that LiteLLM makes itself go the same way, and leave nothing open behind them."""
    litellm.disable_aiohttp_transport = True
    path = environ.get(trust_variable(environ), "")
    litellm.ssl_verify = path if Path(path).is_file() else True


def _whole(lines: Callable[[], AsyncIterator[str]], ends: Sequence[str]) -> Callable[[], AsyncIterator[str]]:
    async def checked() -> AsyncIterator[str]:
        is_whole = False
        async for line in lines():
            if line.startswith(_OLLAMAS_FAULT):
                # LiteLLM calls it an answer of which it does not know the form, and the request to blame.
                raise fault(json.loads(line)["error"])
            is_whole = is_whole or any(end in line for end in ends)
            yield line
        if not is_whole:
            raise cut()

    return checked


def _tried_once(*_arguments: object, **_options: object) -> NoReturn:
    """Stand in for what LiteLLM would try again with, unasked, and then close under the answer."""
    raise httpx.ReadError("it was tried once") from sys.exception()

"""`python -m tests.bench.bare URL chat|responses`: streams from URL with bare LiteLLM, once for each line on stdin.

Prints the chunks of text a second, from the first to the last. A plain process: nothing of ours in it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import litellm

# A model that it knows: it only pretends to stream from others where it speaks Responses.
_ASKED: dict[str, Any] = {"model": "openai/gpt-5", "api_key": "sk-none", "stream": True}


async def chat(url: str) -> AsyncIterator[str]:
    """Give the text of each chunk."""
    response = await litellm.acompletion(
        **_ASKED,
        base_url=url,
        messages=[{"role": "user", "content": "go on"}],
        stream_options={"include_usage": True},
    )
    assert isinstance(response, litellm.CustomStreamWrapper)
    async for chunk in response:
        if chunk.choices and (text := chunk.choices[0].delta.content):
            yield text


async def responses(url: str) -> AsyncIterator[str]:
    """Give the text of each event that has one."""
    events: Any = await litellm.aresponses(**_ASKED, api_base=url, input="go on", store=False)
    async for event in events:
        if event.type == "response.output_text.delta":
            yield event.delta


async def rate(texts: AsyncIterator[str]) -> float:
    chunks, first, last = 0, 0.0, 0.0
    async for _text in texts:
        last = time.perf_counter()
        first = first or last
        chunks += 1
    return (chunks - 1) / (last - first)


def main() -> None:
    url, protocol = sys.argv[1:]
    stream = {"chat": chat, "responses": responses}[protocol]
    with asyncio.Runner() as runner:
        for _ in sys.stdin:
            sys.stdout.write(f"{runner.run(rate(stream(url)))}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

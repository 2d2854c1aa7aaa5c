"""`python -m tests.bench.bare URL`: streams from URL with bare LiteLLM, once for each line on stdin.

Prints the chunks of text a second, from the first to the last. A plain process: nothing of ours in it.
"""

from __future__ import annotations

import asyncio
import sys
import time

import litellm


async def stream(url: str) -> float:
    response = await litellm.acompletion(
        model="openai/fake-model",
        api_key="sk-none",
        base_url=url,
        messages=[{"role": "user", "content": "go on"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    assert isinstance(response, litellm.CustomStreamWrapper)
    chunks, first, last = 0, 0.0, 0.0
    async for chunk in response:
        if chunk.choices and chunk.choices[0].delta.content:
            last = time.perf_counter()
            first = first or last
            chunks += 1
    return (chunks - 1) / (last - first)


def main() -> None:
    with asyncio.Runner() as runner:
        for _ in sys.stdin:
            sys.stdout.write(f"{runner.run(stream(sys.argv[1]))}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

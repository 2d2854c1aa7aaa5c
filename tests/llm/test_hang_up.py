"""Closing the stream, or cancelling whoever waits for it, hangs up on the provider at once."""

from __future__ import annotations

import gc
import warnings

import anyio
import anyio.lowlevel
import pytest

from openhands_acp.engine.ports import Chunk, TextChunk
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.replies import Call, Headers, Reply, Stall, Text, Wait
from tests.harness.waiting import PATIENCE
from tests.llm.asking import HELLO, TERMINAL, answer, asked, settings

pytestmark = pytest.mark.anyio


async def test_closing_in_mid_stream_hangs_up() -> None:
    with Provider([Text("Once"), Stall()]) as provider:
        model = LiteLLM(settings(provider))
        async with asked(model) as stream:
            assert await anext(stream) == TextChunk("Once")
            await stream.aclose()
            await (await provider.request()).until_hung_up()


@pytest.mark.parametrize(
    ("reply", "seen"),
    [
        pytest.param([Stall()], 0, id="before the headers"),
        pytest.param([Headers(), Stall()], 0, id="before the first chunk"),
        pytest.param([Text("Once"), Text("upon"), Stall()], 2, id="between chunks"),
        pytest.param([Call("terminal", pieces=('{"c',)), Stall()], 2, id="in a call"),
    ],
)
async def test_cancelling_hangs_up(reply: Reply, seen: int) -> None:
    got: list[Chunk] = []
    enough = anyio.Event()

    async def read(model: LiteLLM) -> None:
        async with asked(model) as stream:
            async for chunk in stream:
                got.append(chunk)
                if len(got) == seen:
                    enough.set()

    with Provider(reply) as provider:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, LiteLLM(settings(provider)))
            await provider.request()
            if seen:
                await enough.wait()
            tasks.cancel_scope.cancel()
        await provider.requests[0].until_hung_up()
    assert len(got) == seen


@pytest.mark.parametrize("name", ["openai/fake-model", "openai/responses/fake-model"])
async def test_cancelling_at_any_step_leaves_nothing_behind(name: str) -> None:
    """Warnings are errors here: a coroutine never awaited, a connection never closed, would be one."""

    async def read(model: LiteLLM) -> None:
        async for _chunk in model.stream(HELLO, (TERMINAL,)):
            pass

    with (
        Provider(script=lambda _body: [Text("Once"), Wait("never")]) as provider,
        warnings.catch_warnings(record=True) as told,
    ):
        warnings.simplefilter("always")
        model = LiteLLM(settings(provider, name))
        for steps in range(60):
            with anyio.fail_after(PATIENCE):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read, model)
                    for _ in range(steps):
                        await anyio.lowlevel.checkpoint()
                    tasks.cancel_scope.cancel()
        await model.close()
        gc.collect()
    assert [str(each.message) for each in told] == []


async def test_the_next_request_after_hanging_up_is_answered() -> None:
    with Provider([Text("Once"), Stall()], [Text("hi")]) as provider:
        model = LiteLLM(settings(provider))
        stream = model.stream(HELLO, ())
        with anyio.fail_after(PATIENCE):
            await anext(stream)
            await stream.aclose()
            assert (await answer(model))[0] == TextChunk("hi")

"""The fake provider as a process, which real clients' tests start."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio
import httpx
import pytest
from anyio.streams.text import TextReceiveStream

from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.waiting import PATIENCE
from tests.llm.asking import KEY, answer

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("arguments", "chunks"),
    [
        (["--script", "script.json"], [TextChunk("hi"), CallChunk(0, "call_1", "t"), CallChunk(0, arguments="{}")]),
        (["--chunks", "2"], [TextChunk("t0 "), TextChunk("t1 ")]),
    ],
)
async def test_a_process_answers_by_script(arguments: list[str], chunks: list[Chunk], tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([[{"text": "hi"}, {"call": {"name": "t"}}]]))
    given = [str(script) if argument == "script.json" else argument for argument in arguments]
    command = [sys.executable, "-m", "tests.harness.provider", *given]
    with anyio.fail_after(PATIENCE):
        async with await anyio.open_process(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=DEVNULL) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            url = (await TextReceiveStream(process.stdout).receive()).strip()
            got = await answer(LiteLLM(ModelSettings("openai/fake-model", KEY, url)))
            async with httpx.AsyncClient() as client:
                seen = (await client.get(f"{url}/requests")).json()
            await process.stdin.aclose()
            assert await process.wait() == 0
    assert got[:-1] == chunks
    assert seen["violations"] == []
    assert [request["body"]["model"] for request in seen["requests"]] == ["fake-model"]
    assert isinstance(got[-1], Finish)

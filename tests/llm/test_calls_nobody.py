"""Neither LiteLLM nor we ask anybody but the provider, from the import to the end of an answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

SCRIPT = """
import sys

asked = []

def hook(event, arguments):
    match event:
        case "socket.getaddrinfo" | "socket.gethostbyname":
            asked.append(str(arguments[0]))
        case "socket.connect" | "socket.sendto":
            asked.append(str(arguments[1]))

sys.addaudithook(hook)

import asyncio
import warnings

warnings.simplefilter("ignore")

from openhands_acp.engine.ports import ToolSpec
from openhands_acp.llm.via_litellm import LiteLLM
from openhands_acp.llm.warming import prewarm
from tests.harness.provider import Provider
from tests.harness.replies import Text, Usage
from tests.llm.asking import HELLO, KEY, ModelSettings

MODELS = ("openai/gpt-4o", "openai/responses/gpt-5", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro")
for name in MODELS:
    prewarm(name)
before = set(sys.modules)
tool = ToolSpec("t", "d", {"type": "object", "properties": {"a": {"type": "string"}}})

async def main():
    with Provider(script=lambda _body: [Text("hi"), Usage(9, 9)]) as provider:
        for name in MODELS:
            model = LiteLLM(ModelSettings(name, KEY, provider.base_url(name)))
            print(model.context_window, [chunk async for chunk in model.stream(HELLO, (tool,))][0].text)
            await model.close()
        port = provider.url.rpartition(":")[2].partition("/")[0]
    print([each for each in asked if port not in each and each != "127.0.0.1"])
    print([each for each in set(sys.modules) - before if each.startswith(("litellm", "openai", "httpx"))])

asyncio.run(main())
"""


@pytest.mark.slow
def test_nobody_but_the_provider_is_asked() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (result.stdout, result.stderr) == ("128000 hi\n272000 hi\n200000 hi\n1048576 hi\n[]\n[]\n", "")

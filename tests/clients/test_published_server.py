"""An MCP server that others published, on the official TypeScript SDK: what it has, we can use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.messages import Text, UserMessage
from openhands_acp.engine.person.door import Filled
from openhands_acp.engine.servers.door import Sampled, SampleRequest
from openhands_acp.mcp.config import ServerConfig
from tests.harness.mcp import Clerk, Told, called, named, served

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PROGRAM = Path(__file__).parent / "node_modules/.bin/mcp-server-everything"
CONFIG = ServerConfig("everything", "a test", "stdio", str(PROGRAM))
ASKED = (UserMessage((Text("Resource trigger-sampling-request context: Why?"),)),)


async def test_a_published_server_can_be_used(tmp_path: Path) -> None:
    async with served([CONFIG], tmp_path) as servers:
        (state,) = servers.states()
        assert (state.status, state.error) == ("ready", "")
        assert "Server Instructions" in state.instructions
        tools = {tool.spec.name: tool for tool in servers.tools()}
        assert tools["everything__get-sum"].is_read_only
        assert "everything__echo" in tools
        assert (await called(servers, "echo", {"message": "hi"})).text == "Echo: hi"
        image = await called(servers, "get-tiny-image")
        assert [each.mime_type for each in image.images] == ["image/png"]
        weather = await called(servers, "get-structured-content", {"location": "Chicago"})
        assert weather.raw_output is not None
        assert weather.text.count("humidity") == 1
        told = Told()
        arguments = {"duration": 0.02, "steps": 2}
        await servers.call(named(servers, "trigger-long-running-operation"), arguments, told)
        assert told.words[-1] == "2 of 2"
        prompt = next(prompt for prompt in servers.prompts() if prompt.name == "args-prompt")
        assert await servers.prompt(prompt, {"city": "Paris"}) == (Text("What's weather in Paris?"),)
        page = await servers.read("everything", "demo://resource/static/document/features.md")
        assert page.text.startswith("# Everything Server")


async def test_a_published_server_asks_us(tmp_path: Path) -> None:
    asked: list[SampleRequest] = []

    async def sample(request: SampleRequest) -> Sampled:
        asked.append(request)
        return Sampled("because", "a model")

    clerk = Clerk(Filled({"name": "Bo"}))
    async with served([CONFIG], tmp_path, clerk, sample) as servers:
        assert "- Name: Bo" in (await called(servers, "trigger-elicitation-request")).text
        assert '"because"' in (await called(servers, "trigger-sampling-request", {"prompt": "Why?"})).text
        assert tmp_path.as_uri() in (await called(servers, "get-roots-list")).text
    assert [_properties(form)["check"]["type"] for form in clerk.forms] == ["boolean"]
    assert asked == [SampleRequest("everything", ASKED, "You are a helpful test server.", 100)]


def _properties(form: Any) -> Any:
    return form.schema["properties"]

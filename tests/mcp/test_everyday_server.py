"""A real server, written with FastMCP, over each transport: all that it offers, answers and asks reaches us and it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.cards import ShownSound, ShownText
from openhands_acp.engine.messages import Text, UserMessage
from openhands_acp.engine.person.door import Filled, Form, Link, Reply
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.servers.door import (
    RemoteFailure,
    RemotePrompt,
    RemoteResource,
    RemoteResult,
    RemoteTool,
    Sampled,
    SampleRefused,
    SampleRequest,
    ServerState,
)
from openhands_acp.mcp.config import ServerConfig, Transport
from tests.harness.mcp import SERVERS, Clerk, Told, called, everyday, free_ports, named, served
from tests.harness.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkM9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def ports() -> Generator[list[int]]:
    """Serve on the web: by http, by SSE, and 200 tools by http."""
    chosen = free_ports(3)
    command = [sys.executable, str(SERVERS / "everyday.py"), *map(str, chosen)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        yield chosen
        process.kill()


async def test_a_program_offers_and_does_all_it_can(tmp_path: Path) -> None:
    async with served([everyday(env={"GREETING": "hello"})], tmp_path) as servers:
        assert servers.states() == (
            ServerState("everyday", "a test", "ready", 13, 1, 2, instructions="Use it every day."),
        )
        parameters = {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 1}},
            "required": ["a"],
            "additionalProperties": False,
        }
        spec = ToolSpec("everyday__add", "Add two numbers.", parameters)
        assert servers.tools()[0] == RemoteTool(
            "everyday", "add", spec, "Sum of two", is_read_only=True, is_destructive=False, is_open_world=False
        )
        assert await called(servers, "add", {"a": 1}) == RemoteResult("2", raw_output={"result": 2})
        words = (await called(servers, "environment", {"name": "GREETING"})).text.split()
        assert words[:2] == ["hello", str(tmp_path)]
        assert servers.prompts() == (
            RemotePrompt("everyday", "greet", "Greet somebody.", (("name", True), ("manner", False))),
        )
        greeting = await servers.prompt(servers.prompts()[0], {"name": "Bo"})
        assert greeting == (Text("Say hello to Bo kindly."),)
        assert servers.resources() == (
            RemoteResource("everyday", "memo://notes", "notes", "Return the notes.", "text/plain"),
            RemoteResource(
                "everyday", "memo://{day}/plan", "plan", "Return a day's plan.", "text/plain", is_template=True
            ),
        )
        assert (await servers.read("everyday", "memo://mon/plan")).text == "rest on mon"
        with pytest.raises(RemoteFailure, match="memo://nowhere"):
            await servers.read("everyday", "memo://nowhere")


@pytest.mark.parametrize(("transport", "index", "path"), [("http", 0, "mcp"), ("sse", 1, "sse")])
async def test_a_server_on_the_web_does_all_it_can(
    transport: Transport, index: int, path: str, ports: list[int], tmp_path: Path
) -> None:
    config = _on_the_web(ports[index], transport, path)
    async with served([config], tmp_path, pauses=(0.2,) * 300) as servers:
        await until(servers.tools)
        assert (await called(servers, "add", {"a": 2, "b": 3})).text == "5"
        told = Told()
        assert (await servers.call(named(servers, "counts"), {"upto": 3}, told)).text == "counted"
        assert told.words[-1] == "counted 3 (3 of 3)"


async def test_content_of_every_kind_is_told_and_shown(ports: list[int], tmp_path: Path) -> None:
    async with served([_on_the_web(ports[0])], tmp_path, pauses=(0.2,) * 300) as servers:
        await until(servers.tools)
        kinds = await called(servers, "kinds")
        assert kinds.text == "words\n(a sound, audio/wav, 4 bytes)"
        assert kinds.shown == (ShownText(kinds.text), ShownSound("audio/wav", "UklGRg=="))
        assert [image.mime_type for image in kinds.images] == ["image/png"]
        linked = "(a resource to read: memo://notes; notes, text/plain)\nmemo://inside:\nwhat is inside"
        unseen = "(an image, image/x-unheard-of, 3 bytes: it cannot be shown here)"
        assert await called(servers, "linked") == RemoteResult(
            f"{linked}\nfor the model\n{unseen}", (ShownText(f"{linked}\nfor eyes\n{unseen}"),)
        )
        assert await called(servers, "fails") == RemoteResult(
            "Error calling tool 'fails': no luck today", is_error=True
        )


@pytest.mark.parametrize(
    ("reply", "answer", "page"),
    [
        (Filled({"home city": "Bonn"}), "accept: {'home city': 'Bonn'}", "accept"),
        ("declined", "decline: None", "decline"),
        ("dismissed", "cancel: None", "cancel"),
        ("unable", "decline: None", "decline"),
    ],
)
async def test_a_server_may_ask_the_person(
    reply: Reply, answer: str, page: str, ports: list[int], tmp_path: Path
) -> None:
    clerk = Clerk(reply)
    async with served([_on_the_web(ports[0])], tmp_path, clerk, pauses=(0.2,) * 300) as servers:
        await until(servers.tools)
        assert (await called(servers, "asks", {"question": "Where?"})).text == answer
        assert (await called(servers, "sends", {"url": "https://example.org/in"})).text == page
    schema = {
        "type": "object",
        "properties": {"home city": {"type": "string", "title": "City"}, "2nd": {"type": "boolean"}},
        "required": ["home city"],
    }
    assert clerk.asked == [
        Form("Where?", schema, "everyday"),
        Link("log in there", "https://example.org/in", "everyday:page-1", "everyday"),
    ]
    assert clerk.done == ["everyday:page-1"]


async def test_a_server_may_have_the_model_answer(ports: list[int], tmp_path: Path) -> None:
    asked: list[SampleRequest] = []

    async def sample(request: SampleRequest) -> Sampled:
        asked.append(request)
        if len(asked) > 1:
            raise SampleRefused("the person said no")
        return Sampled("because", "a model")

    async with served([_on_the_web(ports[0])], tmp_path, sample=sample, pauses=(0.2,) * 300) as servers:
        await until(servers.tools)
        assert (await called(servers, "samples", {"question": "Why?"})).text == "the model says because"
        refused = await called(servers, "samples", {"question": "And why?"})
        assert (refused.is_error, refused.text) == (True, "Error calling tool 'samples': the person said no")
    assert asked[0] == SampleRequest("everyday", (UserMessage((Text("Why?"),)),), "be short", 50)


async def test_a_server_may_know_where_the_project_is(ports: list[int], tmp_path: Path) -> None:
    async with served([_on_the_web(ports[0])], tmp_path, pauses=(0.2,) * 300) as servers:
        await until(servers.tools)
        assert json.loads((await called(servers, "roots")).text) == [tmp_path.as_uri()]


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_server_is_told_that_a_call_was_given_up(transport: str, ports: list[int], tmp_path: Path) -> None:
    config = everyday() if transport == "stdio" else _on_the_web(ports[0])
    note = tmp_path / "note"
    async with served([config], tmp_path, pauses=(0.2,) * 300) as servers:
        await until(servers.tools)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(called, servers, "sleeps", {"note": str(note)})
            await until(note.exists)
            tasks.cancel_scope.cancel()
        await until(lambda: note.read_text() == "cancelled")


async def test_tools_that_come_later_are_taken_up(tmp_path: Path) -> None:
    async with served([everyday()], tmp_path) as servers:
        before = servers.tools()
        await called(servers, "grow")
        await until(lambda: len(servers.tools()) > len(before))
        assert servers.tools()[: len(before)] == before
        assert (await called(servers, "grown")).text == "I am new"


async def test_of_two_hundred_tools_none_is_missing(ports: list[int], tmp_path: Path) -> None:
    config = _on_the_web(ports[2])
    async with served([config], tmp_path, pauses=(0.2,) * 300) as servers:
        await until(servers.tools)
        assert [tool.spec.name for tool in servers.tools()] == [f"everyday__tool_{number}" for number in range(200)]
        assert (await called(servers, "tool_199", {"text": "last"})).text == "last"


def _on_the_web(port: int, transport: Transport = "http", path: str = "mcp") -> ServerConfig:
    return ServerConfig("everyday", "a test", transport, url=f"http://127.0.0.1:{port}/{path}")

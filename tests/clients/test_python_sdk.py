"""The official Python SDK starts and drives the server through its own API; its models refuse nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import acp
import anyio
import pytest
from acp.client.connection import ClientSideConnection
from acp.schema import (
    AcceptElicitationResponse,
    AgentMessageChunk,
    AllowedOutcome,
    AvailableCommandsUpdate,
    ClientCapabilities,
    CreateElicitationResponse,
    ElicitationCapabilities,
    ElicitationFormCapabilities,
    ElicitationFormSessionMode,
    ElicitationUrlCapabilities,
    ElicitationUrlSessionMode,
    FileSystemCapabilities,
    ListSessionsResponse,
    McpServerStdio,
    PermissionOption,
    ReadTextFileResponse,
    RequestPermissionResponse,
    TextContentBlock,
    ToolCallProgress,
    ToolCallStart,
    ToolCallUpdate,
    WriteTextFileResponse,
)

from tests.clients.scenarios import (
    CASES,
    FILE,
    GOES_ON,
    MODE,
    OFFERED,
    RETOLD,
    SLEEP,
    TAKEN_UP,
    Case,
    Seen,
    folder_for,
)
from tests.harness.monitor import Monitor
from tests.harness.process import command, environment, processes_with, with_provider, without_titles
from tests.harness.provider import Provider
from tests.harness.waiting import PATIENCE
from tests.turns.test_replay import client_model

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module: its connection lives in it."""
    return "asyncio"


@dataclass(slots=True)
class Played:
    """One case in its session, as the client sees it."""

    agent: ClientSideConnection
    session_id: str
    case: Case
    folder: Path
    text: str = ""
    calls: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    questions: list[list[str]] = field(default_factory=list[list[str]])
    wrote: list[str] = field(default_factory=list[str])
    available: list[str] = field(default_factory=list[str])
    forms: list[list[Any]] = field(default_factory=list[list[Any]])
    completed: list[str] = field(default_factory=list[str])
    announced: anyio.Event = field(default_factory=anyio.Event)
    is_cancelled: bool = False
    updates: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """As the SDK's types have them."""

    async def update(self, update: Any) -> None:
        self.updates.append(update.model_dump(mode="json", by_alias=True, exclude_none=True))
        match update:
            case AgentMessageChunk(content=TextContentBlock(text=text)):
                self.text += text
                await self._cancel_at("text")
            case ToolCallStart() | ToolCallProgress():
                title, status = self.calls.get(update.tool_call_id, ["", ""])
                status = update.status or status
                self.calls[update.tool_call_id] = [update.title or title, status]
                await self._cancel_at(status)
            case AvailableCommandsUpdate():
                self.available = [command.name for command in update.available_commands]
                # A server is there with its prompts.
                if self.available == self.case.expected["available"]:
                    self.announced.set()
            case _:
                pass

    async def _cancel_at(self, moment: str) -> None:
        if moment == self.case.cancel_at and not self.is_cancelled:
            self.is_cancelled = True
            await self.agent.cancel(session_id=self.session_id)

    def seen(self, stop_reason: str) -> Seen:
        return Seen(
            stopReason=stop_reason,
            text=self.text,
            calls=list(self.calls.values()),
            questions=self.questions,
            wrote=self.wrote,
            available=self.available,
            forms=self.forms,
            completed=self.completed,
        )


class Editor:
    """`acp.Client`, with files that it reads and writes itself."""

    def __init__(self) -> None:
        self.played: dict[str, Played] = {}
        self.missing: list[str] = []
        """Files that were asked for and are not there."""

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        await self.played[session_id].update(update)

    async def request_permission(
        self, session_id: str, tool_call: ToolCallUpdate, options: list[PermissionOption], **_: Any
    ) -> RequestPermissionResponse:
        played = self.played[session_id]
        played.questions.append([tool_call.title or "", *(option.kind for option in options)])
        [chosen] = [option for option in options if option.kind == played.case.answer]
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id=chosen.option_id))

    async def create_elicitation(self, message: str, mode: Any, **_: Any) -> CreateElicitationResponse:
        played = self.played[mode.session_id]
        match mode:
            case ElicitationFormSessionMode(requested_schema=schema):
                played.forms.append(["form", message, list(schema.properties or {})])
            case ElicitationUrlSessionMode(url=url):
                played.forms.append(["url", message, str(url)])
            case _:
                raise acp.RequestError.invalid_params({"mode": repr(mode)})
        answer = played.case.forms[len(played.forms) - 1]
        return AcceptElicitationResponse.model_validate(answer)

    async def complete_elicitation(self, elicitation_id: str, **_: Any) -> None:
        # It names no session.
        [*self.played.values()][-1].completed.append(elicitation_id)

    async def read_text_file(self, session_id: str, path: str, **_: Any) -> ReadTextFileResponse:
        assert session_id in self.played
        try:
            return ReadTextFileResponse(content=await anyio.Path(path).read_text())
        except FileNotFoundError as error:
            self.missing.append(os.path.basename(path))
            raise acp.RequestError.resource_not_found(path) from error

    async def write_text_file(self, session_id: str, path: str, content: str, **_: Any) -> WriteTextFileResponse:
        played = self.played[session_id]
        played.wrote.append(os.path.relpath(path, played.folder))
        await anyio.Path(path).write_text(content)
        return WriteTextFileResponse()


@dataclass(frozen=True, slots=True)
class Connected:
    agent: ClientSideConnection
    editor: Editor
    monitor: Monitor
    home: Path

    async def play(self, case: Case, folder: Path) -> Seen:
        servers: list[Any] = [McpServerStdio.model_validate(server) for server in case.servers()]
        session = await self.agent.new_session(cwd=str(folder), mcp_servers=servers)
        played = self.meet(session.session_id, case, folder)
        await played.announced.wait()
        return played.seen(await self.prompt(played))

    def meet(self, session_id: str, case: Case, folder: Path) -> Played:
        """Look at a session with fresh eyes."""
        self.editor.played[session_id] = Played(self.agent, session_id, case, folder)
        return self.editor.played[session_id]

    async def prompt(self, played: Played) -> str:
        prompt: list[Any] = [TextContentBlock(type="text", text=played.case.prompt)]
        return (await self.agent.prompt(session_id=played.session_id, prompt=prompt)).stop_reason


@pytest.fixture(scope="module")
async def connected(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Connected]:
    home = tmp_path_factory.mktemp("python")
    monitor = Monitor(OFFERED)

    def watch(event: Any) -> None:
        (monitor.received if event.direction == "incoming" else monitor.sent)(event.message)

    editor = Editor()
    # It offers no terminals, so the methods that are not there are never called.
    client = cast("acp.Client", editor)
    program, *arguments = command()
    without_titles(home)
    env = environment(home, **with_provider(provider.url))
    async with acp.spawn_agent_process(
        client,
        program,
        *arguments,
        env=env,
        cwd=home,
        transport_kwargs={"stderr": None},
        observers=[watch],
        # Forms and pages, which this SDK does not count as stable yet.
        use_unstable_protocol=True,
    ) as (agent, process):
        with anyio.fail_after(PATIENCE):
            fs = FileSystemCapabilities(read_text_file=True, write_text_file=True)
            forms = ElicitationCapabilities(form=ElicitationFormCapabilities(), url=ElicitationUrlCapabilities())
            answer = await agent.initialize(
                protocol_version=1, client_capabilities=ClientCapabilities(fs=fs, elicitation=forms)
            )
        assert answer.protocol_version == 1
        yield Connected(agent, editor, monitor, home)
    assert (process.returncode, processes_with(SLEEP)) == (0, [])


@pytest.mark.parametrize("name", CASES)
async def test_the_client_sees_what_every_client_sees(
    connected: Connected, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_for(name, tmp_path)
    with anyio.fail_after(PATIENCE):
        seen = await connected.play(CASES[name], folder)
    assert (seen, (folder / FILE).read_text()) == (CASES[name].expected, CASES[name].after)
    # The SDK logs what its models refuse.
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert connected.monitor.problems == []


async def test_a_session_is_taken_up_in_every_way(
    connected: Connected, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case, folder, agent = CASES[TAKEN_UP], folder_for(TAKEN_UP, tmp_path), connected.agent
    with anyio.fail_after(PATIENCE):
        await connected.play(case, folder)
        session_id, live = [*connected.editor.played.items()][-1]
        await agent.close_session(session_id=session_id)

        loaded = connected.meet(session_id, case, folder)
        answer = await agent.load_session(cwd=str(folder), session_id=session_id, mcp_servers=[])
        await loaded.announced.wait()
        assert (answer.modes and answer.modes.current_mode_id, loaded.seen("")) == ("always-ask", RETOLD)
        # What its types make of a replay is what they made of it live.
        model = client_model(live.updates)
        assert (client_model(loaded.updates), len(model["calls"]), "plan" in model["state"]) == (model, 2, True)
        await agent.set_session_mode(session_id=session_id, mode_id=MODE)

        resumed = connected.meet(session_id, CASES[GOES_ON], folder)
        answer = await agent.resume_session(session_id=session_id, cwd=str(folder), mcp_servers=[])
        await resumed.announced.wait()
        text = CASES[GOES_ON].expected["text"]
        assert (answer.modes and answer.modes.current_mode_id, resumed.text) == (MODE, "")
        assert (await connected.prompt(resumed), resumed.text) == ("end_turn", text)

        forked = await agent.fork_session(session_id=session_id, cwd=str(folder), mcp_servers=[])
        await connected.meet(forked.session_id, case, folder).announced.wait()
        set_to = await agent.set_config_option(config_id="mode", session_id=session_id, value="always-ask")
        assert set_to is not None
        assert [option.current_value for option in set_to.config_options if option.category == "mode"] == ["always-ask"]
        assert forked.modes is not None
        await agent.close_session(session_id=session_id)
        listed = (await agent.list_sessions(cwd=str(folder))).sessions
        with pytest.raises(acp.RequestError) as refused:
            await connected.prompt(resumed)
    assert [(info.session_id, info.title, info.field_meta) for info in listed] == [
        (each, case.prompt, {"messageCount": 5}) for each in (session_id, forked.session_id)
    ]
    assert (forked.session_id != session_id, forked.modes.current_mode_id, refused.value.code) == (True, MODE, -32002)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert connected.monitor.problems == []


async def test_another_process_lists_and_deletes_through_the_plain_connection(
    connected: Connected, provider: Provider, tmp_path: Path
) -> None:
    # This SDK's client has no function for `session/delete`; its connection sends what it is given.
    folder = folder_for("hello", tmp_path)
    program, *arguments = command()
    with anyio.fail_after(PATIENCE):
        await connected.play(CASES["hello"], folder)
        session_id = [*connected.editor.played][-1]
        await connected.agent.close_session(session_id=session_id)
        env = environment(connected.home, **with_provider(provider.url))
        async with acp.spawn_stdio_connection(
            _nothing_is_asked, program, *arguments, env=env, cwd=connected.home, stderr=None
        ) as (connection, _):
            await connection.send_request("initialize", {"protocolVersion": 1, "clientCapabilities": {}})

            async def listed() -> list[str]:
                answer = await connection.send_request("session/list", {"cwd": str(folder)})
                return [info.session_id for info in ListSessionsResponse.model_validate(answer).sessions]

            assert await listed() == [session_id]
            for _ in range(2):
                assert await connection.send_request("session/delete", {"sessionId": session_id}) == {}
            assert await listed() == []


async def _nothing_is_asked(method: str, params: Any, is_notification: bool) -> Any:
    raise AssertionError(f"{method} {params} {is_notification}")


async def test_a_wrong_folder_is_told(connected: Connected) -> None:
    with anyio.fail_after(PATIENCE), pytest.raises(acp.RequestError) as refused:
        await connected.agent.new_session(cwd="not/absolute", mcp_servers=[])
    details = "cwd: must be an absolute path, not 'not/absolute'"
    assert (refused.value.code, refused.value.data) == (-32602, {"details": details})


async def test_the_provider_is_hung_up_on_when_the_turn_is_cancelled(
    connected: Connected, provider: Provider, tmp_path: Path
) -> None:
    name = "a cancel during a stream"
    at = len(provider.requests)
    with anyio.fail_after(PATIENCE):
        await connected.play(CASES[name], folder_for(name, tmp_path))
        await (await provider.request(at)).until_hung_up()


async def test_the_client_is_not_asked_for_files_that_are_not_there(connected: Connected, tmp_path: Path) -> None:
    # Some clients show each as an error (acpx: `[error] RUNTIME: Resource not found`).
    connected.editor.missing.clear()
    with anyio.fail_after(PATIENCE):
        await connected.play(CASES["hello"], folder_for("hello", tmp_path))
    assert connected.editor.missing == []

"""Tools of other people's servers in a turn: told, asked for, called, shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.messages import Image, JsonObject
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.servers.door import Progress, RemoteFailure, RemoteResult
from tests.harness.check import agent, transcript
from tests.harness.editor import allowed, rejected
from tests.harness.model import Answer, call, say
from tests.harness.servers import MemoryServers, tool
from tests.harness.waiting import PATIENCE
from tests.turns.serving import CLOSE, CREATE, LIST, READ, asked, backend, questions, remote, results, said

pytestmark = pytest.mark.anyio

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


async def test_a_tool_of_a_server_is_told_asked_for_and_called(tmp_path: Path) -> None:
    servers = MemoryServers((CREATE, LIST))
    file = [call("github__create_issue", security_risk="MEDIUM", title="It is slow", milestone="3", labels=None)]
    async with agent(tmp_path, backend=backend(servers, file, [say("Done.")])) as running:
        await running.prompt("file it")
        assert servers.calls == [("github__create_issue", {"title": "It is slow", "milestone": 3})]
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["file it"]
< session_info_update {"title": "file it"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "github: Create issue", "name": "github__create_issue", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "github: Create issue {\\"title\\": \\"It is slow\\", \\"milestone\\": 3}", "content": [{"type": "content", "content": {"type": "text", "text": "```json\\n{\\n  \\"title\\": \\"It is slow\\",\\n  \\"milestone\\": 3\\n}\\n```"}}], "rawInput": {"security_risk": "MEDIUM", "title": "It is slow", "milestone": 3, "labels": null}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id11", "title": "github: Create issue {\\"title\\": \\"It is slow\\", \\"milestone\\": 3}", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```json\\n{\\n  \\"title\\": \\"It is slow\\",\\n  \\"milestone\\": 3\\n}\\n```"}}], "locations": [], "rawInput": {"security_risk": "MEDIUM", "title": "It is slow", "milestone": 3, "labels": null}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow Create issue of github in this session", "kind": "allow_always"}, {"optionId": "allow_widely", "name": "Always allow all tools of github in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "create_issue was given {'title': 'It is slow', 'milestone': 3}"}}]}
< agent_message_chunk ["id17", "Done."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_the_tools_of_every_request_are_the_same_in_the_same_order(tmp_path: Path) -> None:
    servers = MemoryServers((CREATE, LIST))
    answers: list[Answer] = [[call("github__list_issues")], [say("None.")], [say("Still none.")]]
    async with agent(tmp_path, backend=backend(servers, *answers)) as running:
        await running.prompt("which are there?")
        await running.prompt("and now?")
        assert remote(running) == [["github__create_issue", "github__list_issues"]] * 3
        assert running.model.offered[0] == running.model.offered[2]
        specs = {spec.name: spec for spec in running.model.offered[0]}
        assert specs["github__list_issues"] == ToolSpec(
            "github__list_issues", "List issues.", {"type": "object", "properties": {}}
        )


async def test_two_sessions_do_not_see_each_others_tools(tmp_path: Path) -> None:
    with_servers = backend(MemoryServers((CREATE,)), [say("Hi.")])
    async with agent(tmp_path, backend=with_servers) as running:
        await running.prompt("hi")
        assert remote(running) == [["github__create_issue"]]
    async with agent(tmp_path, backend=backend(MemoryServers((READ,)), [say("Hi.")])) as running:
        await running.prompt("hi")
        assert remote(running) == [["notes__read"]]


@pytest.mark.parametrize(
    ("mode", "answers", "titles"),
    [
        ("always-ask", [[call("github__list_issues")]], ["github: list_issues"]),
        ("accept-edits", [[call("github__close_issue", security_risk="LOW")]], ["github: close_issue"]),
        ("llm-approve", [[call("github__close_issue", security_risk="LOW")], [call("github__list_issues")]], []),
        ("llm-approve", [[call("github__close_issue", security_risk="HIGH")]], ["github: close_issue"]),
        ("llm-approve", [[call("github__close_issue")]], ["github: close_issue"]),
        ("always-approve", [[call("github__close_issue")]], []),
        ("plan", [[call("github__list_issues")], [call("github__close_issue")]], ["github: list_issues"]),
    ],
)
async def test_a_mode_says_what_is_asked(tmp_path: Path, mode: str, answers: list[Answer], titles: list[str]) -> None:
    servers = MemoryServers((CLOSE, LIST))
    async with agent(tmp_path, backend=backend(servers, *answers, [say("Ok.")], mode=mode)) as running:
        await running.prompt("go")
        assert asked(running) == titles
        refused = ["github__close_issue"] if mode == "plan" else []
        called = [name for answer in answers for name in [_name(answer)] if name not in refused]
        assert [name for name, _ in servers.calls] == called


def _name(answer: Answer) -> str:
    first: Any = answer[0]
    return first[0].name


@pytest.mark.parametrize(
    ("option", "titles"),
    [
        ("allow_once", ["github: list_issues"] * 2 + ["github: close_issue"]),
        ("allow_always", ["github: list_issues", "github: close_issue"]),
        ("allow_widely", ["github: list_issues"]),
        ("something else", ["github: list_issues"] * 2 + ["github: close_issue"]),
    ],
)
async def test_a_tool_or_all_of_a_server_can_be_allowed_for_the_session(
    tmp_path: Path, option: str, titles: list[str]
) -> None:
    servers = MemoryServers((CLOSE, LIST, READ))
    answers: list[Answer] = [
        [call("github__list_issues")],
        [call("github__list_issues")],
        [call("github__close_issue")],
        [call("notes__read")],
        [say("Ok.")],
    ]
    async with agent(tmp_path, backend=backend(servers, *answers), permission=lambda _: allowed(option)) as running:
        await running.prompt("go")
        assert asked(running) == [*titles, "notes: read"]


async def test_what_is_allowed_of_a_server_counts_in_plan_mode_for_what_only_reads(tmp_path: Path) -> None:
    servers = MemoryServers((CLOSE, LIST))
    answers: list[Answer] = [
        [call("github__list_issues")],
        [call("github__list_issues")],
        [call("github__close_issue")],
    ]
    planning = backend(servers, *answers, [say("Ok.")], mode="plan")
    async with agent(tmp_path, backend=planning, permission=lambda _: allowed("allow_widely")) as running:
        await running.prompt("go")
        assert asked(running) == ["github: list_issues"]
        assert [name for name, _ in servers.calls] == ["github__list_issues"] * 2
        assert results(running)[-1].startswith("Rejected: the session is in plan mode")


async def test_a_no_reaches_the_model_and_no_server(tmp_path: Path) -> None:
    servers = MemoryServers((CLOSE,))
    answers: list[Answer] = [[call("github__close_issue")], [say("Ok.")]]
    async with agent(tmp_path, backend=backend(servers, *answers), permission=lambda _: rejected()) as running:
        await running.prompt("go")
        assert servers.calls == []
        assert results(running) == snapshot(
            ["Rejected: the person said no to this. Do not try it again another way; ask or go on without it"]
        )


MISFITS: list[tuple[dict[str, Any], str]] = [
    ({}, "'title' is a required property"),
    ({"title": "x", "labels": "bug, slow"}, "`labels`: 'bug, slow' is not of type 'array'"),
    ({"title": "x", "labels": [1, {}]}, "`labels[1]`: {} is not of type 'string'"),
    ({"title": "x", "milestone": "soon"}, "`milestone`: 'soon' is not of type 'integer'"),
]


@pytest.mark.parametrize(("arguments", "complaint"), MISFITS)
async def test_arguments_that_do_not_fit_are_told_and_nobody_is_asked(
    tmp_path: Path, arguments: dict[str, Any], complaint: str
) -> None:
    servers = MemoryServers((CREATE,))
    answers: list[Answer] = [[call("github__create_issue", **arguments)], [say("Ok.")]]
    async with agent(tmp_path, backend=backend(servers, *answers)) as running:
        await running.prompt("go")
        assert (asked(running), servers.calls) == ([], [])
        assert complaint in results(running)[0]


async def test_what_a_server_says_is_shown_and_passed_on(tmp_path: Path) -> None:
    async def draw(_arguments: JsonObject, progress: Progress) -> RemoteResult:
        await progress("half done")
        images = (Image("image/png", DOT), Image("image/png", "aGk="))
        return RemoteResult("a dot", (ShownText("**a dot**"),), images, raw_output={"dots": 1})

    async def fail(_arguments: JsonObject, _progress: Progress) -> RemoteResult:
        return RemoteResult("no such issue", is_error=True)

    async def vanish(_arguments: JsonObject, _progress: Progress) -> RemoteResult:
        raise RemoteFailure("the server ended in the middle of the call; what it did is unknown")

    servers = MemoryServers((LIST, CLOSE, CREATE))
    servers.acts = {"github__list_issues": draw, "github__close_issue": fail, "github__create_issue": vanish}
    answers: list[Answer] = [
        [call("github__list_issues")],
        [call("github__close_issue")],
        [call("github__create_issue", title="x")],
        [say("Ok.")],
    ]
    async with agent(tmp_path, backend=backend(servers, *answers, mode="always-approve")) as running:
        await running.prompt("go")
        assert results(running) == [
            "a dot\n(an image cannot be shown: it is said to be an image, and is none that is known here)\n"
            "(an image was here, which you cannot see: the model that is in use takes no images)",
            "no such issue",
            "Error: the server ended in the middle of the call; what it did is unknown",
        ]
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "github: list_issues", "name": "github__list_issues", "kind": "fetch", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}], "rawInput": {}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "in_progress"}
< tool_call_update {"toolCallId": "id11", "status": "in_progress", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}, {"type": "content", "content": {"type": "text", "text": "half done"}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "**a dot**"}}, {"type": "content", "content": {"type": "image", "mimeType": "image/png", "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="}}], "rawOutput": {"dots": 1}}
< agent_message_chunk ["id15", "fake/model cannot see images; going on without them. If it can, set `vision = true` in acp.toml."]
< tool_call {"toolCallId": "id20", "status": "pending", "title": "github: close_issue", "name": "github__close_issue", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id20", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}], "rawInput": {}}
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id20", "status": "in_progress"}
< tool_call_update {"toolCallId": "id20", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "no such issue"}}]}
< tool_call {"toolCallId": "id27", "status": "pending", "title": "github: Create issue", "name": "github__create_issue", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id27", "status": "pending", "title": "github: Create issue {\\"title\\": \\"x\\"}", "content": [{"type": "content", "content": {"type": "text", "text": "```json\\n{\\n  \\"title\\": \\"x\\"\\n}\\n```"}}], "rawInput": {"title": "x"}}
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< tool_call_update {"toolCallId": "id27", "status": "in_progress"}
< tool_call_update {"toolCallId": "id27", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```json\\n{\\n  \\"title\\": \\"x\\"\\n}\\n```"}}, {"type": "content", "content": {"type": "text", "text": "the server ended in the middle of the call; what it did is unknown"}}], "rawOutput": {"error": "the server ended in the middle of the call; what it did is unknown"}}
< agent_message_chunk ["id32", "Ok."]
< usage_update {"used": 44, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_long_result_is_kept_in_a_file_that_may_be_read_unasked(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "w").mkdir()
    lines = "".join(f"issue {number}\n" for number in range(5_000))

    async def many(_arguments: JsonObject, _progress: Progress) -> RemoteResult:
        return RemoteResult(lines)

    servers = MemoryServers((LIST,), {"github__list_issues": many})
    answers: list[Answer] = [
        [call("github__list_issues")],
        [call("grep", pattern="issue 2500", path="OUT")],
        [say("Ok.")],
    ]
    keeping = backend(servers, *answers, outputs=tmp_path / "out")
    async with agent(tmp_path / "w", backend=keeping) as running:
        request = running.ask_prompt("go")
        await running.editor.answer(request)
        [kept] = (tmp_path / "out").iterdir()
        assert kept.read_text() == lines
        assert len(results(running)[0]) < 21_000
        assert results(running)[0].endswith(
            f"[the whole output is in {kept}: search it with grep, or view parts of it]"
        )
        assert asked(running) == ["github: list_issues"]


async def test_stopping_the_turn_stops_the_call(tmp_path: Path) -> None:
    began, stopped = anyio.Event(), anyio.Event()

    async def never(_arguments: JsonObject, _progress: Progress) -> RemoteResult:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()
        raise AssertionError

    servers = MemoryServers((LIST,), {"github__list_issues": never})
    async with agent(tmp_path, backend=backend(servers, [call("github__list_issues")])) as running:
        request = running.ask_prompt("go")
        with anyio.fail_after(PATIENCE):
            await began.wait()
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert stopped.is_set()


async def test_calls_that_only_read_run_side_by_side(tmp_path: Path) -> None:
    both = [anyio.Event(), anyio.Event()]

    async def meet(arguments: JsonObject, _progress: Progress) -> RemoteResult:
        mine = int(str(arguments["number"]))
        both[mine].set()
        await both[1 - mine].wait()
        return RemoteResult(f"met {mine}")

    number: JsonObject = {"type": "object", "properties": {"number": {"type": "integer"}}}
    servers = MemoryServers((tool("a", "meet", schema=number, is_read_only=True),), {"a__meet": meet})
    answers: list[Answer] = [[call("a__meet", 0, number=0), call("a__meet", 1, number=1)], [say("Ok.")]]
    async with agent(tmp_path, backend=backend(servers, *answers, mode="always-approve")) as running:
        await running.prompt("go")
        assert results(running) == ["met 0", "met 1"]


async def test_a_tool_with_a_schema_that_is_none_is_named_once_and_all_others_work(tmp_path: Path) -> None:
    broken = tool("odd", "broken", schema={"type": "object", "properties": {"x": {"type": "strang"}}})
    servers = MemoryServers((broken, READ))
    answers: list[Answer] = [[call("notes__read")], [say("Ok.")], [say("Ok.")]]
    async with agent(tmp_path, backend=backend(servers, *answers)) as running:
        await running.prompt("go")
        await running.prompt("on")
        assert remote(running) == [["notes__read"]] * 3
        assert [name for name, _ in servers.calls] == ["notes__read"]
        told = "The tool `broken` of the MCP server `odd` cannot be used: its schema is not valid (properties.x.type: "
        assert [text.startswith(told) for text in said(running)].count(True) == 1
        assert questions(running)[0]["options"][1]["name"] == "Always allow read of notes in this session"

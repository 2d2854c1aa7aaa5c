"""Servers that fail, come late or go: what the model and the person are told, and which tools there are then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.servers.door import Progress, RemoteResource, RemoteResult, RemoteTool
from openhands_acp.engine.tool_events import ToolsChanged
from tests.harness.check import Running, TestBackend, agent, transcript
from tests.harness.model import Answer, ScriptedModel, call, say
from tests.harness.servers import MemoryServers, tool
from tests.turns.serving import CLOSE, CREATE, LIST, READ, asked, backend, remote, results, said, told

pytestmark = pytest.mark.anyio

GONE = "it ended with exit code 1\nTraceback\nModuleNotFoundError: no module named 'jira'"


async def test_a_server_that_fails_is_named_once_and_the_others_work(tmp_path: Path) -> None:
    servers = MemoryServers((READ,), failures={"jira": GONE}, logins={"github": "open https://github.example/login"})
    answers: list[Answer] = [[call("notes__read")], [say("Read.")], [say("Again.")]]
    async with agent(tmp_path, backend=backend(servers, *answers)) as running:
        await running.prompt("read my notes")
        await running.prompt("again")
        assert [name for name, _ in servers.calls] == ["notes__read"]
        assert told(running) == snapshot(
            [
                "read my notes",
                "(The MCP server jira cannot be used: it ended with exit code 1. So its tools are missing; where they are needed, say so, and do not claim to have used them.)",
                "(The MCP server github cannot be used: open https://github.example/login. So its tools are missing; where they are needed, say so, and do not claim to have used them.)",
                "again",
            ]
        )
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["read my notes"]
< session_info_update {"title": "read my notes"}
< agent_message_chunk ["id8", "The MCP server `jira` (the editor) cannot be used: it ended with exit code 1. The session goes on without it; `/mcp retry jira` tries again.\\n\\n```\\nTraceback\\nModuleNotFoundError: no module named 'jira'\\n```"]
< agent_message_chunk ["id10", "\\n\\nThe MCP server `github` (the editor) wants you to log in: open https://github.example/login."]
< tool_call {"toolCallId": "id15", "status": "pending", "title": "notes: read", "name": "notes__read", "kind": "read", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id15", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}], "rawInput": {}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 1 session/request_permission {"toolCall": {"toolCallId": "id15", "title": "notes: read", "kind": "read", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "Without arguments."}}], "locations": [], "rawInput": {}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow read of notes in this session", "kind": "allow_always"}, {"optionId": "allow_widely", "name": "Always allow all tools of notes in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id15", "status": "in_progress"}
< tool_call_update {"toolCallId": "id15", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "read was given {}"}}]}
< agent_message_chunk ["id21", "Read."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["again"]
< agent_message_chunk ["id31", "Again."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< 4 = {"stopReason": "end_turn"}\
""")


async def test_the_first_prompt_waits_for_servers_and_no_other_does(tmp_path: Path) -> None:
    servers = MemoryServers((), come=anyio.Event())
    async with agent(tmp_path, backend=backend(servers, [say("Hi.")], [say("Ho.")])) as running:
        first = running.ask_prompt("hi")
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="plan")
        assert running.model.requests == []
        assert servers.come is not None
        servers.add(READ)
        servers.come.set()
        await running.editor.answer(first)
        servers.come = anyio.Event()
        await running.prompt("ho")
        assert remote(running) == [["notes__read"], ["notes__read"]]


async def test_a_first_prompt_that_waits_can_be_stopped(tmp_path: Path) -> None:
    servers = MemoryServers((READ,), come=anyio.Event())
    async with agent(tmp_path, backend=backend(servers, [say("Hi.")])) as running:
        request = running.ask_prompt("hi")
        running.cancel()
        assert (await running.editor.answer(request))["result"] == {"stopReason": "cancelled"}
        assert servers.come is not None
        servers.come.set()
        await running.prompt("and now?")
        assert remote(running) == [["notes__read"]]


async def test_a_server_that_is_slow_is_told_of_and_so_is_what_it_says_of_itself_once(tmp_path: Path) -> None:
    servers = MemoryServers((READ,), slow={"hub"})
    first = backend(servers, *[[say("Ok.")]] * 3)
    async with agent(tmp_path, backend=first) as running:
        await running.prompt("one")
        servers.slow.clear()
        servers.instructions["hub"] = "Use hub__x first."
        servers.add(tool("hub", "x"))
        await running.prompt("two")
        await running.prompt("three")
        assert told(running) == snapshot(
            [
                "one",
                "(The MCP server hub is not there yet. You will be told when it is.)",
                "two",
                """\
(What the MCP server hub says of its tools:
Use hub__x first.)\
""",
                "(New tools are there: hub__x.)",
                "three",
            ]
        )
        assert said(running)[0] == snapshot("Still connecting to the MCP server `hub`…")
        session_id = running.session_id
    async with agent(tmp_path, backend=_of_another_process(first, servers, [say("Ok.")])) as running:
        running.session_id = session_id
        await _load(running, tmp_path)
        await running.prompt("four")
        assert sum("Use hub__x first." in text for text in told(running)) == 1


async def test_tools_that_come_late_join_at_the_end_of_the_next_request_and_the_model_is_told(tmp_path: Path) -> None:
    servers = MemoryServers((READ,))

    async def read(_arguments: JsonObject, _progress: Progress) -> RemoteResult:
        # Meanwhile another server is there, whose name comes first.
        servers.offered = (CREATE, LIST, *servers.offered)
        return RemoteResult("nothing")

    servers.acts["notes__read"] = read
    answers: list[Answer] = [[call("notes__read")], [say("Ok.")], [say("Ok.")]]
    async with agent(tmp_path, backend=backend(servers, *answers)) as running:
        await running.prompt("go")
        await running.prompt("on")
        late = ["notes__read", "github__create_issue", "github__list_issues"]
        assert remote(running) == [["notes__read"], late, late]
        assert told(running) == ["go", "(New tools are there: github__create_issue, github__list_issues.)", "on"]
        assert said(running) == ["Ok.", "Ok."]


async def test_tools_that_go_are_told_of_once_and_come_back_at_the_end(tmp_path: Path) -> None:
    servers = MemoryServers((CREATE, READ))
    async with agent(tmp_path, backend=backend(servers, *[[say("Ok.")]] * 4)) as running:
        await running.prompt("one")
        servers.take("github__create_issue")
        await running.prompt("two")
        await running.prompt("three")
        servers.add(CREATE)
        await running.prompt("four")
        both = ["github__create_issue", "notes__read"]
        assert remote(running) == [both, ["notes__read"], ["notes__read"], both[::-1]]
        assert told(running) == [
            "one",
            "two",
            "(These tools are gone: github__create_issue.)",
            "three",
            "four",
            "(New tools are there: github__create_issue.)",
        ]


async def test_a_call_of_a_tool_that_went_is_told_so(tmp_path: Path) -> None:
    servers = MemoryServers((CREATE, READ))
    servers.take("github__create_issue")
    answers: list[Answer] = [[call("github__create_issue", title="x")], [say("Ok.")]]
    async with agent(tmp_path, backend=backend(servers, *answers)) as running:
        await running.prompt("go")
        assert results(running)[0].startswith("Error: there is no tool 'github__create_issue'")


async def test_a_schema_that_changes_is_told_in_its_place(tmp_path: Path) -> None:
    servers = MemoryServers((CREATE, READ))
    async with agent(tmp_path, backend=backend(servers, [say("Ok.")], [say("Ok.")])) as running:
        await running.prompt("one")
        servers.change("github__create_issue", tool("github", "create_issue", "Another one.").spec)
        await running.prompt("two")
        assert remote(running)[0] == remote(running)[1]
        assert [spec.description for spec in running.model.offered[1]].count("Another one.") == 1


async def test_a_conversation_that_is_taken_up_again_keeps_the_order_and_is_told_what_is_missing(
    tmp_path: Path,
) -> None:
    servers = MemoryServers((READ, CREATE))
    first = backend(servers, [say("Ok.")])
    async with agent(tmp_path, backend=first) as running:
        await running.prompt("one")
        session_id = running.session_id
    again = MemoryServers((LIST, CREATE, READ))
    async with agent(tmp_path, backend=_of_another_process(first, again, [say("Ok.")])) as running:
        running.session_id = session_id
        await _load(running, tmp_path)
        await running.prompt("two")
        assert remote(running) == [["notes__read", "github__create_issue", "github__list_issues"]]
        assert told(running) == ["one", "two", "(New tools are there: github__list_issues.)"]
    without = MemoryServers((READ,), failures={"github": "it does not answer"})
    async with agent(tmp_path, backend=_of_another_process(running.backend, without, [say("Ok.")])) as running:
        running.session_id = session_id
        await _load(running, tmp_path)
        await running.prompt("three")
        assert remote(running) == [["notes__read"]]
        assert told(running)[-2:] == snapshot(
            [
                "three",
                "(The MCP server github cannot be used: it does not answer. So its tools (github__create_issue, github__list_issues) are missing; where they are needed, say so, and do not claim to have used them.)",
            ]
        )


def _of_another_process(before: TestBackend, servers: MemoryServers, *answers: Answer) -> TestBackend:
    return TestBackend(ScriptedModel(answers), servers=servers, journals=before.journals)


async def _load(running: Running, root: Path) -> None:
    kept: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(root), "mcpServers": []}
    await running.editor.request("session/load", **kept)


# ---------------------------------------------------------------- many tools

_WHAT = ("issue", "pull request", "release", "branch", "label", "milestone", "workflow", "secret", "webhook", "team")


def _many() -> tuple[RemoteTool, ...]:
    return tuple(
        [
            tool("hub", f"{verb}_{what.replace(' ', '_')}", f"{verb.title()} a {what}.\nAnd more of it." * 20)
            for verb in ("create", "get", "list", "close", "rename")
            for what in _WHAT
        ]
    )


async def test_of_many_tools_those_are_told_that_a_search_finds(tmp_path: Path) -> None:
    servers = MemoryServers(_many())
    answers: list[Answer] = [
        [call("tool_search", query="rename a milestone", max=2)],
        [call("hub__rename_milestone")],
        [say("Renamed.")],
        [say("Ok.")],
    ]
    first = backend(servers, *answers, mode="always-approve")
    async with agent(tmp_path, backend=first) as running:
        await running.prompt("rename it")
        found = ["tool_search", "hub__rename_milestone", "hub__create_milestone"]
        assert remote(running) == [["tool_search"], found, found]
        assert [name for name, _ in servers.calls] == ["hub__rename_milestone"]
        assert results(running)[0] == snapshot("""\
These are among your tools from now on:
- hub__rename_milestone: Rename a milestone.
- hub__create_milestone: Create a milestone.

Fit, too, but are not added; search for their names to add them:
- hub__get_milestone: Get a milestone.
- hub__list_milestone: List a milestone.
- hub__close_milestone: Close a milestone.
- hub__rename_issue: Rename a issue.
- hub__rename_pull_request: Rename a pull request.
- hub__rename_release: Rename a release.
- hub__rename_branch: Rename a branch.
- hub__rename_label: Rename a label.
- hub__rename_workflow: Rename a workflow.
- hub__rename_secret: Rename a secret.\
""")
        await running.prompt("/context")
        assert said(running)[-1] == snapshot("""\
**4.3k** of 200k tokens that fake/model can read are in use (2 %). From 160k on, older parts are summed up; `/compact` does it now.

| What | Tokens, about | Share |
| --- | ---: | ---: |
| System prompt | 4 | < 1 % |
| Tools, built in (12) | 3.5k | 2 % |
| Tools of MCP servers (2) | 515 | < 1 % |
| Your messages | 22 | < 1 % |
| The agent's messages | 2 | < 1 % |
| Searches | 188 | < 1 % |
| Other calls | 15 | < 1 % |
| Free | 196k | 98 % |

`tool_search` stands for 48 more tools of MCP servers, which would take about 9.4k.\
""")
        session_id = running.session_id
    async with agent(tmp_path, backend=_of_another_process(first, servers, [say("Ok.")])) as running:
        running.session_id = session_id
        await _load(running, tmp_path)
        await running.prompt("go on")
        assert remote(running) == [found]


async def test_a_search_that_finds_nothing_says_what_there_is(tmp_path: Path) -> None:
    servers = MemoryServers((*_many(), CREATE))
    async with agent(
        tmp_path, backend=backend(servers, [call("tool_search", query="Wetter")], [say("Ok.")])
    ) as running:
        await running.prompt("go")
        assert asked(running) == []
        assert results(running) == snapshot(
            ["No tool fits 'Wetter'. Try other words; there are tools of hub (50), github (1)."]
        )
        assert remote(running) == [["tool_search"]] * 2


async def test_what_was_told_stays_when_there_are_more_than_can_be(tmp_path: Path) -> None:
    servers = MemoryServers((CREATE, CLOSE))
    async with agent(tmp_path, backend=backend(servers, *[[say("Ok.")]] * 3)) as running:
        await running.prompt("one")
        servers.add(*_many())
        await running.prompt("two")
        servers.add(*[tool("more", f"tool_{number}") for number in range(3)])
        await running.prompt("three")
        few = ["github__create_issue", "github__close_issue"]
        assert remote(running) == [few, [*few, "tool_search"], [*few, "tool_search"]]
        assert told(running) == [
            "one",
            "two",
            "three",
            "(tool_search now finds tools of these MCP servers, too: more.)",
        ]
        assert [type(entry.event) for entry in running.entries].count(ToolsChanged) == 1


# ---------------------------------------------------------------- resources


async def test_resources_are_listed_and_read(tmp_path: Path) -> None:
    servers = MemoryServers(
        listed=(
            RemoteResource("notes", "notes://today", "today", "What is to be done today.", "text/plain"),
            RemoteResource("notes", "notes://{day}", "day", is_template=True),
            RemoteResource("wiki", "wiki://start", "start"),
        ),
        texts={"notes://today": "Rest.", "notes://sunday": "Rest, too."},
    )
    answers: list[Answer] = [
        [call("read_resource")],
        [call("read_resource", uri="notes://today")],
        [call("read_resource", uri="notes://sunday")],
        [call("read_resource", uri="wiki://end")],
        [call("read_resource", uri="ftp://x")],
        [say("Ok.")],
    ]
    async with agent(tmp_path, backend=backend(servers, *answers)) as running:
        await running.prompt("go")
        assert remote(running)[0] == ["read_resource"]
        assert asked(running) == ["Read notes://today", "Read notes://sunday", "Read wiki://end"]
        assert results(running) == snapshot(
            [
                """\
- notes: notes://today (text/plain) What is to be done today.
- notes: notes://{day} (template) day
- wiki: wiki://start start\
""",
                "Rest.",
                "Rest, too.",
                "Error: wiki has no resource 'wiki://end'",
                "Error: no server is known to have 'ftp://x'; leave out `uri` to list what there is",
            ]
        )

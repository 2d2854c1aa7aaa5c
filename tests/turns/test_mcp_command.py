"""/mcp: what a person sees of servers, and how one is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.servers.door import RemotePrompt, RemoteResource
from tests.harness.check import agent
from tests.harness.model import say
from tests.harness.servers import MemoryServers, tool
from tests.turns.serving import CREATE, LIST, READ, backend, remote, said

pytestmark = pytest.mark.anyio


async def test_all_servers_are_shown_with_what_is_wrong_and_no_model_is_asked(tmp_path: Path) -> None:
    broken = tool("odd", "broken", schema={"type": "strang"})
    servers = MemoryServers(
        (CREATE, LIST, READ, broken),
        failures={"jira": "it ended with exit code 1\nNo module named 'jira'"},
        prompted=(RemotePrompt("notes", "sum_up", "Sum up the notes."),),
        listed=(RemoteResource("notes", "notes://today", "today"),),
    )
    async with agent(tmp_path, backend=backend(servers, [say("Hi.")])) as running:
        await running.prompt("/mcp")
        await running.prompt("/mcp github")
        await running.prompt("/mcp notes")
        await running.prompt("/mcp nobody")
        assert running.model.requests == []
        assert said(running) == snapshot(
            [
                """\
| Server | From | State | Tools | Prompts | Resources |
| --- | --- | --- | ---: | ---: | ---: |
| `github` | the editor | ready | 2 | 0 | 0 |
| `notes` | the editor | ready | 1 | 1 | 1 |
| `odd` | the editor | ready | 1 | 0 | 0 |
| `jira` | the editor | failed | 0 | 0 | 0 |

`jira`: it ended with exit code 1
```
No module named 'jira'
```

`odd`: the tool `broken` cannot be used: its schema is not valid (type: 'strang' is not valid under any of the given schemas).

`/mcp NAME` lists the tools of one, `/mcp retry NAME` connects it anew.\
""",
                """\
**github** (the editor): ready

2 tools, of about 80 tokens:
- `create_issue` Create an issue.
- `list_issues` (read-only, it says) List issues.
""",
                """\
**notes** (the editor): ready

1 tool, of about 18 tokens:
- `read` (read-only, it says) Read the notes.

- `/notes:sum_up` Sum up the notes.
- `notes://today` today\
""",
                "There is no MCP server `nobody`; there is `github`, `notes`, `odd`, `jira`.",
            ]
        )


async def test_a_session_without_servers_says_how_to_add_one(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend(MemoryServers())) as running:
        await running.prompt("/mcp")
        assert said(running) == snapshot(
            [
                "This session has no MCP servers. Add one with `openhands-acp mcp add`, in your editor's settings, or in the project's `.mcp.json`."
            ]
        )


async def test_a_server_is_tried_again_and_its_tools_are_there_then(tmp_path: Path) -> None:
    servers = MemoryServers(failures={"notes": "it does not answer"})

    def come() -> None:
        servers.failures.clear()
        servers.add(READ)

    servers.on_retry = come
    async with agent(tmp_path, backend=backend(servers, [say("Hi.")], [say("Ho.")])) as running:
        await running.prompt("one")
        await running.prompt("/mcp retry notes")
        await running.prompt("two")
        await running.prompt("/mcp retry")
        await running.prompt("/mcp retry nobody")
        assert servers.retried == ["notes", None]
        assert remote(running) == [[], ["notes__read"]]
        assert said(running) == snapshot(
            [
                "The MCP server `notes` (the editor) cannot be used: it does not answer. The session goes on without it; `/mcp retry notes` tries again.",
                """\


Hi.\
""",
                """\
| Server | From | State | Tools | Prompts | Resources |
| --- | --- | --- | ---: | ---: | ---: |
| `notes` | the editor | ready | 1 | 0 | 0 |
""",
                "Ho.",
                """\
| Server | From | State | Tools | Prompts | Resources |
| --- | --- | --- | ---: | ---: | ---: |
| `notes` | the editor | ready | 2 | 0 | 0 |
""",
                "There is no MCP server `nobody`; there is `notes`.",
            ]
        )

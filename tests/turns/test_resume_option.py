"""`--resume`: the first session that an editor asks for is one that was kept, told whole behind the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.harness.model import say
from tests.turns.test_openhands_sessions import theirs
from tests.turns.windows import Machine, machine, window
from tests.wire.lived import tree

pytestmark = pytest.mark.anyio

__all__ = ["machine"]


async def kept(machine: Machine, words: str = "say hello", folder: Path | None = None) -> str:
    async with window(machine, [say("Hello.")]) as first:
        session_id = await first.new(folder)
        await first.prompt(words)
    return session_id


@pytest.mark.parametrize("written", ["id", "beginning", "hex", "last"])
async def test_the_first_new_session_goes_on_with_what_was_named(machine: Machine, written: str) -> None:
    session_id = await kept(machine)
    spelt = {"id": session_id, "beginning": session_id[:12], "hex": session_id.replace("-", "").upper(), "last": "last"}
    async with window(machine, [say("Again.")], resume=spelt[written]) as second:
        before = second.now
        assert await second.new() == session_id
        await second.announced(session_id)
        await second.prompt("and now?")
        # Once: whoever wants another gets another.
        await second.new()
        await second.announced(second.session_id)
        assert second.wire(before) == snapshot("""\
> 2 session/new {"cwd": "PROJECT", "mcpServers": []}
< 2 = {"sessionId": "S1", "modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S1 user_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "say hello"}}
< S1 session_info_update {"title": "say hello"}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Hello."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< S1 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}
> 3 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "and now?"}]}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Again."}}
< S1 usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}
> 4 session/new {"cwd": "PROJECT", "mcpServers": []}
< 4 = {"sessionId": "S2", "modes": "always-ask", "configOptions": {"mode": "always-ask", "model": "fake/model"}}
< S2 available_commands_update {"availableCommands": ["help", "title", "model", "mode", "confirm", "permissions", "status", "cost", "context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review", "undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"]}\
""")


async def test_what_is_not_there_is_said_once_and_a_new_session_is_to_be_had(machine: Machine) -> None:
    ids = [theirs(machine, number, machine.project) for number in (0x100, 0x101)]
    before = tree(machine.root)
    lines: list[str] = []
    for written in ("00000000-0000-4000-8000-000000000000", "f00", "../etc", "", "0000", ids[0][:-1]):
        async with window(machine, resume=written) as second:
            error = await second.editor.request("session/new", cwd=str(machine.project), mcpServers=[])
            lines.append(f"{written!r}: {error['code']} {error['message']}")
            assert "sessionId" in await second.editor.request("session/new", cwd=str(machine.project), mcpServers=[])
    assert "\n".join(lines) == snapshot("""\
'00000000-0000-4000-8000-000000000000': -32002 The session cannot be opened: there is no session '00000000-0000-4000-8000-000000000000' on this machine (one that was never prompted is not kept)
'f00': -32002 The session cannot be opened: there is no session 'f00' on this machine (one that was never prompted is not kept)
'../etc': -32002 The session cannot be opened: there is no session '../etc' on this machine (one that was never prompted is not kept)
'': -32002 The session cannot be opened: there is no session '' on this machine (one that was never prompted is not kept)
'0000': -32002 The session cannot be opened: '0000' is the beginning of 2 sessions: 00000000-0000-0000-0000-000000000100, 00000000-0000-0000-0000-000000000101
'00000000-0000-0000-0000-00000000010': -32002 The session cannot be opened: '00000000-0000-0000-0000-00000000010' is the beginning of 2 sessions: 00000000-0000-0000-0000-000000000100, 00000000-0000-0000-0000-000000000101\
""")
    assert tree(machine.root) == before


async def test_the_last_one_is_that_of_the_folder(machine: Machine, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "link").symlink_to(other)
    here = await kept(machine)
    elsewhere = await kept(machine, "say there", other)
    for folder, expected in ((machine.project, here), (other, elsewhere), (tmp_path / "link", elsewhere)):
        async with window(machine, resume="last") as second:
            assert await second.new(folder) == expected
    # Where nobody has worked yet, that of another project would be a surprise.
    async with window(machine, resume="last") as second:
        assert await second.new(tmp_path) not in (here, elsewhere)
        assert "user_message_chunk" not in str(second.editor.updates())

"""Two windows on one disk that take turns with a session: neither loses what went on in the other."""

from __future__ import annotations

import pytest

from openhands_acp.engine.messages import UserMessage, plain_text
from tests.harness.model import say
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio

__all__ = ["machine"]


async def test_a_copy_of_what_went_on_elsewhere_has_all_of_it(machine: Machine) -> None:
    async with (
        window(machine, [say("One.")], [say("Two.")]) as first,
        window(machine, [say("Three.")]) as second,
    ):
        session_id = await first.new()
        await first.prompt("first")
        await second.ask("session/load", session_id)
        await first.prompt("second")
        second.session_id = (await second.ask("session/fork", session_id))["sessionId"]
        await second.prompt("third")
        told = [plain_text(each.parts) for each in second.model.requests[-1] if isinstance(each, UserMessage)]
        assert told == ["first", "second", "third"]


async def test_what_went_on_elsewhere_can_be_deleted_once_nobody_is_at_work_on_it(machine: Machine) -> None:
    async with window(machine, [say("One.")], [say("Two.")]) as first, window(machine) as second:
        session_id = await first.new()
        await first.prompt("first")
        await second.ask("session/load", session_id)
        await first.prompt("second")
        refused = await second.editor.request("session/delete", sessionId=session_id)
        assert (refused["message"], machine.journal(session_id).exists()) == ("The session is in use", True)
        # It stays open to look at.
        assert (await second.prompt("and now?"))["result"] == {"stopReason": "end_turn"}
        await first.editor.request("session/close", sessionId=session_id)
        assert await second.editor.request("session/delete", sessionId=session_id) == {}
        assert (await second.prompt("and now?"))["error"]["code"] == -32002
        assert not machine.journal(session_id).parent.exists()


@pytest.mark.parametrize("is_closed", [True, False])
async def test_what_is_chosen_in_a_session_that_is_only_looked_at_is_kept(machine: Machine, is_closed: bool) -> None:
    async with window(machine, [say("Hello.")]) as first:
        session_id = await first.new()
        await first.prompt("say hello")
    before = machine.journal(session_id).read_bytes()
    async with window(machine) as second:
        await second.ask("session/load", session_id)
        # Whoever has it open like this keeps nobody from writing to it.
        assert machine.journal(session_id).read_bytes() == before
        await second.editor.request("session/set_mode", sessionId=session_id, modeId="accept-edits")
        assert machine.journal(session_id).read_bytes() == before
        if is_closed:
            await second.editor.request("session/close", sessionId=session_id)
    async with window(machine) as third:
        assert (await third.ask("session/load", session_id))["modes"]["currentModeId"] == "accept-edits"


async def test_what_is_chosen_where_somebody_else_has_gone_on_is_not_kept(machine: Machine) -> None:
    async with window(machine, [say("Hello.")], [say("Again.")]) as first:
        session_id = await first.new()
        await first.prompt("say hello")
        async with window(machine) as second:
            await second.ask("session/load", session_id)
            await second.editor.request("session/set_mode", sessionId=session_id, modeId="accept-edits")
            await first.prompt("again")
        after = machine.journal(session_id).read_bytes()
        assert b"accept-edits" not in after
    async with window(machine) as third:
        assert (await third.ask("session/load", session_id))["modes"]["currentModeId"] == "always-ask"

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

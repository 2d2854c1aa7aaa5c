"""A process is killed at every message of a long turn: the next one loads what it left, does nothing of it, and goes on.

At every message the process is held and the disk copied, which is what a kill would leave; at the end it is killed.
"""

from __future__ import annotations

from typing import Any

import pytest

from openhands_acp.engine.events import MessageEvent
from openhands_acp.store.library import Library
from tests.harness.model import say
from tests.harness.process import Server, with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Text
from tests.turns.test_replay import client_model
from tests.turns.windows import Machine, Window, machine, window
from tests.wire.eventful import Copy, Held, live_through
from tests.wire.lived import say as say_to
from tests.wire.lived import take_up, tree, updates_in

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

__all__ = ["machine"]

OVER = ("completed", "failed")
ENDED = "openhands-acp ended "
"""How what is said of a turn that was cut short begins."""


async def test_whatever_a_kill_leaves_is_closed_by_loading_and_gone_on_with(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = live_through(machine.root / "held")
    assert_a_server_goes_on(held)
    # More where nothing is joined; at about every second message the disk is another one.
    assert (held.stops > 60, len(held.copies) > 30) == (True, True)
    for copy in held.copies:
        monkeypatch.setenv("OPENHANDS_PERSISTENCE_DIR", str(copy.root / "home"))
        monkeypatch.setenv("HOME", str(copy.root))
        left = Machine(copy.root)
        if left.journal(held.session_id).exists():
            first = await taken_up(left, held.session_id, copy)
            async with window(left) as it:
                again = await told(it, held.session_id)
            # What was closed is closed, and neither is told twice.
            assert (again["calls"], ended(again)) == (first["calls"], ended(first))


def assert_a_server_goes_on(held: Held) -> None:
    """Take up what was left at the end by a real kill, with a real model behind it."""
    before = tree(held.folder)
    with Provider([Text("Going on.")]) as provider, Server(held.server.home, **with_provider(provider.url)) as server:
        server.initialize()
        [listed] = server.ask("session/list")["result"]["sessions"]
        _, updates = take_up(server, held.session_id, held.folder)
        assert (listed["title"], tree(held.folder)) == ("A title", before)
        seen = client_model(updates)
        assert (len(ended(seen)), [call["status"] for call in seen["calls"].values()][-1]) == (1, "failed")
        assert say_to(server, held.session_id)[0] == "end_turn"
        # Every call has its result, or the provider would have refused; of what was cut short it is this.
        told = [each["content"] for each in provider.requests[0].body["messages"] if each["role"] == "tool"]
        assert told[-1].startswith("Error: interrupted when openhands-acp ended; whether it ran")
        assert told[-1].endswith("`resume` 'task_00000002' goes on with it")
    assert tree(held.folder) == before


async def taken_up(machine: Machine, session_id: str, copy: Copy) -> dict[str, Any]:
    """Load what was left and go on with it; return what the client knew in between."""
    stored = Library(machine.sessions).read(session_id)
    kept = machine.journal(session_id).parent
    async with window(machine, [say("Going on.")]) as it:
        before, project = tree(kept), tree(machine.project)
        [listed] = (await it.editor.request("session/list"))["sessions"]
        [listed] = (await it.editor.request("session/list"))["sessions"]
        seen = await told(it, session_id)
        assert tree(kept) == before
        assert (len(ended(seen)), stored.notes) == (stored.is_in_a_turn, ())
        messages = [entry.event for entry in stored.entries if isinstance(entry.event, MessageEvent)]
        titles = [update["title"] for update in it.editor.updates() if update["sessionUpdate"] == "session_info_update"]
        assert listed["_meta"]["messageCount"] == len(messages)
        assert titles[-1:] == ([listed["title"]] if messages else ["change it"])
        live = client_model(updates_in(list(copy.messages)))
        assert {call["status"] for call in seen["calls"].values()} <= set(OVER)
        # What the client saw as done is told as it was.
        done = {key: call for key, call in live["calls"].items() if call["status"] in OVER}
        assert {key: seen["calls"].get(key) for key in done} == done
        assert (await it.prompt("and now?"))["result"] == {"stopReason": "end_turn"}
        assert tree(machine.project) == project
    return seen


async def told(it: Window, session_id: str) -> dict[str, Any]:
    answer = await it.ask("session/load", session_id)
    assert "modes" in answer
    return client_model(it.editor.updates())


def ended(seen: dict[str, Any]) -> list[str]:
    return [text for text in seen["messages"].values() if text.lstrip().startswith(ENDED)]

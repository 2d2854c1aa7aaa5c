"""A conversation told again from its journal is the one that was told live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.acp.clients import Client
from openhands_acp.acp.updates import Projector, State
from openhands_acp.engine.events import Entry
from openhands_acp.engine.transcript import Transcript
from openhands_acp.rpc.outbox import Outgoing
from openhands_acp.store.codec import from_json, to_json
from tests.harness.check import agent
from tests.harness.editor import allowed, rejected
from tests.harness.model import Answer, Wait, call, say, think

pytestmark = pytest.mark.anyio


def client_model(updates: list[dict[str, Any]]) -> dict[str, Any]:
    """What a client knows after these updates, without what it typed itself."""
    messages: dict[str, str] = {}
    calls: dict[str, dict[str, Any]] = {}
    state: dict[str, Any] = {}
    for update in updates:
        kind = update["sessionUpdate"]
        if kind.endswith("_chunk"):
            if kind != "user_message_chunk":
                key = f"{kind} {update['messageId']}"
                messages[key] = messages.get(key, "") + update["content"]["text"]
        elif kind.startswith("tool_call"):
            calls.setdefault(update["toolCallId"], {}).update(update, sessionUpdate="")
        elif kind != "available_commands_update":
            state[kind] = update
    return {"messages": messages, "calls": calls, "state": state, "order": [*messages], "call order": [*calls]}


def replayed(
    entries: list[Entry], session_id: str, config: list[dict[str, Any]], client: Client | None = None
) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    transcript = Transcript()

    def put(item: Outgoing) -> None:
        wire: Any = item.to_wire()
        sent.append(dict(wire["params"]["update"]))

    projector = Projector(
        session_id,
        put,
        lambda: State(transcript.mode or "", lambda: config, transcript.spending),
        client or Client(),
        is_replay=True,
    )
    for entry in entries:
        transcript.apply(entry.event, entry.id)
        projector.publish(entry.event)
    return sent


EDIT = call("file_editor", command="str_replace", path="a.txt", old_str="one", new_str="two")
RUN = call("terminal", 1, command="echo hi; exit 3")


@pytest.mark.parametrize(
    ("answers", "cancels"),
    [
        ([[think("A ", "b."), say("C ", "d.")]], False),
        ([[say("Editing."), EDIT, RUN], [say("Done.")]], False),
        ([[EDIT, call("nothing", 1, a=1), call("terminal", 2)], [call("finish", message="Bye.")]], False),
        ([[call("task_tracker", command="plan", task_list=[{"title": "t", "status": "done"}])], [think("x")]], False),
        ([[say("Half"), EDIT[:2], Wait()]], True),
        ([[think("Half"), Wait()]], True),
    ],
)
@pytest.mark.parametrize("option", ["allow_once", "allow_always", "reject_once"])
async def test_replay_equals_live(tmp_path: Path, answers: list[Answer], cancels: bool, option: str) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    permission = rejected() if option == "reject_once" else allowed(option)
    async with agent(tmp_path, *answers, permission=lambda _params: permission) as running:
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="llm-approve")
        request = running.ask_prompt("go")
        if cancels:
            await running.editor.until(lambda m: "Half" in json.dumps(m))
            running.cancel()
        await running.editor.answer(request)
        live = running.editor.updates()
        session = running.backend.sessions[running.session_id]
        options = [u["configOptions"] for u in live if u["sessionUpdate"] == "config_option_update"][-1]
        entries = [from_json(json.loads(json.dumps(to_json(entry)))) for entry in running.entries]
        assert entries == running.entries
        again = replayed(entries, running.session_id, options)
        assert client_model(again) == client_model(live)
        assert [u["content"]["text"] for u in again if u["sessionUpdate"] == "user_message_chunk"] == ["go"]
        loaded = Transcript()
        for entry in entries:
            loaded.apply(entry.event, entry.id)
        assert loaded == session.transcript

"""Conversations as OpenHands' trajectories, and back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from hypothesis import given, settings

from openhands_acp.engine import cards, events
from openhands_acp.engine.events import Entry
from openhands_acp.engine.messages import Text
from openhands_acp.store.openhands import read_conversation
from openhands_acp.store.trajectory import export_zip, to_openhands
from tests.store.conversations import ROOT, conversations, history, stamped, write_layout

ID = str(UUID(int=7))


@settings(max_examples=80, deadline=None)
@given(conversations())
def test_a_trajectory_read_back_tells_a_model_the_same(entries: list[Entry]) -> None:
    with TemporaryDirectory() as folder:
        write_layout(Path(folder), ID, to_openhands(entries), state={})
        stored = read_conversation(Path(folder), ID)
    assert history(stored.entries) == history(entries)
    assert stored.notes == ()


@settings(max_examples=40, deadline=None)
@given(conversations())
def test_the_calls_of_one_response_are_neighbours_and_only_the_first_has_thoughts(entries: list[Entry]) -> None:
    trajectory = to_openhands(entries)
    answers = [event.get("llm_response_id") for event in trajectory]
    for response in {answer for answer in answers if answer}:
        places = [place for place, answer in enumerate(answers) if answer == response]
        assert places == list(range(places[0], places[0] + len(places)))
        rest = [trajectory[place] for place in places[1:]]
        assert [(event["thought"], event["reasoning_content"], event["thinking_blocks"]) for event in rest] == [
            ([], None, []) for _ in rest
        ]
    calls = {event["id"]: event["tool_call_id"] for event in trajectory if event["kind"] == "ActionEvent"}
    results = [event for event in trajectory if "action_id" in event]
    assert [event["tool_call_id"] for event in results] == [calls[event["action_id"]] for event in results]
    assert len({event["id"] for event in trajectory}) == len(trajectory)


def small() -> list[Entry]:
    diff = cards.ShownDiff(ROOT, "a", "b")
    arguments = '{"command": "str_replace", "path": "a.py", "old_str": "a", "new_str": "b", "security_risk": "LOW"}'
    card = cards.Card("Edit a.py", "edit")
    return stamped(
        [
            events.ConversationStarted(ID, (ROOT,), "always-ask", "a/b"),
            events.TurnStarted("t"),
            events.MessageEvent("m", "user", (Text("mend it"),)),
            events.MessageEvent("n", "assistant", (Text("So be it."),), "r"),
            events.ActionEvent("ours", "theirs", "file_editor", arguments, "r", "LOW", card),
            events.ObservationEvent("ours", "x", "file_editor", "edited", shown=(diff,)),
            events.TurnEnded("t", "end_turn"),
        ]
    )


def test_a_trajectory_is_spelt_as_openhands_spells_it() -> None:
    stamps = [{"id": entry.id, "timestamp": entry.timestamp.isoformat()} for entry in small()]
    fields = {"command": "str_replace", "path": "a.py", "old_str": "a", "new_str": "b"}
    arguments = json.dumps({**fields, "security_risk": "LOW"})
    assert to_openhands(small()) == [
        {
            **stamps[0],
            "source": "environment",
            "key": "started",
            "value": {
                "session_id": ID,
                "roots": [ROOT],
                "mode": "always-ask",
                "model": "a/b",
                "thought_level": "default",
            },
            "kind": "ConversationStateUpdateEvent",
        },
        {
            **stamps[2],
            "source": "user",
            "llm_message": {"role": "user", "content": [{"type": "text", "text": "mend it"}]},
            "activated_skills": [],
            "extended_content": [],
            "kind": "MessageEvent",
        },
        {
            **stamps[4],
            "source": "agent",
            "thought": [{"type": "text", "text": "So be it."}],
            "reasoning_content": None,
            "thinking_blocks": [],
            "action": {**fields, "kind": "FileEditorAction"},
            "tool_name": "file_editor",
            "tool_call_id": "theirs",
            "tool_call": {"id": "theirs", "name": "file_editor", "arguments": arguments, "origin": "completion"},
            "llm_response_id": "r",
            "security_risk": "LOW",
            "kind": "ActionEvent",
        },
        {
            **stamps[5],
            "source": "environment",
            "tool_name": "file_editor",
            "tool_call_id": "theirs",
            "action_id": stamps[4]["id"],
            "observation": {
                "content": [{"type": "text", "text": "edited"}],
                "is_error": False,
                "path": ROOT,
                "prev_exist": True,
                "old_content": "a",
                "new_content": "b",
                "kind": "FileEditorObservation",
            },
            "kind": "ObservationEvent",
        },
    ]


def test_a_zip_holds_one_file_for_each_event_in_order() -> None:
    file = io.BytesIO()
    export_zip(small(), file)
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        read = [json.loads(archive.read(name)) for name in names]
    trajectory = to_openhands(small())
    assert names == [f"event_{number:06d}_{event['id']}.json" for number, event in enumerate(trajectory)]
    assert read == trajectory

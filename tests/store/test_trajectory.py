"""Conversations as OpenHands' trajectories, and back."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from openhands_acp.engine import cards, events
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Text, UserMessage, plain_text
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.engine.transcript import Transcript
from openhands_acp.store.openhands import read_conversation
from openhands_acp.store.trajectory import export_zip, to_openhands
from tests.store.conversations import ROOT, WORDS, conversations, stamped, told, write_layout
from tests.store.examples import ENTRIES

ID = str(UUID(int=7))
SCHEMAS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "fixtures/openhands_events.schema.json").read_text("utf-8")
)
"""Of openhands-sdk 1.58.2, made by it: `model_json_schema()` of each event that is written here.

Without the words, and of actions and observations without those that are never written. They forbid
what they do not name, as that program does.
"""


def faults_of(event: dict[str, Any]) -> list[str]:
    schema = {"$ref": f"#/$defs/{event['kind']}", "$defs": SCHEMAS}
    found: Any = Draft202012Validator(schema).iter_errors(event)  # pyright: ignore[reportUnknownMemberType]
    return [f"{event['kind']} {fault.json_path}: {fault.message}" for fault in found]


WHAT_ELSE: list[Durable] = [
    events.SkillActivated("moon", "The moon pulls.", "prompt", "tide"),
    events.SystemPromptEvent("taken up anew", "It is noon.", ("terminal",)),
    events.QuestionAnswered("asked", cards.Card("Go on?", "other"), "Go on"),
    ToolsChanged(("terminal", "weather")),
    SubagentStarted("task_00000001", "response-0-0-0", "code-explorer"),
    SubagentStep("inner", "response-0-0-0", "terminal", cards.Card("ls", "execute"), "completed", (), is_own=True),
]


@st.composite
def long_conversations(draw: st.DrawFn) -> list[Entry]:
    """Conversations that were made shorter between turns, and in which more happened."""
    made, transcript = list[Durable](), Transcript()

    def add(event: Durable) -> None:
        made.append(event)
        transcript.apply(event, "")

    for entry in draw(conversations()):
        add(entry.event)
        if isinstance(entry.event, events.TurnEnded):
            for event in draw(st.lists(st.sampled_from(WHAT_ELSE), max_size=2)):
                add(event)
            # A stop is told in no event's place: behind it and in front of it are the same.
            places = [at for at in range(len(transcript.items) + 1) if not at or not is_stop(transcript.items[at - 1])]
            until = draw(st.sampled_from(places))
            kept = tuple(at for at in range(until) if draw(st.booleans()))
            if draw(st.booleans()):
                add(events.Condensation(f"k{len(made)}", "summary", 9, 5, until, kept, draw(WORDS)))
    return stamped(made)


def is_stop(item: object) -> bool:
    return isinstance(item, UserMessage) and plain_text(item.parts).startswith("(I stopped you here.")


@settings(max_examples=80, deadline=None)
@given(long_conversations())
def test_a_trajectory_read_back_tells_a_model_the_same(entries: list[Entry]) -> None:
    with TemporaryDirectory() as folder:
        write_layout(Path(folder), ID, to_openhands(entries), state={})
        stored = read_conversation(Path(folder), ID)
    assert told(stored.entries) == told(entries)
    assert stored.notes == ()


@settings(max_examples=30, deadline=None)
@given(long_conversations())
def test_openhands_takes_up_a_trajectory_whose_prompt_is_first_and_whose_calls_are_answered_next(
    entries: list[Entry],
) -> None:
    unanswered = set[str]()
    for number, event in enumerate(to_openhands(entries)):
        match event:
            case {"kind": "SystemPromptEvent"}:
                assert number == 0
            case {"kind": "MessageEvent"}:
                assert unanswered == set()
            case {"kind": "ActionEvent", "tool_call_id": call_id}:
                unanswered.add(call_id)
            case {"tool_call_id": call_id}:
                unanswered.remove(call_id)
            case _:
                pass


@settings(max_examples=30, deadline=None)
@given(long_conversations())
def test_openhands_own_models_take_every_event(entries: list[Entry]) -> None:
    faults = [fault for event in to_openhands(entries) for fault in faults_of(event)]
    assert faults == []


def test_openhands_own_models_take_every_kind_of_event() -> None:
    assert [fault for event in to_openhands(ENTRIES) for fault in faults_of(event)] == []


def test_half_a_character_does_not_make_a_trajectory_unreadable() -> None:
    said = stamped([events.MessageEvent("m", "user", (Text("half \ud83d of it"),))])
    assert to_openhands(said)[0]["llm_message"]["content"] == [{"type": "text", "text": "half ? of it"}]


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
    assert len(set(calls.values())) == len(calls)
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
                "command": "str_replace",
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

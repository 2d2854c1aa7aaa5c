"""OpenHands' own conversations: a fixture in its layout, what is broken in it, and what never raises."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine import events
from openhands_acp.engine.cards import Card, Location, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.events import Durable, PlanEntry
from openhands_acp.engine.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.codec import from_json, to_json
from openhands_acp.store.listing import Summary
from openhands_acp.store.openhands import newest, read_conversation
from openhands_acp.store.reading import NoSuchSession
from tests.store.conversations import ROOT, history, write_layout

FIXTURES = Path(__file__).parent / "fixtures" / "openhands"
ID = "7d1f0c52-b7f9-4a0f-9a3e-5f2c4f6f9a10"
OTHER = "00000000-0000-4000-8000-00000000000b"
TIDE = AbsPath(f"{ROOT}/tide.py")


def event_id(number: int) -> str:
    return f"5ea00000-0000-4000-8000-{number:012d}"


def call(number: int, provider_id: str, name: str, response: int, card: Card | None) -> events.ActionEvent:
    written = json.loads(next((FIXTURES / UUID(ID).hex / "events").glob(f"event-{number:05d}-*")).read_text("utf-8"))
    arguments, risk = written["tool_call"]["arguments"], written["security_risk"]
    return events.ActionEvent(event_id(number), provider_id, name, arguments, f"resp-{response}", risk, card)


def seen(number: int, name: str, text: str, **more: Any) -> events.ObservationEvent:
    return events.ObservationEvent(event_id(number), event_id(number), name, text, **more)


def command(line: str) -> Card:
    return Card(line, "execute", (), (ShownCommand(line),))


BLOCK = {"type": "thinking", "thinking": "Two looks at once.", "signature": "c2ln"}
TOLD = "tuesday.csv\n[The command completed with exit code 0.]"
PLAN = (PlanEntry("Find it", "completed"), PlanEntry("Mend it", "in_progress"), PlanEntry("Look again", "pending"))
WAS_UPDATED = "Task list has been updated with 3 item(s)."
DONE = "High water is at **8** now."
EDIT = Card("Edit tide.py", "edit", (Location(TIDE),), (ShownDiff(TIDE, "HIGH = 7", "HIGH = 8"),))
EDITED = ShownDiff(TIDE, "LOW = 1\nHIGH = 7\n", "LOW = 1\nHIGH = 8\n")
NO_RESULT = "OpenHands recorded no result of this call; whether it ran, and what it did, is unknown"
ASKED = (Text("The high water of Tuesday is wrong.\nPlease mend it."),)
ADDED = "Something was added to this prompt, for the model to read."
DEPTH = '```json\n{\n  "depth": 3\n}\n```'
SUMMED_UP = "OpenHands shortened the conversation: a summary replaces what was."

FIXTURE: list[Durable] = [
    events.ConversationStarted(ID, (ROOT,), "", ""),
    events.SystemPromptEvent("You keep tide tables.", "It is low water.", ("terminal", "file_editor")),
    events.TurnStarted(f"{event_id(2)}-turn"),
    events.MessageEvent(event_id(2), "user", ASKED),
    events.ConversationStateUpdateEvent("title", "The high water of Tuesday is wrong"),
    events.NoticeEvent(f"{event_id(2)}-added", "thought", ADDED, "(skill: moon phases)"),
    events.ThoughtEvent(f"{event_id(3)}-reasoning", "resp-1", "Two looks at once.", [BLOCK]),
    events.MessageEvent(f"{event_id(3)}-text", "assistant", (Text("I look at both."),), "resp-1"),
    call(3, "call_a", "terminal", 1, command("cd tables && ls")),
    call(4, "call_b", "file_editor", 1, Card("View tide.py", "read", (Location(TIDE, 3),))),
    seen(
        4,
        "file_editor",
        "3\tHIGH = 7",
        shown=(ShownText("```\n3\tHIGH = 7\n```"),),
        locations=(Location(TIDE),),
        raw_output={"path": TIDE},
    ),
    seen(3, "terminal", TOLD, shown=(ShownCommand("cd tables && ls", TOLD),), raw_output={"exit_code": 0}),
    call(7, "call_c", "task_tracker", 2, None),
    events.PlanUpdated(PLAN),
    seen(7, "task_tracker", WAS_UPDATED, shown=(ShownText(f"```\n{WAS_UPDATED}\n```"),)),
    call(10, "call_d", "file_editor", 3, EDIT),
    seen(
        10,
        "file_editor",
        "The file has been edited.",
        shown=(EDITED,),
        locations=(Location(TIDE),),
        raw_output={"path": TIDE},
    ),
    call(12, "call_e", "terminal", 4, command("git push")),
    events.UserRejectObservation(event_id(12), event_id(12), "terminal", "not on a Sunday"),
    call(14, "call_a", "barometer", 5, Card("Read the barometer", "other", (), (ShownText(DEPTH),))),
    events.AgentErrorEvent(event_id(14), "barometer", "Tool 'barometer' not found."),
    call(16, "call_f", "finish", 6, None),
    events.NoticeEvent(f"{event_id(17)}-said", "text", DONE),
    seen(16, "finish", DONE, shown=(ShownText(f"```\n{DONE}\n```"),)),
    events.TurnEnded(f"{event_id(2)}-turn", "end_turn"),
    events.TurnStarted(f"{event_id(18)}-turn"),
    events.MessageEvent(event_id(18), "user", (Text("And on Wednesday?"),)),
    call(19, "call_g", "terminal", 7, command("sleep 600")),
    events.InterruptEvent(),
    events.AgentErrorEvent(event_id(19), "terminal", NO_RESULT),
    events.TurnEnded(f"{event_id(18)}-turn", "cancelled"),
    events.TurnStarted(f"{event_id(21)}-turn"),
    events.MessageEvent(event_id(21), "user", (Text("Leave it."),)),
    events.NoticeEvent(f"{event_id(22)}-told", "text", SUMMED_UP),
    events.Condensation(event_id(22), "summary", 333, 289, 3, (0, 1), "Tuesday was mended."),
    events.ThoughtEvent(f"{event_id(23)}-reasoning", "resp-9", "Nothing to do."),
    events.MessageEvent(event_id(23), "assistant", (Text("Left."),), "resp-9"),
    events.ConversationErrorEvent(event_id(27), "LLMAuthenticationError", "The key was refused."),
    events.TurnEnded(f"{event_id(21)}-turn", "end_turn"),
]


def test_a_conversation_of_openhands_becomes_ours_and_what_is_broken_is_told() -> None:
    stored = read_conversation(FIXTURES, ID)
    assert [entry.event for entry in stored.entries] == FIXTURE
    assert stored.notes == (
        f"event-00009-{event_id(9)}.json: left out, it is empty",
        f"event-00025-{event_id(25)}.json: left out, it is not whole JSON",
        "event 26: missing",
        "1 × MoonEvent: left out, there is nothing like it here",
    )
    assert stored.size == 0


def test_it_is_read_the_same_each_time_and_each_entry_has_an_id() -> None:
    stored = read_conversation(FIXTURES, ID)
    assert read_conversation(FIXTURES, ID) == stored
    assert len({entry.id for entry in stored.entries}) == len(stored.entries)
    actions = {entry.id for entry in stored.entries if isinstance(entry.event, events.ActionEvent)}
    results = [entry.event for entry in stored.entries if isinstance(entry.event, events.ObservationEvent)]
    assert {result.action_id for result in results} <= actions


def test_it_is_listed_with_its_first_words_its_folder_and_its_time(tmp_path: Path) -> None:
    ours = {**said("user", "Go on."), "source": "environment"}
    quoted = said("agent", 'Not {"kind": "MessageEvent"}.')
    write_layout(tmp_path, ID, [said("user", "First\nof all"), ours, quoted], {"workspace": {"working_dir": ROOT}})
    write_layout(tmp_path, OTHER, [said("user", "no")], {"tags": {"title": "Named  by\nhand"}})
    (tmp_path / "0123456789abcdef0123456789abcdef" / "events").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("not a conversation")
    for session_id, second in ((ID, 10), (OTHER, 20)):
        os.utime(tmp_path / UUID(session_id).hex / "events", (second, second))
    nowhere = AbsPath(str(tmp_path / UUID(OTHER).hex))
    assert [summary for _, summary in newest(tmp_path)] == [
        Summary(OTHER, (nowhere,), "Named by hand", datetime.fromtimestamp(20, UTC), 1),
        Summary(ID, (ROOT,), "First", datetime.fromtimestamp(10, UTC), 2),
    ]
    assert list(newest(tmp_path / "absent")) == []


@pytest.mark.parametrize(
    "wrong",
    ["", "..", "../../etc", "7d1f", OTHER, f"{ID}/..", "\0", "é" * 32, ID.upper(), ID.replace("-", ""), f"{{{ID}}}"],
)
def test_an_id_of_nothing_leads_nowhere(wrong: str) -> None:
    with pytest.raises(NoSuchSession):
        read_conversation(FIXTURES, wrong)


# ---------------------------------------------------------------- branches, batches, turns


def said(role: str, text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    return {"kind": "MessageEvent", "llm_message": {"role": role, "content": content}, **fields}


def acted(event: str, tool_call_id: str, response: str, **fields: Any) -> dict[str, Any]:
    tool_call = {"id": tool_call_id, "name": "weather", "arguments": "{}"}
    call = {"tool_name": "weather", "tool_call_id": tool_call_id, "tool_call": tool_call}
    return {"kind": "ActionEvent", "id": event, **call, "llm_response_id": response, **fields}


def told(tool_call_id: str, text: str, **fields: Any) -> dict[str, Any]:
    observation = {"content": [{"type": "text", "text": text}]}
    return {"kind": "ObservationEvent", "tool_call_id": tool_call_id, "observation": observation, **fields}


def spelt(raw: Sequence[dict[str, Any]], state: dict[str, Any] | None = None) -> tuple[list[str], tuple[str, ...]]:
    """Return what a model reads of a conversation, one line a message, and the notes."""
    with TemporaryDirectory() as folder:
        numbered = [{"id": f"00000000-{number:04d}", **event} for number, event in enumerate(raw)]
        write_layout(Path(folder), ID, numbered, {} if state is None else state)
        stored = read_conversation(Path(folder), ID)
    return [line(message) for message in history(stored.entries)], stored.notes


def line(message: Message) -> str:
    match message:
        case SystemMessage():
            return f"system: {message.static}"
        case UserMessage():
            return (
                f"user: {'|'.join(part.text if isinstance(part, Text) else part.mime_type for part in message.parts)}"
            )
        case AssistantMessage():
            return f"agent: {message.text}" + "".join(f" +{call.id}" for call in message.calls)
        case ToolMessage():
            return f"{message.call_id}: {message.text}"


STOPPED = "user: (I stopped you here. Leave what was under way, unless I ask for it again.)"
LOST = f"Error: {NO_RESULT}"


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        pytest.param(
            [said("user", "hi"), acted("a0000000", "c", "r"), said("user", "wait"), told("c", "sun")],
            ["user: hi", "agent:  +c", "c: sun", "user: wait"],
            id="a prompt between a call and its result steers",
        ),
        pytest.param(
            [said("user", "hi"), acted("a0000000", "c", "r"), said("user", "wait"), said("assistant", "yes")],
            ["user: hi", "agent:  +c", f"c: {LOST}", "user: wait", "agent: yes"],
            id="a call that was never answered is closed before the next prompt",
        ),
        pytest.param(
            [
                said("user", "hi"),
                *(acted("a0000000", "c", "r"), told("c", "sun"), acted("b0000000", "c", "r"), told("c", "rain")),
                said("assistant", "so", llm_response_id="r"),
            ],
            ["user: hi", "agent:  +c", "c: sun", "agent:  +c", "c: rain", "agent: so"],
            id="a server that gives all answers one id",
        ),
        pytest.param(
            [
                said("user", "hi"),
                acted("a0000000", "c", "r"),
                {"kind": "AgentErrorEvent", "tool_call_id": "c", "error": "no"},
                *(acted("b0000000", "d", "r"), told("d", "rain")),
            ],
            ["user: hi", "agent:  +c +d", "c: Error: no", "d: rain"],
            id="an error in the middle of a batch does not split it",
        ),
        pytest.param(
            [said("user", "hi"), {"kind": "PauseEvent"}, said("assistant", "on")],
            ["user: hi", "agent: on"],
            id="a pause after which it went on stops nothing",
        ),
        pytest.param(
            [said("user", "hi"), {"kind": "InterruptEvent"}, said("user", "you")],
            ["user: hi", STOPPED, "user: you"],
            id="an interrupt is a stop",
        ),
        pytest.param([said("assistant", "first")], ["agent: first"], id="nobody asked"),
        pytest.param(
            [
                {
                    "kind": "MessageEvent",
                    "llm_message": {
                        "role": "user",
                        "content": [
                            {"type": "image", "image_urls": ["data:image/png;base64,aGk=", "https://example.org/a.png"]}
                        ],
                    },
                }
            ],
            ["user: image/png|(image: https://example.org/a.png)"],
            id="images",
        ),
    ],
)
def test_turns_batches_and_results(raw: list[dict[str, Any]], read: list[str]) -> None:
    assert spelt(raw) == (read, ())


TREE: list[dict[str, Any]] = [
    said("user", "root", id="a0000000"),
    said("assistant", "one", id="b0000000", parent_id="a0000000"),
    {"kind": "ConversationStateUpdateEvent", "key": "stats", "value": {}, "parent_id": "b0000000"},
    {"kind": "HookExecutionEvent", "id": "ab000000", "parent_id": "a0000000"},
    said("assistant", "two", id="c0000000", parent_id="a0000000"),
    said("user", "end", id="d0000000", parent_id="c0000000"),
]
ONE_LEFT = ("1 event(s) of other branches: left out",)


@pytest.mark.parametrize(
    ("state", "read", "notes"),
    [
        ({}, ["user: root", "agent: two", "user: end"], ONE_LEFT),
        ({"leaf_event_id": "c0000000"}, ["user: root", "agent: two"], ("2 event(s) of other branches: left out",)),
        ({"leaf_event_id": "b0000000"}, ["user: root", "agent: one"], ("2 event(s) of other branches: left out",)),
        # Killed at work: the head is behind. Where nobody is at work, the person went back.
        (
            {"leaf_event_id": "c0000000", "execution_status": "running"},
            ["user: root", "agent: two", "user: end"],
            ONE_LEFT,
        ),
        ({"leaf_event_id": "nowhere"}, ["user: root", "agent: two", "user: end"], ONE_LEFT),
        ({"head_is_empty": True}, [], ("the conversation was taken back to its beginning; nothing of it counts",)),
    ],
)
def test_only_the_branch_that_counts_is_read(state: dict[str, Any], read: list[str], notes: tuple[str, ...]) -> None:
    assert spelt(TREE, state) == (read, notes)


# ---------------------------------------------------------------- whatever lies there

JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "x", "user", "terminal", "view", "c", "__root__", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["text", "type", "content", "role", "command", "path", "kind", "data", "title"]), inner
        )
    ),
    max_leaves=6,
)
FILES = sorted((FIXTURES / UUID(ID).hex / "events").glob("*.json"))
RAW = [json.loads(text) for path in FILES if (text := path.read_text("utf-8")).endswith("}")]


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_a_field_holds_the_rest_is_read(data: st.DataObject) -> None:
    raw = [dict(data.draw(st.sampled_from(RAW))) for _ in range(data.draw(st.integers(1, 5)))]
    for event in raw:
        for name in data.draw(st.lists(st.sampled_from(list(event)), max_size=3)):
            event[name] = data.draw(JUNK)
    with TemporaryDirectory() as folder:
        write_layout(Path(folder), ID, raw, data.draw(st.dictionaries(st.sampled_from(["workspace", "tags"]), JUNK)))
        listed, stored = list(newest(Path(folder))), read_conversation(Path(folder), ID)
    assert [summary.session_id for _, summary in listed] == [ID]
    assert isinstance(stored.entries[0].event, events.ConversationStarted)
    # It can be kept as one of ours.
    assert [from_json(json.loads(json.dumps(to_json(entry)))) for entry in stored.entries] == stored.entries


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 400))
def test_whatever_bytes_a_file_holds_the_others_are_read(junk: bytes, cut: int) -> None:
    with TemporaryDirectory() as folder:
        write_layout(Path(folder), ID, [said("user", "hi", id="a0000000"), said("user", "you", id="b0000000")], {})
        place = Path(folder) / UUID(ID).hex
        first = min((place / "events").iterdir())
        first.write_bytes(first.read_bytes()[:cut] + junk)
        (place / "base_state.json").write_bytes(junk)
        stored = read_conversation(Path(folder), ID)
    assert [line(message) for message in history(stored.entries)][-1:] == ["user: you"]
    assert len(stored.notes) <= 2


def test_what_is_no_file_of_a_size_to_read_is_left_out_with_a_reason(tmp_path: Path) -> None:
    write_layout(tmp_path, ID, [said("user", f"{number}", id=f"{number}0000000") for number in range(6)], {})
    link, folder, pipe, huge, listed, _ = sorted((tmp_path / UUID(ID).hex / "events").iterdir())
    for path in (link, folder, pipe):
        path.unlink()
    link.symlink_to(tmp_path / "nowhere")
    folder.mkdir()
    os.mkfifo(pipe)
    with huge.open("r+b") as file:
        file.truncate(65 * 1024**2)
    listed.write_text("[5]")
    stored = read_conversation(tmp_path, ID)
    assert [line(message) for message in history(stored.entries)] == ["user: 5"]
    assert stored.notes == (
        f"{link.name}: left out, No such file or directory",
        f"{folder.name}: left out, it is no file",
        f"{pipe.name}: left out, it is no file",
        f"{huge.name}: left out, it is larger than 64 MiB",
        f"{listed.name}: left out, it is no JSON object",
    )


def test_nothing_is_written_there(tmp_path: Path) -> None:
    write_layout(tmp_path, ID, [said("user", "hi")], {})
    places = [tmp_path, *tmp_path.rglob("*")]
    for place in places:
        os.utime(place, (10, 10))
    list(newest(tmp_path))
    read_conversation(tmp_path, ID)
    assert [tmp_path, *tmp_path.rglob("*")] == places
    assert {place.stat().st_mtime for place in places} == {10}

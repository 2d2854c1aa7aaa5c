"""Whole conversations by hypothesis, as the engine makes them, and OpenHands' layout on a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from openhands_acp.engine import cards, events
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import AssistantMessage, Image, Message, Part, Text, ToolMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.transcript import Transcript

ROOT = AbsPath("/home/ada/tidepool")
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

WORDS = st.sampled_from(["", "tide", "<b>moon</b>", "two\nlines", "`code` & more", "日本語", "\x1b[31mred", "'\"\\"])
CARDS: st.SearchStrategy[cards.Card | None] = st.none() | st.builds(
    cards.Card, WORDS, st.sampled_from(["read", "edit", "execute", "other"])
)
SHOWN = st.lists(
    st.one_of(
        st.builds(cards.ShownText, WORDS),
        st.builds(cards.ShownCommand, WORDS, WORDS),
        st.builds(cards.ShownSound, st.just("audio/wav"), st.just("UklGRg==")),
        st.builds(
            cards.ShownDiff, st.just(ROOT), st.none() | WORDS, st.none() | WORDS, st.none() | st.just(ROOT), WORDS
        ),
    ),
    max_size=2,
).map(tuple)
PICTURES = st.builds(Image, st.sampled_from(["image/png", "image/jpeg"]), st.just("aGk="))
TOOLS = st.sampled_from(["terminal", "file_editor", "task_tracker", "think", "finish", "weather"])
ARGUMENTS = st.sampled_from(
    [
        "{}",
        "not JSON",
        "[1]",
        '{"command": "ls -l"}',
        '{"command": "view", "path": "/home/ada/tidepool/a.py"}',
        '{"command": "plan", "task_list": [{"title": "one", "status": "done"}, 5]}',
        '{"thought": "hm"}',
        '{"message": "done"}',
    ]
)
MENDED = st.none() | st.just('{"command": "pwd"}')
BLOCKS: st.SearchStrategy[list[dict[str, str]] | None] = st.none() | st.lists(
    st.sampled_from(
        [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "x"}]
    ),
    min_size=1,
    max_size=2,
)


def stamped(made: Sequence[Durable]) -> list[Entry]:
    """Give each event an id by its place and the next second."""
    return [
        Entry(str(UUID(int=number + 1)), NEW_YEAR + timedelta(seconds=number), event)
        for number, event in enumerate(made)
    ]


def history(entries: Sequence[Entry]) -> list[Message]:
    transcript = Transcript()
    for entry in entries:
        transcript.apply(entry.event, entry.id)
    return transcript.history()


def told(entries: Sequence[Entry]) -> list[Message]:
    """Return what a model reads, with calls named by their number: a provider may use an id twice."""
    messages, named = list[Message](), dict[str, str]()
    for number, message in enumerate(history(entries)):
        match message:
            case AssistantMessage():
                named = {call.id: f"{number}-{at}" for at, call in enumerate(message.calls)}
                messages.append(
                    replace(message, calls=tuple(replace(call, id=named[call.id]) for call in message.calls))
                )
            case ToolMessage():
                messages.append(replace(message, call_id=named[message.call_id]))
            case _:
                messages.append(message)
    return messages


def result_of(draw: st.DrawFn, action: events.ActionEvent) -> Durable:
    call_id, name = action.tool_call_id, action.tool_name
    observation = events.ObservationEvent(call_id, "", name, draw(WORDS), draw(st.booleans()), draw(SHOWN))
    observation = replace(observation, images=draw(st.lists(PICTURES, max_size=2).map(tuple)))
    if name == "terminal":
        observation = replace(observation, raw_output={"exit_code": 3, "timed_out": False})
    return draw(
        st.sampled_from(
            [
                observation,
                events.UserRejectObservation(call_id, "", name, "no", draw(st.sampled_from(["user", "mode"]))),
                events.AgentErrorEvent(call_id, name, draw(WORDS)),
            ]
        )
    )


def answer(draw: st.DrawFn, response: str) -> list[Durable]:
    """One answer of the model, and the results of its calls in any order; a prompt may come in between."""
    made: list[Durable] = []
    if draw(st.booleans()):
        made.append(events.ThoughtEvent(f"{response}-thought", response, draw(WORDS), draw(BLOCKS)))
    count = draw(st.integers(0, 3))
    if draw(st.booleans()) or (not made and not count):
        made.append(events.MessageEvent(f"{response}-text", "assistant", (Text(draw(WORDS)),), response))
    actions = [
        # A provider numbers the calls of each answer from 0.
        events.ActionEvent(
            f"{response}-{n}", f"call_{n}", draw(TOOLS), draw(ARGUMENTS), response, "LOW", draw(CARDS), draw(MENDED)
        )
        for n in range(count)
    ]
    made += actions
    results = [result_of(draw, action) for action in draw(st.permutations(actions))]
    if results and draw(st.booleans()):
        results.insert(draw(st.integers(0, len(results) - 1)), user(draw, f"{response}-steer"))
    return made + results


def user(draw: st.DrawFn, message_id: str) -> events.MessageEvent:
    parts: list[Part] = draw(st.lists(st.builds(Text, WORDS) | PICTURES, min_size=1, max_size=2))
    return events.MessageEvent(message_id, "user", tuple(parts))


@st.composite
def conversations(draw: st.DrawFn) -> list[Entry]:
    made: list[Durable] = [events.ConversationStarted(str(UUID(int=7)), (ROOT,), "always-ask", "a/b")]
    if draw(st.booleans()):
        made.append(events.SystemPromptEvent("static", draw(WORDS), ("terminal",)))
    for turn in range(draw(st.integers(1, 3))):
        made += [events.TurnStarted(f"turn-{turn}"), user(draw, f"user-{turn}")]
        for number in range(draw(st.integers(0, 2))):
            made += answer(draw, f"response-{turn}-{number}")
            if draw(st.integers(0, 4)) == 0:
                made.append(events.ResponseDropped(f"response-{turn}-{number}"))
        made += draw(st.lists(st.sampled_from(_ASIDE), max_size=2))
        if draw(st.booleans()):
            made += [events.InterruptEvent(), events.TurnEnded(f"turn-{turn}", "cancelled")]
        else:
            made.append(events.TurnEnded(f"turn-{turn}", "end_turn"))
    return stamped(made)


_ASIDE: list[Durable] = [
    events.NoticeEvent("notice", "text", "**hi**"),
    events.NoticeEvent("said", "user", "/help"),
    events.NoticeEvent("told", "text", "It was told so.", "(Try another way.)"),
    events.PlanUpdated((events.PlanEntry("one", "pending"),)),
    events.ConversationErrorEvent("error", "network", "it is gone"),
    events.ConversationStateUpdateEvent("title", "Tides"),
    events.UsageEvent(events.Usage(5, 6, 1, 0.25), "a/b", 1000),
    events.PermissionDecided("response-0-0-0", "allow_once", None),
    events.CheckpointTaken("1", "before", "a", None, "mend it"),
    events.CheckpointTaken("2", "undo", "b", "a", "Undo it", 1, (), "(I took it back.)"),
]


def write_layout(
    folder: Path, session_id: str, trajectory: Sequence[Mapping[str, Any]], state: Mapping[str, Any] | None = None
) -> None:
    """Put events where OpenHands would."""
    place = folder / UUID(session_id).hex / "events"
    place.mkdir(parents=True)
    for number, event in enumerate(trajectory):
        text = json.dumps(event)
        named = str(event.get("id"))
        is_id = len(named) >= 8 and set(named) <= {*"0123456789abcdef-"}
        (place / f"event-{number:05d}-{named if is_id else UUID(int=number)}.json").write_text(text, encoding="utf-8")
    if state is not None:
        (place.parent / "base_state.json").write_text(json.dumps(state), encoding="utf-8")

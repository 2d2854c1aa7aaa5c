"""Whatever a conversation is like, whatever the window and however a provider counts: it is made to fit, or it is said
why not; nothing is sent twice or that a strict provider refuses, and what must not be forgotten is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.cards import KeptOutput, ShownDiff
from openhands_acp.engine.context.compacting import answered_in_room, compacted, made_room
from openhands_acp.engine.events import (
    LIVE,
    ActionEvent,
    Condensation,
    Durable,
    Entry,
    Event,
    MessageEvent,
    ObservationEvent,
    PlanEntry,
    PlanUpdated,
    SystemPromptEvent,
    ThoughtEvent,
    Usage,
    UsageEvent,
)
from openhands_acp.engine.guidance.events import SkillActivated
from openhands_acp.engine.items import weight_of_item
from openhands_acp.engine.messages import AssistantMessage, Message, Text, UserMessage, plain_text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM, Answer, Question, ToolSpec
from openhands_acp.engine.session_ports import Ports
from openhands_acp.engine.tool import Tool, ToolResult, TurnError
from openhands_acp.engine.transcript import Transcript
from openhands_acp.engine.usage.budget import Limits
from openhands_acp.engine.waiting import Persistence, Waiting
from tests.harness.check import MemoryJournal
from tests.harness.choices import FixedChoices
from tests.harness.model import problems_of, say
from tests.harness.narrow import TOOLS, NarrowModel, narrow, tokens_of

T = TypeVar("T")
PLAN = (PlanEntry("mend the roof", "in_progress"),)
CHANGED = AbsPath("/w/roof.py")
ROOT, OUTPUTS = AbsPath("/w"), AbsPath("/o")


async def _nothing() -> None:
    pass


def _unwanted(*given: object) -> Any:
    raise AssertionError(given)


async def _run(_arguments: object, _hands: object) -> ToolResult:
    raise AssertionError("nothing is run here")


TOOL = Tool(ToolSpec("look", "Look.", {"type": "object"}), dict, _run, lambda _arguments, _root: None)


class Nobody:
    async def ask(self, question: Question) -> Answer:
        raise AssertionError(question)


@dataclass(slots=True)
class Talk:
    """A session that has a conversation and no more."""

    llm: NarrowModel
    root: AbsPath = ROOT
    transcript: Transcript = field(default_factory=Transcript)
    entries: list[Entry] = field(default_factory=list[Entry])
    limits: Limits = field(default_factory=Limits)
    persistence: Persistence = field(default_factory=Persistence)
    waiting: Waiting = field(default_factory=Waiting)
    windows: dict[str, int] = field(default_factory=dict[str, int])
    outputs: AbsPath | None = OUTPUTS
    files: dict[str, str] = field(default_factory=dict[str, str])
    ports: Ports = field(init=False)
    _ids: count[int] = field(default_factory=lambda: count(1))
    _recalled: dict[type, Any] = field(default_factory=dict[type, Any])

    def __post_init__(self) -> None:
        self.ports = Ports(
            open_llm=lambda _model, _level, _purpose: self.open_llm(),
            open_world=_unwanted,
            permissions=Nobody(),
            journal=MemoryJournal(),
            publish=_unwanted,
            drained=_nothing,
            describe=_unwanted,
            choices=FixedChoices(()),
        )

    @property
    def tools(self) -> dict[str, Tool]:
        return {"look": TOOL}

    @property
    def permissions(self) -> Nobody:
        return Nobody()

    @property
    def drained(self) -> Callable[[], Awaitable[None]]:
        return _nothing

    def new_id(self) -> str:
        return f"i{next(self._ids)}"

    def emit(self, event: Event) -> str:
        entry_id = ""
        if not isinstance(event, LIVE):
            entry_id = self.new_id()
            self.entries.append(Entry(entry_id, datetime(2026, 1, 1, tzinfo=UTC), event))
        self.transcript.apply(event, entry_id)
        return entry_id

    def exhausted(self) -> str | None:
        return None

    def recall(self, what: type[T]) -> T:
        return self._recalled.setdefault(what, what())

    async def open_llm(self, purpose: str = "agent", model: str | None = None) -> LLM:
        return self.llm

    async def keep_output(self, name: str, text: str) -> KeptOutput | None:
        self.files[name] = text
        return KeptOutput(AbsPath(f"/o/{name}"))


SIZES = st.sampled_from([0, 10, 300, 3_000, 12_000, 60_000])
LETTERS = st.sampled_from(["a word ", "é", "语言", "x"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    unit = draw(LETTERS)
    return unit * (draw(SIZES) // len(unit.encode()))


@st.composite
def steps(draw: st.DrawFn, key: str) -> list[Durable]:
    blocks = draw(st.sampled_from([None, None, [{"type": "thinking", "thinking": "hm", "signature": "s"}]]))
    events: list[Durable] = [ThoughtEvent(f"{key}t", key, "hm", blocks)] if blocks else []
    events.append(MessageEvent(f"{key}m", "assistant", (Text(draw(texts())),), key))
    calls = [f"{key}c{number}" for number in range(draw(st.integers(1, 3)))]
    for call in calls:
        arguments = f'{{"what": "{draw(texts())}"}}'
        events.append(ActionEvent(call, call, "look", arguments, key, "LOW", None))
    shown = (ShownDiff(CHANGED, "a", "b"),)
    events += [ObservationEvent(call, "a", "look", draw(texts()), shown=shown) for call in calls]
    return events


@st.composite
def histories(draw: st.DrawFn) -> list[Durable]:
    events: list[Durable] = [SystemPromptEvent("static", "dynamic", ("look",)), PlanUpdated(PLAN)]
    for number in range(draw(st.integers(1, 12))):
        if draw(st.integers(0, 4)) == 0:
            size = draw(st.sampled_from([10, 600, 20_000]))
            events.append(SkillActivated(f"skill {number % 3}", f"{number} " + "y" * size, "path"))
        if number == 0 or draw(st.integers(0, 3)) == 0:
            size = draw(st.sampled_from([5, 60, 60, 60, 3_000, 30_000]))
            events.append(MessageEvent(f"u{number}", "user", (Text(f"wish {number}: " + "please " * (size // 7)),)))
        else:
            events += draw(steps(f"s{number}"))
    return events


SUMMARIES = {"short": "## Done\nAll.", "empty": "", "endless": "and so on " * 9_000}


@st.composite
def models(draw: st.DrawFn) -> NarrowModel:
    window = draw(st.sampled_from([4_000, 8_000, 32_000]))
    return narrow(
        [say("Done.")],
        window=window,
        known=draw(st.sampled_from([None, window, window // 2, window * 10])),
        says_window=draw(st.booleans()),
        claims=draw(st.sampled_from([(1, 0), (0, 0), (0, 1), (0.5, 0), (3, 0), (0, 10**9)])),
        summaries=[say(SUMMARIES[name]) for name in draw(st.lists(st.sampled_from(sorted(SUMMARIES)), max_size=3))],
    )


@settings(max_examples=150, deadline=None)
@given(histories(), models())
def test_it_is_made_to_fit_or_it_is_said_why_not(history: list[Durable], model: NarrowModel) -> None:
    talk = Talk(model)
    for event in history:
        talk.emit(event)
    before = talk.transcript.history()
    claimed = model.claimed(tokens_of(before) + TOOLS)
    talk.emit(UsageEvent(Usage(claimed, 0), model.model, None))
    code, rounds = anyio.run(_until_answered, talk)
    if code:
        assert code == "context"
        assert tokens_of(_least(before)) + TOOLS > 0.55 * model.window
    else:
        assert rounds <= 8
        _holds_what_must_not_be_forgotten(talk, model.requests[-1], before, model.window)
    sent = [*model.refused, *model.requests]
    assert [problems_of(request) for request in sent] == [[]] * len(sent)
    assert len({str(request) for request in sent}) == len(sent)
    _is_the_fold_of_its_events(talk)


async def _until_answered(talk: Talk) -> tuple[str, int]:
    """Return the code of a failure, or "", and how often room was made."""
    try:
        for rounds in range(20):
            if not await made_room(talk) and await answered_in_room(talk) is not None:
                return "", rounds
    except TurnError as error:
        return error.code, 0
    raise AssertionError("no end")


def _least(messages: list[Message]) -> list[Message]:
    """What no compaction leaves out."""
    return [messages[0], *[each for each in messages if isinstance(each, UserMessage) and not _guides(each)][-1:]]


def _guides(message: UserMessage) -> bool:
    return plain_text(message.parts).startswith("<extra_info")


def _said(messages: list[Message]) -> list[str]:
    users = [message for message in messages if isinstance(message, UserMessage) and not _guides(message)]
    return [plain_text(message.parts) for message in users]


def _holds_what_must_not_be_forgotten(talk: Talk, sent: list[Message], before: list[Message], window: int) -> None:
    wishes, said = _said(before), _said(sent)
    assert sent[0] == before[0]
    assert wishes[-1] in said
    if sum(map(len, wishes)) < window // 20:
        assert [text for text in said if text.startswith("wish")] == wishes
    happened = [entry.event for entry in talk.entries]
    cuts = [event for event in happened if isinstance(event, Condensation) and event.summary]
    if cuts:
        assert "mend the roof" in cuts[-1].summary
        assert (CHANGED in cuts[-1].summary) == any(isinstance(event, ObservationEvent) for event in happened)
    # Long texts in arguments may have been left out of it.
    first = next((_made(message) for message in sent if isinstance(message, AssistantMessage)), None)
    assert first is None or first in [_made(message) for message in before if isinstance(message, AssistantMessage)]


def _made(message: AssistantMessage) -> tuple[str, list[str]]:
    return message.text, [call.id for call in message.calls]


def _is_the_fold_of_its_events(talk: Talk) -> None:
    loaded = Transcript()
    for entry in talk.entries:
        loaded.apply(entry.event, entry.id)
    assert loaded == talk.transcript
    assert loaded.weight == sum(map(weight_of_item, loaded.items))


@settings(max_examples=50, deadline=None)
@given(histories())
def test_what_the_person_has_summed_up_is_less_or_as_it_was(history: list[Durable]) -> None:
    talk = Talk(narrow(window=10**9, known=10**9))
    for event in history:
        talk.emit(event)
    before, weight = talk.transcript.history(), talk.transcript.weight
    anyio.run(compacted, talk, "")
    if any(isinstance(entry.event, Condensation) for entry in talk.entries):
        assert talk.transcript.weight < weight
        assert _said(before)[-1] in _said(talk.transcript.history())
    else:
        assert talk.transcript.history() == before
    assert problems_of(talk.transcript.history()) == []
    _is_the_fold_of_its_events(talk)


def test_no_answer_is_cut_from_the_thoughts_it_began_with() -> None:
    """Anthropic refuses calls whose turn began with signed thoughts that are not there any more."""
    talk = Talk(narrow([say("Done.")], window=10_000, known=10_000))
    talk.emit(SystemPromptEvent("static", "dynamic", ("look",)))
    talk.emit(MessageEvent("u", "user", (Text("go"),)))
    for number in range(12):
        key = f"s{number}"
        if number in (0, 9):
            talk.emit(ThoughtEvent(f"{key}t", key, "hm", [{"type": "thinking", "signature": "s"}]))
        talk.emit(ActionEvent(key, key, "look", "{}", key, "LOW", None))
        talk.emit(ObservationEvent(key, "a", "look", "x" * (4_000 if number < 8 else 100)))
    for _ in range(3):
        anyio.run(_until_answered, talk)
    sent = talk.llm.requests[-1]
    answers = [message for message in sent if isinstance(message, AssistantMessage)]
    assert answers[0].blocks is not None

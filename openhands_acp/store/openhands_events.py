"""OpenHands' events as ours. Pure: knows the shapes of its events and of its tools, and no folder.

Lenient throughout: a field that is missing or of another shape counts as not there, and what cannot
be told at all is left out with a note. Nothing here raises.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast
from uuid import NAMESPACE_URL, uuid5

from openhands_acp.engine import events as ours
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Image, JsonValue, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.openhands_cards import card_of, plan_of, shown_of, words_of
from openhands_acp.store.openhands_fields import (
    RawEvent,
    arguments_of,
    is_object,
    parts_of,
    time_of,
    tool_name,
    without,
)
from openhands_acp.store.openhands_view import View

RESULTS = ("ObservationEvent", "UserRejectObservation", "AgentErrorEvent")
SILENT = frozenset(
    {
        "CondensationRequest",
        "ConversationStateUpdateEvent",
        "HookExecutionEvent",
        "LLMCompletionLogEvent",
        "SecurityAnalysisEvent",
        "StreamingDeltaEvent",
        "TokenEvent",
    }
)
"""Kinds that neither a model nor a person reads."""

_CUT_SHORT = "OpenHands recorded no result of this call; whether it ran, and what it did, is unknown"
_RISKS = ("LOW", "MEDIUM", "HIGH", "UNKNOWN")


def translate(raw: Sequence[RawEvent], root: AbsPath, title: str | None) -> tuple[list[Entry], list[str]]:
    """Translate one branch of a conversation, in its order; also say what was left out."""
    results = results_of(raw)
    reading = _Reading(root, title, results, frozenset(results.values()))
    for event in raw:
        reading.read(event)
    reading.end_turn()
    notes = [f"{count} × {kind}: left out, there is nothing like it here" for kind, count in reading.unknown.items()]
    return reading.entries, [*reading.notes, *notes]


def results_of(raw: Sequence[RawEvent]) -> Mapping[str, str]:
    """Find for each result, by its id, the id of the action that it answers: the first result counts.

    By `action_id` where there is one, else by `tool_call_id`, which providers use again in later turns.
    """
    found: dict[str, str] = {}
    waiting: dict[str, str] = {}
    for event in raw:
        kind, event_id, call_id = event.get("kind"), str(event.get("id")), str(event.get("tool_call_id"))
        if kind == "ActionEvent":
            waiting[event_id] = call_id
        elif kind in RESULTS:
            by_call = [action for action, waited in waiting.items() if waited == call_id]
            action_id = str(event.get("action_id"))
            # The latest: an older one of the same id was left unanswered by a crash. In one batch ids differ.
            action = action_id if action_id in waiting else (by_call[-1] if by_call else None)
            if action is not None:
                found[event_id] = action
                del waiting[action]
    return found


@dataclass(slots=True)
class _Reading:
    root: AbsPath
    title: str | None
    """Told after the first message; None once it was."""
    results: Mapping[str, str]
    answered: frozenset[str]
    """Actions that have a result somewhere."""
    entries: list[Entry] = field(default_factory=list[Entry])
    notes: list[str] = field(default_factory=list[str])
    unknown: Counter[str] = field(default_factory=Counter[str])
    _id: str = ""
    _timestamp: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    _count: int = 0
    """Entries made of the present event."""
    _turn_id: str | None = None
    _interrupted_by: str | None = None
    """The event by which the person stopped the turn."""
    _view: View = field(default_factory=View)
    _open: dict[str, RawEvent] = field(default_factory=dict[str, RawEvent])
    """Actions without a result so far, by id."""
    _response: tuple[str, str] = "", ""
    """OpenHands' id of the model's answer that is being read, and ours."""
    _responses: set[str] = field(default_factory=set[str])

    def read(self, event: RawEvent) -> None:
        kind = str(event.get("kind"))
        self._id, self._count = str(event.get("id")), 0
        self._timestamp = time_of(event.get("timestamp")) or self._timestamp
        match kind:
            case "SystemPromptEvent":
                self._system_prompt(event)
            case "MessageEvent":
                self._message(event)
            case "ActionEvent":
                self._action(event)
            case "ObservationEvent" | "UserRejectObservation" | "AgentErrorEvent":
                self._result(kind, event)
            case _:
                self._other(kind, event)

    def end_turn(self) -> None:
        """Close what got no result, and the turn."""
        if self._turn_id is None:
            return
        for action_id, action in self._open.items():
            self._emit(ours.AgentErrorEvent(action_id, str(action.get("tool_name")), _CUT_SHORT))
        self._open.clear()
        self._emit(ours.TurnEnded(self._turn_id, "cancelled" if self._interrupted_by else "end_turn"))
        if self._interrupted_by:
            self._view.stops(self._interrupted_by)
        self._turn_id = self._interrupted_by = None

    # ---------------------------------------------------------------- one kind each

    def _system_prompt(self, event: RawEvent) -> None:
        tools = event.get("tools")
        named = [tool_name(tool) for tool in cast("list[Any]", tools)] if isinstance(tools, list) else []
        static, dynamic = words_of(event.get("system_prompt")), words_of(event.get("dynamic_context"))
        self._emit(ours.SystemPromptEvent(static, dynamic, tuple(name for name in named if name)))
        self._view.prompts(self._id)

    def _message(self, event: RawEvent) -> None:
        message = event.get("llm_message")
        match message:
            case {"role": "user"} if event.get("source") == "environment":
                # OpenHands' own words, in the person's voice: it has no other for the model.
                if self._interrupted_by:
                    self.end_turn()
                self._goes_on()
                told = words_of(message.get("content"))
                self._say(event, told, told)
            case {"role": "user"}:
                self._begin_turn()
                self._emit(ours.MessageEvent(self._id, "user", parts_of(message.get("content"))))
                self._view.begins(self._id)
                if self.title:
                    self._emit(ours.ConversationStateUpdateEvent("title", self.title))
                    self.title = None
                if added := words_of(event.get("extended_content")):
                    self._say(event, added, "Something was added to this prompt, for the model to read.")
            case {"role": "assistant"}:
                self._goes_on()
                self._retire_response()
                response_id = self._response_of(event)
                has_thought = self._thought(message, response_id)
                text = words_of(message.get("content"))
                if text or not has_thought:
                    self._emit(ours.MessageEvent(self._id, "assistant", (Text(text),), response_id))
                self._view.answers(self._id, response_id)
                self._retire_response()
            case _:
                self.notes.append(f"event {self._id}: a message of neither the person nor the model; left out")

    def _say(self, event: RawEvent, told: str, shown: str) -> None:
        """Tell the model, in the person's voice, what they did not write."""
        names = event.get("activated_skills")
        followed = ", ".join(map(str, cast("list[object]", names))) if isinstance(names, list) else ""
        if followed:
            self._emit(ours.NoticeEvent(f"{self._id}-added", "thought", f"Following {followed}.", told))
        else:
            self._emit(ours.NoticeEvent(f"{self._id}-added", "text" if shown == told else "thought", shown, told))
        self._view.begins(self._id)

    def _action(self, event: RawEvent) -> None:
        self._goes_on()
        response_id = self._response_of(event)
        self._thought(event, response_id)
        if text := words_of(event.get("thought")):
            self._emit(ours.MessageEvent(f"{self._id}-text", "assistant", (Text(text),), response_id))
        call, name = event.get("tool_call"), str(event.get("tool_name"))
        written: object = call.get("arguments") if is_object(call) else None
        if not isinstance(written, str):
            action = event.get("action")
            known = {key: value for key, value in action.items() if key != "kind"} if is_object(action) else {}
            written = json.dumps(known, ensure_ascii=False)
        provider_id = call.get("id") if is_object(call) else None
        risk: Any = event.get("security_risk")
        self._open[self._id] = event
        self._emit(
            ours.ActionEvent(
                self._id,
                str(provider_id or event.get("tool_call_id") or self._id),
                name,
                written,
                response_id,
                risk if risk in _RISKS else "UNKNOWN",
                card_of(name, arguments_of(event), event.get("summary"), self.root),
            ),
            self._id,
        )
        self._view.answers(self._id, response_id)

    def _result(self, kind: str, event: RawEvent) -> None:
        action_id = self.results.get(self._id)
        action = self._open.pop(action_id, None) if action_id is not None else None
        if action_id is None or action is None:
            self.notes.append(f"event {self._id}: a result without its call; left out")
            return
        name = str(event.get("tool_name") or action.get("tool_name"))
        self._view.joins(self._id, action_id)
        match kind:
            case "ObservationEvent":
                self._retire_response()
                self._observation(event, name, action_id, arguments_of(action))
            case "UserRejectObservation":
                self._retire_response()
                reason = str(event.get("rejection_reason") or "the person rejected the action")
                source: Literal["user", "hook"] = "hook" if event.get("rejection_source") == "hook" else "user"
                self._emit(ours.UserRejectObservation(action_id, action_id, name, reason, source))
            case _:
                self._emit(ours.AgentErrorEvent(action_id, name, str(event.get("error", ""))))

    def _observation(self, event: RawEvent, name: str, action_id: str, arguments: RawEvent) -> None:
        observation = event.get("observation")
        seen: RawEvent = observation if is_object(observation) else {}
        images = tuple(part for part in parts_of(seen.get("content")) if isinstance(part, Image))
        shown = shown_of(name, arguments, without(images, seen), self.root)
        text = "\n".join(filter(None, (shown.text, words_of(event.get("extended_content")))))
        if not shown.is_error:
            self._tell(name, arguments)
        self._emit(
            ours.ObservationEvent(
                action_id, action_id, name, text, shown.is_error, shown.shown, shown.locations, shown.raw_output, images
            )
        )

    def _tell(self, name: str, arguments: RawEvent) -> None:
        """Say what a call that has no card comes to."""
        match name, arguments:
            case "finish", {"message": str(message)} if message.strip():
                self._emit(ours.NoticeEvent(f"{self._id}-said", "text", message))
            case "think", {"thought": str(thought)} if thought.strip():
                self._emit(ours.NoticeEvent(f"{self._id}-thought", "thought", thought))
            case "task_tracker", {"command": "plan", "task_list": [*tasks]}:
                self._emit(ours.PlanUpdated(plan_of(tasks)))
            case _:
                pass

    def _other(self, kind: str, event: RawEvent) -> None:
        match kind:
            case "PauseEvent" | "InterruptEvent":
                if self._turn_id is not None and self._interrupted_by is None:
                    self._interrupted_by = self._id
                    self._emit(ours.InterruptEvent())
            case "ConversationErrorEvent":
                code, detail = str(event.get("code", "")), str(event.get("detail", ""))
                self._emit(ours.ConversationErrorEvent(self._id, code, detail or code))
            case "Condensation":
                self._condensation(event)
            case _:
                if kind not in SILENT:
                    self.unknown[kind] += 1

    def _condensation(self, event: RawEvent) -> None:
        written, summary = event.get("forgotten_event_ids"), event.get("summary")
        forgotten = set(map(str, cast("list[object]", written))) if isinstance(written, list) else set[str]()
        if self._interrupted_by in forgotten:
            self.end_turn()
        told, offset = summary if isinstance(summary, str) else "", event.get("summary_offset")
        place = max(0, offset) if told and isinstance(offset, int) else None
        until, kept = self._view.condensing(forgotten, place)
        if not until and not told:
            return
        how = "a summary replaces" if told else "the model reads no more of"
        self._emit(
            ours.NoticeEvent(f"{self._id}-told", "text", f"OpenHands shortened the conversation: {how} what was.")
        )
        stage, before = "summary" if told else "cut", self._view.tokens
        condensation = ours.Condensation(self._id, stage, before, 0, until, kept, told)
        entry = self._entry(condensation)
        self._view.condense(entry, condensation, f"{self._id}-summary")
        self.entries.append(replace(entry, event=replace(condensation, tokens_after=self._view.tokens)))

    # ---------------------------------------------------------------- what they share

    def _begin_turn(self) -> None:
        # A message between a call and its result steers the turn that runs.
        if self._open.keys() & self.answered:
            return
        self.end_turn()
        self._turn_id = f"{self._id}-turn"
        self._emit(ours.TurnStarted(self._turn_id))

    def _goes_on(self) -> None:
        # OpenHands can be told to go on after a pause without a word.
        self._interrupted_by = None
        if self._turn_id is None:
            self._turn_id = f"{self._id}-turn"
            self._emit(ours.TurnStarted(self._turn_id))

    def _response_of(self, event: RawEvent) -> str:
        """Return our id of the model's answer that `event` is a part of.

        Some servers give all their answers one id, so it counts only up to the answer's first result.
        """
        theirs = str(event.get("llm_response_id") or self._id)
        if self._response[0] != theirs:
            mine = theirs if theirs not in self._responses else self._id
            self._responses.add(mine)
            self._response = theirs, mine
        return self._response[1]

    def _retire_response(self) -> None:
        self._response = "", ""

    def _thought(self, source: RawEvent, response_id: str) -> bool:
        blocks, text = source.get("thinking_blocks") or None, source.get("reasoning_content")
        known = cast("list[JsonValue]", blocks) if isinstance(blocks, list) else None
        if not isinstance(text, str):
            if known is None:
                return False
            text = "\n".join(str(block.get("thinking", "")) for block in known if is_object(block))
        self._emit(ours.ThoughtEvent(f"{self._id}-reasoning", response_id, text, known))
        return True

    def _emit(self, event: Durable, entry_id: str | None = None) -> None:
        entry = self._entry(event, entry_id)
        self.entries.append(entry)
        self._view.apply(entry)

    def _entry(self, event: Durable, entry_id: str | None = None) -> Entry:
        self._count += 1
        # Of several entries that one event becomes, each needs an id, the same at each reading.
        derived = str(uuid5(NAMESPACE_URL, f"{self._id}/{self._count}"))
        return Entry(entry_id or derived, self._timestamp, event)

"""OpenHands' events as ours. Pure: knows the shapes of its events and of its tools, and no folder.

Lenient throughout: a field that is missing or of another shape counts as not there, and what cannot
be told at all is left out with a note. Nothing here raises.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard, cast
from uuid import NAMESPACE_URL, uuid5

from openhands_acp.engine import events as ours
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Image, JsonValue, Part, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.openhands_cards import card_of, plan_of, shown_of, words_of

RawEvent = Mapping[str, Any]

RESULTS = ("ObservationEvent", "UserRejectObservation", "AgentErrorEvent")
SILENT = frozenset(
    {
        "CondensationRequest",
        "ConversationStateUpdateEvent",
        "HookExecutionEvent",
        "LLMCompletionLogEvent",
        "StreamingDeltaEvent",
        "TokenEvent",
    }
)
"""Kinds that neither a model nor a person reads."""

_CUT_SHORT = "OpenHands recorded no result of this call; whether it ran, and what it did, is unknown"
_RISKS = ("LOW", "MEDIUM", "HIGH", "UNKNOWN")


def is_object(value: object) -> TypeGuard[RawEvent]:
    return isinstance(value, Mapping)


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


def parts_of(content: object) -> tuple[Part, ...]:
    """Translate message content; an image that is only linked becomes its address."""
    parts: list[Part] = []
    for item in cast("list[Any]", content) if isinstance(content, list) else ():
        match item:
            case {"type": "image", "image_urls": [*urls]}:
                parts += [_image(str(url)) for url in urls]
            case {"text": str(text)}:
                parts.append(Text(text))
            case _:
                pass
    return tuple(parts)


def _image(url: str) -> Part:
    head, comma, data = url.partition(";base64,")
    return Image(head.removeprefix("data:"), data) if comma and head.startswith("data:") else Text(f"(image: {url})")


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
    _is_interrupted: bool = False
    _open: dict[str, RawEvent] = field(default_factory=dict[str, RawEvent])
    """Actions without a result so far, by id."""
    _response: tuple[str, str] = "", ""
    """OpenHands' id of the model's answer that is being read, and ours."""
    _responses: set[str] = field(default_factory=set[str])

    def read(self, event: RawEvent) -> None:
        kind = str(event.get("kind"))
        self._id, self._count = str(event.get("id")), 0
        self._timestamp = _time(event.get("timestamp")) or self._timestamp
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
        self._emit(ours.TurnEnded(self._turn_id, "cancelled" if self._is_interrupted else "end_turn"))
        self._turn_id, self._is_interrupted = None, False

    # ---------------------------------------------------------------- one kind each

    def _system_prompt(self, event: RawEvent) -> None:
        tools = event.get("tools")
        named = [_tool_name(tool) for tool in cast("list[Any]", tools)] if isinstance(tools, list) else []
        static, dynamic = words_of(event.get("system_prompt")), words_of(event.get("dynamic_context"))
        self._emit(ours.SystemPromptEvent(static, dynamic, tuple(name for name in named if name)))

    def _message(self, event: RawEvent) -> None:
        message = event.get("llm_message")
        match message:
            case {"role": "user"}:
                parts = parts_of(message.get("content")) + parts_of(event.get("extended_content"))
                self._begin_turn()
                self._emit(ours.MessageEvent(self._id, "user", parts))
                if self.title:
                    self._emit(ours.ConversationStateUpdateEvent("title", self.title))
                    self.title = None
            case {"role": "assistant"}:
                self._goes_on()
                self._retire_response()
                response_id = self._response_of(event)
                has_thought = self._thought(message, response_id)
                text = words_of(message.get("content"))
                if text or not has_thought:
                    self._emit(ours.MessageEvent(self._id, "assistant", (Text(text),), response_id))
                self._retire_response()
            case _:
                self.notes.append(f"event {self._id}: a message of neither the person nor the model; left out")

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

    def _result(self, kind: str, event: RawEvent) -> None:
        action_id = self.results.get(self._id)
        action = self._open.pop(action_id, None) if action_id is not None else None
        if action_id is None or action is None:
            self.notes.append(f"event {self._id}: a result without its call; left out")
            return
        name = str(event.get("tool_name") or action.get("tool_name"))
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
        shown = shown_of(name, arguments, _without(images, seen), self.root)
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
                if self._turn_id is not None and not self._is_interrupted:
                    self._is_interrupted = True
                    self._emit(ours.InterruptEvent())
            case "ConversationErrorEvent":
                code, detail = str(event.get("code", "")), str(event.get("detail", ""))
                self._emit(ours.ConversationErrorEvent(self._id, code, detail or code))
            case "Condensation":
                # The model reads everything again; where that is too much, this engine condenses by itself.
                summary = event.get("summary")
                if isinstance(summary, str) and summary:
                    self._emit(ours.NoticeEvent(self._id, "text", f"OpenHands summed up what was before:\n\n{summary}"))
            case _:
                if kind not in SILENT:
                    self.unknown[kind] += 1

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
        self._is_interrupted = False
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
        self._count += 1
        # Of several entries that one event becomes, each needs an id, the same at each reading.
        derived = str(uuid5(NAMESPACE_URL, f"{self._id}/{self._count}"))
        self.entries.append(Entry(entry_id or derived, self._timestamp, event))


def _without(images: tuple[Image, ...], observation: RawEvent) -> RawEvent:
    """Leave out of an observation's content the images that are kept as such."""
    content = observation.get("content")
    if not images or not isinstance(content, list):
        return observation
    blocks = cast("list[object]", content)
    return {**observation, "content": [item for item in blocks if not set(parts_of([item])) & set(images)]}


def arguments_of(action_event: RawEvent) -> RawEvent:
    """Return what a call was made with, as OpenHands parsed it or else as the model wrote it."""
    action = action_event.get("action")
    if is_object(action):
        data = action.get("data")
        return data if action.get("kind") == "MCPToolAction" and is_object(data) else action
    match action_event:
        case {"tool_call": {"arguments": str(written)}}:
            try:
                value: object = json.loads(written, strict=False)
            except (ValueError, RecursionError):
                return {}
            return value if is_object(value) else {}
        case _:
            return {}


def _tool_name(tool: object) -> str | None:
    match tool:
        case {"name": str(name)} | {"title": str(name)} | {"annotations": {"title": str(name)}} | {"kind": str(name)}:
            return name
        case _:
            return None


def _time(written: object) -> datetime | None:
    try:
        # Naive ones are the local time of the machine that wrote them.
        return datetime.fromisoformat(written).astimezone(UTC) if isinstance(written, str) else None
    except (ValueError, OverflowError, OSError):
        return None

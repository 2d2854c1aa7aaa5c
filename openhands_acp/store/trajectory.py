"""A conversation as a trajectory in OpenHands' event shapes, for tools that read those.

Of what OpenHands has no kind for, plans, notices, permissions, usage, checkpoints, tools, mode, model, title and
the session's start become a `ConversationStateUpdateEvent` each, under a key of our own. Left out are: how
turns begin and end (but for an `InterruptEvent` where the person stopped one), prompts but the newest, answers
that failed on their way, cards and other output that only a person sees, the person's stop itself (it is told where
the turn ends), and reasoning blocks that are not Claude's. A model that reads a trajectory back reads what
it read before, but for results of calls that have been left out since, which are whole again.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias, assert_never, cast
from uuid import NAMESPACE_URL, uuid5

from openhands_acp.engine import events as ours
from openhands_acp.engine.events import Entry
from openhands_acp.engine.items import Guidance, messages_of
from openhands_acp.engine.messages import Image, JsonValue, Part, Text, UserMessage, plain_text
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.store.codec import source_of, to_json
from openhands_acp.store.openhands_calls import Wire, action_of, observation_of
from openhands_acp.store.openhands_view import View
from openhands_acp.store.trajectory_order import prompt_first, response_id, results_first, without_dropped

_KEYS: Mapping[type, str] = {
    ours.ConversationStarted: "started",
    ours.NoticeEvent: "notice",
    ours.PermissionDecided: "permission",
    ours.UsageEvent: "usage",
    ours.ResponseDropped: "response_dropped",
    ours.Condensation: "condensation",
    ours.QuestionAnswered: "question",
    SubagentStarted: "subagent",
    SubagentStep: "subagent_step",
    ToolsChanged: "tools",
    ours.CheckpointTaken: "checkpoint",
}
"""Keys of our own, for what OpenHands has no kind for."""


_NONE: Mapping[str, Sequence[Entry]] = {}


def to_openhands(entries: Sequence[Entry]) -> list[Wire]:
    """Translate a conversation, in its order, but for what OpenHands does not read elsewhere.

    The prompt comes first, and side by side are the calls of one response, and then their results, before
    anything that was said meanwhile.
    """
    kept = prompt_first(without_dropped(entries))
    writing = _Writing(_responses(kept))
    events = (event for entry in kept for event in writing.events_of(entry))
    return [_readable(event) for event in results_first(events)]


def export_zip(entries: Sequence[Entry], file: BinaryIO, others: Mapping[str, Sequence[Entry]] = _NONE) -> None:
    """Write a trajectory as OpenHands' download does: a zip with a file for each event.

    `others` are those of sub-agents, by the folders that they get in it.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, each in {"": entries, **others}.items():
            for number, event in enumerate(to_openhands(each)):
                name = f"event_{number:06d}_{event['id']}.json"
                archive.writestr(f"{folder}/{name}" if folder else name, json.dumps(event, indent=2))


@dataclass(slots=True)
class _Response:
    """What the model said in one answer, whose events need not be neighbours."""

    text: str = ""
    thought: str | None = None
    blocks: JsonValue = None
    actions: list[tuple[Entry, ours.ActionEvent]] = field(default_factory=list[tuple[Entry, ours.ActionEvent]])
    is_written: bool = False


def _responses(entries: Sequence[Entry]) -> dict[str, _Response]:
    found: dict[str, _Response] = {}
    for entry in entries:
        match entry.event:
            case ours.MessageEvent(role="assistant") as event:
                found.setdefault(response_id(event), _Response()).text += plain_text(event.content)
            case ours.ThoughtEvent() as event:
                response = found.setdefault(event.response_id, _Response())
                response.thought, response.blocks = event.text, event.blocks
            case ours.ActionEvent() as event:
                found.setdefault(event.response_id, _Response()).actions.append((entry, event))
            case _:
                pass
    return found


@dataclass(frozen=True, slots=True)
class _Made:
    """A call, as its result names it."""

    call_id: str
    """By which the provider knows it."""
    action_id: str
    action: Wire | None


@dataclass(slots=True)
class _Writing:
    responses: dict[str, _Response]
    _view: View = field(default_factory=View)
    _calls: dict[str, _Made] = field(default_factory=dict[str, _Made])
    """By our ids."""
    _call_ids: set[str] = field(default_factory=set[str])

    def events_of(self, entry: Entry) -> Iterator[Wire]:
        event = entry.event
        if isinstance(event, ours.Condensation):
            yield self._condensation(entry, event)
            return
        self._view.apply(entry)
        match event:
            case ours.SystemPromptEvent():
                self._view.prompts(entry.id)
                yield from _prompt(entry, event)
            case ours.MessageEvent(role="user"):
                yield self._told(entry, event.content)
            case ours.MessageEvent() | ours.ThoughtEvent() | ours.ActionEvent():
                yield from self._response(entry, response_id(event))
            case ours.ObservationEvent() | ours.UserRejectObservation() | ours.AgentErrorEvent():
                yield self._result(entry, event)
            case ours.CheckpointTaken(told=str() as told) | ours.NoticeEvent(told=str() as told):
                yield self._told(entry, (Text(told),))
            case ours.SkillActivated(name=name, text=text):
                yield {**self._told(entry, _guidance(name, text)), "activated_skills": [name]}
            case ours.TurnEnded(stop_reason="cancelled"):
                self._view.stops(entry.id)
                yield {**_wire(entry, "InterruptEvent"), "source": "user"}
            case _:
                yield from _rest(entry, event)

    def _told(self, entry: Entry, parts: Sequence[Part]) -> Wire:
        """Tell what a model reads in the person's voice, whoever it is from."""
        self._view.begins(entry.id)
        message = {"role": "user", "content": [_part(part) for part in parts]}
        return _wire(entry, "MessageEvent", llm_message=message, activated_skills=[], extended_content=[])

    def _condensation(self, entry: Entry, event: ours.Condensation) -> Wire:
        forgotten, offset = self._view.condense(entry, event, f"{entry.id}-summary")
        if not forgotten and not event.summary:
            return _state(entry, _KEYS[type(event)], _fields(entry))
        summary = {"summary": event.summary, "summary_offset": offset} if event.summary else {}
        fields = {"forgotten_event_ids": forgotten, **summary, "llm_response_id": event.compaction_id}
        return _wire(entry, "Condensation", **fields)

    def _response(self, entry: Entry, response_id: str) -> Iterator[Wire]:
        response = self.responses[response_id]
        if response.is_written:
            return
        response.is_written = True
        thought: Wire = {"reasoning_content": response.thought, "thinking_blocks": _blocks(response.blocks)}
        if not response.actions:
            content = [_text(response.text)] if response.text else []
            message = {"role": "assistant", "content": content, **thought}
            fields = {"llm_message": message, "llm_response_id": response_id}
            self._view.begins(entry.id)
            yield _wire(entry, "MessageEvent", **fields, activated_skills=[], extended_content=[])
        for number, (of_action, action) in enumerate(response.actions):
            # Only the first call of a response carries what was said and thought before.
            said = [_text(response.text)] if response.text and not number else []
            reasoning: Wire = {"reasoning_content": None, "thinking_blocks": []} if number else thought
            self._view.answers(of_action.id, action.response_id)
            yield self._action(of_action, action, {"thought": said, **reasoning})

    def _action(self, entry: Entry, action: ours.ActionEvent, thought: Wire) -> Wire:
        # Some providers number the calls of each answer anew; OpenHands finds a result by this id alone.
        theirs = action.provider_call_id
        call_id = action.tool_call_id if theirs in self._call_ids else theirs or action.tool_call_id
        self._call_ids.add(call_id)
        parsed = _parsed(action)
        self._calls[action.tool_call_id] = _Made(call_id, entry.id, parsed)
        return _wire(
            entry,
            "ActionEvent",
            **thought,
            action=parsed,
            tool_name=action.tool_name,
            tool_call_id=call_id,
            tool_call={
                "id": call_id,
                "name": action.tool_name,
                "arguments": action.mended or action.arguments,
                "origin": "completion",
            },
            llm_response_id=action.response_id,
            security_risk=action.security_risk,
        )

    def _result(
        self, entry: Entry, event: ours.ObservationEvent | ours.UserRejectObservation | ours.AgentErrorEvent
    ) -> Wire:
        made = self._calls.get(event.tool_call_id, _Made(event.tool_call_id, "", None))
        self._view.joins(entry.id, made.action_id)
        call = {"tool_name": event.tool_name, "tool_call_id": made.call_id}
        match event:
            case ours.ObservationEvent():
                content = [_text(event.text), *map(_part, event.images)]
                observation = observation_of(made.action, event, content)
                return _wire(entry, "ObservationEvent", **call, action_id=made.action_id, observation=observation)
            case ours.UserRejectObservation():
                source = "user" if event.rejection_source == "user" else "hook"
                reason = {"rejection_reason": event.rejection_reason, "rejection_source": source}
                return _wire(entry, "UserRejectObservation", **call, action_id=made.action_id, **reason)
            case ours.AgentErrorEvent():
                return _wire(entry, "AgentErrorEvent", **call, error=event.error)
            case _:
                assert_never(event)


_Rest: TypeAlias = (
    ours.ConversationStarted
    | ours.PermissionDecided
    | ours.NoticeEvent
    | ours.PlanUpdated
    | ours.TurnStarted
    | ours.TurnEnded
    | ours.InterruptEvent
    | ours.ConversationErrorEvent
    | ours.ConversationStateUpdateEvent
    | ours.UsageEvent
    | ours.ResponseDropped
    | ours.QuestionAnswered
    | ToolsChanged
    | SubagentStarted
    | SubagentStep
    | ours.CheckpointTaken
)
"""What no model reads."""


def _rest(entry: Entry, event: _Rest) -> Iterator[Wire]:
    match event:
        case ours.TurnStarted() | ours.TurnEnded() | ours.InterruptEvent():
            pass
        case ours.ConversationErrorEvent():
            yield _wire(entry, "ConversationErrorEvent", code=event.code, detail=event.detail)
        case ours.ConversationStateUpdateEvent():
            yield _state(entry, event.key, event.value)
        case ours.PlanUpdated():
            yield _state(entry, "plan", _fields(entry)["entries"])
        case (
            ours.ConversationStarted()
            | ours.NoticeEvent()
            | ours.PermissionDecided()
            | ours.UsageEvent()
            | ours.ResponseDropped()
            | ours.QuestionAnswered()
            | SubagentStarted()
            | SubagentStep()
            | ToolsChanged()
            | ours.CheckpointTaken()
        ):
            yield _state(entry, _KEYS[type(event)], _fields(entry))
        case _:
            assert_never(event)


# ---------------------------------------------------------------- parts of events


def _wire(entry: Entry, kind: str, **fields: Any) -> Wire:
    stamp = {"id": entry.id, "timestamp": entry.timestamp.isoformat(), "source": source_of(entry.event)}
    return {**stamp, **fields, "kind": kind}


def _state(entry: Entry, key: str, value: object) -> Wire:
    return {**_wire(entry, "ConversationStateUpdateEvent", key=key, value=value), "source": "environment"}


def _fields(entry: Entry) -> Wire:
    """Return the event's own fields as the journal spells them."""
    return {
        name: value
        for name, value in to_json(entry).items()
        if name not in ("v", "kind", "id", "timestamp", "source", "message_id")
    }


def _text(text: str) -> Wire:
    return {"type": "text", "text": text}


def _part(part: Part) -> Wire:
    match part:
        case Text(text):
            return _text(text)
        case Image(mime_type, data):
            return {"type": "image", "image_urls": [f"data:{mime_type};base64,{data}"]}
        case _:
            assert_never(part)


def _prompt(entry: Entry, event: ours.SystemPromptEvent) -> Iterator[Wire]:
    """Tell the tools besides: OpenHands has them as its own objects there."""
    dynamic = _text(event.dynamic) if event.dynamic else None
    yield _wire(entry, "SystemPromptEvent", system_prompt=_text(event.static), tools=[], dynamic_context=dynamic)
    told = _state(entry, _KEYS[ToolsChanged], {"tools": list(event.tools)})
    yield {**told, "id": str(uuid5(NAMESPACE_URL, f"{entry.id}/tools"))}


def _guidance(name: str, text: str) -> Sequence[Part]:
    return [
        part
        for message in messages_of(Guidance(name, text))
        if isinstance(message, UserMessage)
        for part in message.parts
    ]


def _readable(event: Wire) -> Wire:
    """Replace halves of characters, at which OpenHands would stop reading."""
    return json.loads(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))


def _blocks(blocks: JsonValue) -> list[JsonValue]:
    """Return Claude's signed thoughts, which are all that OpenHands has a place for."""
    if isinstance(blocks, Mapping):
        blocks = blocks.get("content") if blocks.get("form") == "thinking_blocks" else None
    listed = blocks if isinstance(blocks, list) else []
    return listed if all(map(_is_claudes, listed)) else []


def _is_claudes(block: JsonValue) -> bool:
    match block:
        case {"type": "thinking", "thinking": str()} | {"type": "redacted_thinking", "data": str()}:
            return True
        case _:
            return False


def _parsed(action: ours.ActionEvent) -> Wire | None:
    """Spell a call as OpenHands' tools parse it; None if it is no JSON object, which OpenHands never runs."""
    try:
        value: object = json.loads(action.mended or action.arguments, strict=False)
    except (ValueError, RecursionError):
        return None
    return action_of(action.tool_name, cast("Wire", value)) if isinstance(value, dict) else None

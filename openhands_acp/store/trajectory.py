"""A conversation as a trajectory in OpenHands' event shapes, for tools that read those.

Of what OpenHands has no kind for, plans, notices, permissions, usage, checkpoints, mode, model, title and the
session's start become a `ConversationStateUpdateEvent` each, under a key of our own. Left out are: how
turns begin and end (but for an `InterruptEvent` where the person stopped one), answers that failed on
their way, cards and other output that only a person sees, the person's stop itself (it is told where
the turn ends), and reasoning blocks that are no list of objects. A model that reads a trajectory back
reads what it read before.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, assert_never, cast

from openhands_acp.engine import cards
from openhands_acp.engine import events as ours
from openhands_acp.engine.events import Entry
from openhands_acp.engine.messages import Image, JsonValue, Part, Text, plain_text
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged
from openhands_acp.store.codec import source_of, to_json

Wire = dict[str, Any]

_ACTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "terminal": ("TerminalAction", ("command", "is_input", "timeout", "reset")),
    "file_editor": (
        "FileEditorAction",
        ("command", "path", "file_text", "old_str", "new_str", "insert_line", "view_range"),
    ),
    "apply_patch": ("ApplyPatchAction", ("patch",)),
    "task_tracker": ("TaskTrackerAction", ("command", "task_list")),
    "think": ("ThinkAction", ("thought",)),
    "finish": ("FinishAction", ("message",)),
}
"""OpenHands' parsed calls of tools that we share: their kind, and the fields that they take."""


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
    """Translate a conversation, in its order; the calls of one response stand side by side, as OpenHands wants them."""
    kept = _without_dropped(entries)
    writing = _Writing(_responses(kept))
    return [event for entry in kept for event in writing.events_of(entry)]


def export_zip(entries: Sequence[Entry], file: BinaryIO, others: Mapping[str, Sequence[Entry]] = _NONE) -> None:
    """Write a trajectory as OpenHands' download does: a zip with a file for each event.

    `others` are those of sub-agents, by the folders that they get in it.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, each in {"": entries, **others}.items():
            for number, event in enumerate(to_openhands(each)):
                name = f"event_{number:06d}_{event['id']}.json"
                # Spelt in ASCII, so that a lone surrogate in some output cannot make it unreadable.
                archive.writestr(f"{folder}/{name}" if folder else name, json.dumps(event, indent=2))


@dataclass(slots=True)
class _Response:
    """What the model said in one answer, whose events need not be neighbours."""

    text: str = ""
    thought: str | None = None
    blocks: JsonValue = None
    actions: list[tuple[Entry, ours.ActionEvent]] = field(default_factory=list[tuple[Entry, ours.ActionEvent]])
    is_written: bool = False


def _without_dropped(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out answers that failed on their way, with the results of their calls: no model ever reads them."""
    events = [entry.event for entry in entries]
    dropped = {event.response_id for event in events if isinstance(event, ours.ResponseDropped)}
    calls = {
        event.tool_call_id for event in events if isinstance(event, ours.ActionEvent) and event.response_id in dropped
    }

    def stays(event: ours.Durable) -> bool:
        match event:
            case ours.MessageEvent(role="assistant") | ours.ThoughtEvent() | ours.ActionEvent():
                return _response_id(event) not in dropped
            case ours.ObservationEvent() | ours.UserRejectObservation() | ours.AgentErrorEvent():
                return event.tool_call_id not in calls
            case _:
                return True

    return [entry for entry in entries if stays(entry.event)]


def _response_id(event: ours.MessageEvent | ours.ThoughtEvent | ours.ActionEvent) -> str:
    return event.response_id or event.message_id if isinstance(event, ours.MessageEvent) else event.response_id


def _responses(entries: Sequence[Entry]) -> dict[str, _Response]:
    found: dict[str, _Response] = {}
    for entry in entries:
        match entry.event:
            case ours.MessageEvent(role="assistant") as event:
                found.setdefault(_response_id(event), _Response()).text += plain_text(event.content)
            case ours.ThoughtEvent() as event:
                response = found.setdefault(event.response_id, _Response())
                response.thought, response.blocks = event.text, event.blocks
            case ours.ActionEvent() as event:
                found.setdefault(event.response_id, _Response()).actions.append((entry, event))
            case _:
                pass
    return found


@dataclass(slots=True)
class _Writing:
    responses: dict[str, _Response]
    _call_ids: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """By our id of a call: the id that the provider knows it by, and its action's."""

    def events_of(self, entry: Entry) -> Iterator[Wire]:
        event = entry.event
        match event:
            case ours.SystemPromptEvent():
                yield _wire(
                    entry,
                    "SystemPromptEvent",
                    system_prompt=_text(event.static),
                    tools=[{"title": name} for name in event.tools],
                    dynamic_context=_text(event.dynamic) if event.dynamic else None,
                )
            case ours.MessageEvent(role="user"):
                message = {"role": "user", "content": [_part(part) for part in event.content]}
                yield _wire(entry, "MessageEvent", llm_message=message, activated_skills=[], extended_content=[])
            case ours.MessageEvent() | ours.ThoughtEvent() | ours.ActionEvent():
                yield from self._response(entry, _response_id(event))
            case ours.ObservationEvent() | ours.UserRejectObservation() | ours.AgentErrorEvent():
                yield self._result(entry, event)
            case _:
                yield from self._rest(entry, event)

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
            yield _wire(entry, "MessageEvent", **fields, activated_skills=[], extended_content=[])
        for number, (of_action, action) in enumerate(response.actions):
            # Only the first call of a response carries what was said and thought before.
            said = [_text(response.text)] if response.text and not number else []
            reasoning: Wire = {"reasoning_content": None, "thinking_blocks": []} if number else thought
            yield self._action(of_action, action, {"thought": said, **reasoning})

    def _action(self, entry: Entry, action: ours.ActionEvent, thought: Wire) -> Wire:
        call_id = action.provider_call_id or action.tool_call_id
        self._call_ids[action.tool_call_id] = call_id, entry.id
        return _wire(
            entry,
            "ActionEvent",
            **thought,
            action=_parsed(action),
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
        call_id, action_id = self._call_ids.get(event.tool_call_id, (event.tool_call_id, ""))
        call = {"tool_name": event.tool_name, "tool_call_id": call_id}
        match event:
            case ours.ObservationEvent():
                return _wire(entry, "ObservationEvent", **call, action_id=action_id, observation=_observation(event))
            case ours.UserRejectObservation():
                source = "user" if event.rejection_source == "user" else "hook"
                reason = {"rejection_reason": event.rejection_reason, "rejection_source": source}
                return _wire(entry, "UserRejectObservation", **call, action_id=action_id, **reason)
            case ours.AgentErrorEvent():
                return _wire(entry, "AgentErrorEvent", **call, error=event.error)
            case _:
                assert_never(event)

    def _rest(
        self,
        entry: Entry,
        event: ours.ConversationStarted
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
        | ours.Condensation
        | ours.QuestionAnswered
        | ours.SkillActivated
        | ToolsChanged
        | SubagentStarted
        | SubagentStep
        | ours.CheckpointTaken,
    ) -> Iterator[Wire]:
        match event:
            case ours.TurnEnded(stop_reason="cancelled"):
                yield {**_wire(entry, "InterruptEvent"), "source": "user"}
            case ours.TurnStarted() | ours.TurnEnded() | ours.InterruptEvent():
                pass
            case ours.ConversationErrorEvent():
                yield _wire(entry, "ConversationErrorEvent", code=event.code, detail=event.detail)
            case ours.ConversationStateUpdateEvent():
                yield _state(entry, event.key, event.value)
            case ours.PlanUpdated():
                yield _state(entry, "plan", _fields(entry)["entries"])
            case ours.CheckpointTaken(told=str() as told) | ours.NoticeEvent(told=str() as told):
                message = {"role": "user", "content": [_text(told)]}
                yield _wire(entry, "MessageEvent", llm_message=message, activated_skills=[], extended_content=[])
            case ours.SkillActivated():
                message = {"role": "user", "content": [_text(event.text)]}
                yield _wire(
                    entry, "MessageEvent", llm_message=message, activated_skills=[event.name], extended_content=[]
                )
            case (
                ours.ConversationStarted()
                | ours.NoticeEvent()
                | ours.PermissionDecided()
                | ours.UsageEvent()
                | ours.ResponseDropped()
                | ours.Condensation()
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


def _blocks(blocks: JsonValue) -> list[JsonValue]:
    """Return Claude's signed thoughts, which are all that OpenHands has a place for."""
    if isinstance(blocks, Mapping):
        blocks = blocks.get("content") if blocks.get("form") == "thinking_blocks" else None
    listed = blocks if isinstance(blocks, list) else []
    return listed if all(isinstance(block, Mapping) for block in listed) else []


def _parsed(action: ours.ActionEvent) -> Wire | None:
    """Spell a call as OpenHands' tools parse it; None if it is no JSON object, which OpenHands never runs."""
    try:
        value: object = json.loads(action.mended or action.arguments, strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    arguments = cast("Wire", value)
    if action.tool_name not in _ACTIONS:
        return {"kind": "MCPToolAction", "data": arguments}
    kind, names = _ACTIONS[action.tool_name]
    return {**{name: arguments[name] for name in names if name in arguments}, "kind": kind}


def _observation(event: ours.ObservationEvent) -> Wire:
    kind, _ = _ACTIONS.get(event.tool_name, ("MCPToolAction", ()))
    seen: Wire = {"content": [_text(event.text), *map(_part, event.images)], "is_error": event.is_error}
    raw = event.raw_output or {}
    for item in event.shown:
        match item:
            case cards.ShownDiff(path, old, new) if event.tool_name == "file_editor":
                seen |= {"path": path, "prev_exist": old is not None, "old_content": old, "new_content": new}
            case cards.ShownCommand(line) if event.tool_name == "terminal":
                seen |= {"command": line, "exit_code": raw.get("exit_code"), "timeout": bool(raw.get("timed_out"))}
            case _:
                pass
    if kind == "MCPToolAction":
        seen["tool_name"] = event.tool_name
    return {**seen, "kind": kind.replace("Action", "Observation")}

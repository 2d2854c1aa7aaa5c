"""Calls in `session/update`: announced once, then updated with nothing but what changed, then closed.

Rules of this file: what is shown of a call is text, unless a terminal of the client shows it; then the
terminal stays in its content to the end (clients.md rule 8, peers.md). There are two kinds of those: one
that the client runs the command in (`CommandPlaced`), and one that only displays what we run (`draws`),
which has to be named when the call is announced, and is fed in `_meta`. A replay knows neither.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, assert_never, cast

from openhands_acp.acp.content import images_to_wire, locations_to_wire, shown_to_wire
from openhands_acp.engine.cards import Card, Shown, ShownCommand, ShownText
from openhands_acp.engine.events import (
    ActionEvent,
    AgentErrorEvent,
    CallDelta,
    CallProgress,
    CheckpointTaken,
    CommandOutput,
    CommandPlaced,
    ObservationEvent,
    QuestionAnswered,
    UserRejectObservation,
)
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStep
from openhands_acp.rpc.outbox import Outgoing

CallEvent: TypeAlias = (
    CallDelta
    | ActionEvent
    | CallProgress
    | CommandOutput
    | CommandPlaced
    | ObservationEvent
    | UserRejectObservation
    | AgentErrorEvent
    | CheckpointTaken
    | QuestionAnswered
    | SubagentStep
)

_JOINED = 16_000
"""Characters of output that updates are joined up to: lines stay small, some clients read them with a limit."""


@dataclass(slots=True)
class CallUpdate:
    """New values of a call's fields, and what its terminal has to draw.

    A later one of the same call replaces what it repeats, and is drawn after.
    """

    session_id: str
    fields: dict[str, Any]
    terminal: str = ""
    drawn: list[str] = field(default_factory=list[str])
    ended: dict[str, Any] | None = None
    """How the command in the terminal ended."""
    within: str = ""
    """The call that it is nested in, for a client that nests calls."""

    def to_wire(self) -> dict[str, Any]:
        update = {"sessionUpdate": "tool_call_update", **self.fields}
        meta = _nested(self.within)
        if self.drawn:
            meta["terminal_output"] = {"terminal_id": self.terminal, "data": "".join(self.drawn)}
        if self.ended is not None:
            meta["terminal_exit"] = {"terminal_id": self.terminal, **self.ended}
        return session_update(self.session_id, update | ({"_meta": meta} if meta else {}))

    def absorb(self, following: Outgoing) -> bool:
        if (
            not isinstance(following, CallUpdate)
            or following.session_id != self.session_id
            or following.fields["toolCallId"] != self.fields["toolCallId"]
            or (following.drawn and sum(map(len, self.drawn)) > _JOINED)
        ):
            return False
        self.fields.update(following.fields)
        self.terminal = following.terminal or self.terminal
        self.drawn += following.drawn
        self.ended = following.ended or self.ended
        return True


@dataclass(slots=True)
class _Call:
    fields: dict[str, Any]
    """As the client has them."""
    asked: tuple[Shown, ...] = ()
    """What its arguments gave to show."""
    terminal: str | None = None
    """The client's terminal that is for this call."""
    is_drawn: bool = False
    """It displays what we feed it; otherwise the command runs in it."""
    is_placed: bool = False
    """The terminal is in the call's content."""
    within: str = ""
    """The call that it is nested in."""


@dataclass(slots=True)
class Calls:
    """The calls of one session, as the client knows them."""

    session_id: str
    put: Callable[[Outgoing], None]
    draws: AbsPath | None = None
    """Set where the client displays terminals that we feed: the folder that commands run in."""
    nests: bool = False
    """The client shows what a sub-agent calls inside the call that it works for."""
    _open: dict[str, _Call] = field(default_factory=dict[str, _Call])
    _held: set[str] = field(default_factory=set[str])
    """Calls that are not announced yet, though their arguments are coming in."""

    def publish(self, event: CallEvent) -> None:
        match event:
            case CallDelta() | ActionEvent():
                self._asked(event)
            case CallProgress() | CommandOutput() | CommandPlaced():
                self._progress(event)
            case ObservationEvent():
                self._observed(event)
            case UserRejectObservation():
                # The reason is for the model; a person who said no knows theirs.
                is_persons = event.rejection_source == "user"
                reason = "Rejected" if is_persons else f"Not done: {event.rejection_reason}"
                self._failed(event.tool_call_id, reason, event.shown)
            case AgentErrorEvent():
                self._cut_short(event)
            case CheckpointTaken(card=Card() as card):
                # Over as soon as it is told, unless the person was asked about it before.
                fields = _card(card, "checkpoint") | {"status": "completed"}
                self._tell(event.tool_call_id, fields, card.shown)
                del self._open[event.tool_call_id]
            case CheckpointTaken():
                pass
            case QuestionAnswered():
                shown = (*event.card.shown, ShownText(event.answer))
                fields = _card(event.card, "question") | {"status": "completed", "content": shown_to_wire(shown)}
                self._tell(event.tool_call_id, fields, shown)
                del self._open[event.tool_call_id]
            case SubagentStep():
                self._stepped(event)
            case _:
                assert_never(event)

    def _cut_short(self, event: AgentErrorEvent) -> None:
        if event.card is not None and event.tool_call_id not in self._open:
            self._tell(event.tool_call_id, _card(event.card, event.tool_name), event.card.shown)
        self._failed(event.tool_call_id, event.error, event.shown)

    def _stepped(self, event: SubagentStep) -> None:
        if not (event.is_own or self.nests):
            # A line in the card of the task.
            return
        known = self._open.get(event.tool_call_id)
        content = _content(known, event.shown) if known is not None else shown_to_wire(event.shown)
        fields = _card(event.card, event.tool_name) | {"status": event.status, "content": content}
        self._tell(event.tool_call_id, fields, event.shown, within=event.within)
        del self._open[event.tool_call_id]

    def _asked(self, event: CallDelta | ActionEvent) -> None:
        self._held.discard(event.tool_call_id)
        if event.card is None:
            return
        if isinstance(event, CallDelta) and event.within:
            if event.is_own or self.nests:
                fields = _card(event.card, event.tool_name)
                self._tell(event.tool_call_id, fields, event.card.shown, within=event.within)
            return
        is_run = event.card.kind == "execute"
        is_new = isinstance(event, CallDelta) and event.tool_call_id not in self._open
        if self.draws is not None and is_new and (is_run or self._held):
            # A terminal is named once and for all when its call is announced: not before the command is known. What
            # follows waits for it, until its own `ActionEvent`.
            self._held.add(event.tool_call_id)
            return
        raw_input = {"rawInput": _raw_input(event.mended or event.arguments)} if isinstance(event, ActionEvent) else {}
        fields = _card(event.card, event.tool_name) | raw_input
        self._tell(event.tool_call_id, fields, event.card.shown, is_run=is_run)

    def _tell(
        self,
        call_id: str,
        fields: dict[str, Any],
        shown: tuple[Shown, ...],
        *,
        is_run: bool = False,
        within: str = "",
    ) -> None:
        if (call := self._open.get(call_id)) is not None:
            call.asked = shown
            self._update(call, fields)
            return
        within = within if self.nests else ""
        call = _Call({"toolCallId": call_id, "status": "pending", **fields}, shown, within=within)
        self._open[call_id] = call
        update = {"sessionUpdate": "tool_call", **call.fields} | ({"_meta": _nested(within)} if within else {})
        if self.draws is not None and is_run:
            call.terminal, call.is_drawn = call_id, True
            update["_meta"] = {"terminal_info": {"terminal_id": call_id, "cwd": self.draws}}
        self.put(Update(self.session_id, update))

    def _progress(self, event: CallProgress | CommandOutput | CommandPlaced) -> None:
        call = self._open.get(event.tool_call_id)
        if call is None:
            return
        match event:
            case CallProgress(shown=None):
                self._update(call, {"status": "in_progress"})
            case CallProgress(shown=shown):
                is_run = any(isinstance(item, ShownCommand) for item in shown or ())
                call.is_placed = call.is_placed or (call.is_drawn and is_run)
                self._update(call, {"status": "in_progress", "content": _content(call, shown or ())})
            case CommandOutput():
                if call.is_drawn:
                    call.is_placed = True
                    self._update(call, {"content": _content(call, ())}, drawn=event.data)
            case CommandPlaced():
                call.terminal, call.is_drawn, call.is_placed = event.terminal_id, False, True
                self._update(call, {"status": "in_progress", "content": _content(call, ())})

    def _observed(self, event: ObservationEvent) -> None:
        call = self._open.pop(event.tool_call_id, None)
        if call is None:
            return
        fields: dict[str, Any] = {
            "status": "failed" if event.is_error else "completed",
            "content": [*_content(call, event.shown or (ShownText(event.text),)), *images_to_wire(event.images)],
        }
        if event.locations:
            fields["locations"] = locations_to_wire(event.locations)
        if event.raw_output is not None:
            fields["rawOutput"] = event.raw_output
        self._update(call, fields, ended=_ended(event.raw_output or {}))

    def _failed(self, call_id: str, reason: str, shown: tuple[Shown, ...]) -> None:
        call = self._open.pop(call_id, None)
        if call is None:
            return
        # Not what the client has: part of that was live only, and a replay has to come to the same.
        content = _content(call, (*(shown or call.asked), ShownText(reason)))
        fields = {"status": "failed", "content": content, "rawOutput": {"error": reason}}
        self._update(call, fields, ended=_ended({}))

    def _update(
        self, call: _Call, fields: dict[str, Any], drawn: str = "", ended: dict[str, Any] | None = None
    ) -> None:
        changed = {name: value for name, value in fields.items() if call.fields.get(name) != value}
        is_drawn = call.is_drawn and call.is_placed
        if not changed and not (is_drawn and (drawn or ended)):
            return
        call.fields.update(changed)
        # The status always: a client takes an update without one for the end of the call (clients.md section 3).
        told = {"toolCallId": call.fields["toolCallId"], "status": call.fields["status"], **changed}
        if is_drawn:
            pieces = [drawn] if drawn else []
            self.put(CallUpdate(self.session_id, told, call.terminal or "", pieces, ended))
        else:
            self.put(CallUpdate(self.session_id, told, within=call.within))


@dataclass(frozen=True, slots=True)
class Update:
    """An update that stands alone."""

    session_id: str
    update: dict[str, Any]

    def to_wire(self) -> dict[str, Any]:
        return session_update(self.session_id, self.update)

    def absorb(self, following: Outgoing) -> bool:
        return False


def session_update(session_id: str, update: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": session_id, "update": update}}


def _card(card: Card, tool_name: str) -> dict[str, Any]:
    return {
        "title": card.title,
        "name": tool_name,
        "kind": card.kind,
        "locations": locations_to_wire(card.locations),
        "content": shown_to_wire(card.shown),
    }


def _content(call: _Call, shown: tuple[Shown, ...]) -> list[dict[str, Any]]:
    """`ToolCallContent[]`: the terminal, once it is there, in place of the command's text."""
    if not call.is_placed:
        return shown_to_wire(shown)
    rest = [item for item in shown if not isinstance(item, ShownCommand)]
    return [{"type": "terminal", "terminalId": call.terminal}, *shown_to_wire(rest)]


def _nested(within: str) -> dict[str, Any]:
    """`_meta` of a call inside another, as clients know it from claude-agent-acp; the protocol has no place for it."""
    return {"claudeCode": {"parentToolUseId": within}} if within else {}


def _ended(raw_output: JsonObject) -> dict[str, Any]:
    """`terminal_exit`, without its terminal: null is not zero, nobody knows then."""
    return {"exit_code": raw_output.get("exit_code"), "signal": raw_output.get("signal")}


def _raw_input(arguments: str) -> Any:
    """Return what the model wrote, as JSON where it is."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return {"arguments": arguments}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {"arguments": arguments}

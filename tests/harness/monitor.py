"""Rules that every conversation keeps, whatever happens in it: checked on every test's wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.harness.schema import problems_of


@dataclass(slots=True)
class Monitor:
    """Sees both directions in order; `problems` stays empty on a sound connection."""

    offers: frozenset[str] = frozenset()
    """Client methods that were advertised in `initialize`."""
    continues: bool = False
    """The agent was started with `--resume`: what was said before comes behind the answer to the first `session/new`."""
    problems: list[str] = field(default_factory=list[str])
    _asked: dict[Any, str] = field(default_factory=dict[Any, str])
    """Requests of the client without an answer: id to method."""
    _prompted: dict[Any, str] = field(default_factory=dict[Any, str])
    """Prompts without an answer: id to session."""
    _loading: dict[Any, str] = field(default_factory=dict[Any, str])
    """Loads without an answer: id to session. The replay comes before it."""
    _continued: str = ""
    """The session that is being told so."""
    _retold: set[str] = field(default_factory=set[str])
    """Sessions that are being loaded, and whose replay has begun."""
    _sessions: set[str] = field(default_factory=set[str])
    _calls: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Status of each announced call."""
    _agent_asked: set[Any] = field(default_factory=set[Any])
    _creating: set[Any] = field(default_factory=set[Any])
    """Requests for a terminal without an answer."""
    _terminals: dict[str, str] = field(default_factory=dict[str, str])
    """What the client knows: id to "new", "shown", then "over"."""

    _compactions: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Status of each that was told of."""
    _shows_compactions: bool = False

    def sent(self, message: dict[str, Any]) -> None:
        """Take what the client sends."""
        if message.get("method") == "initialize":
            session: Any = message.get("params", {}).get("clientCapabilities", {}).get("session") or {}
            self._shows_compactions = session.get("compaction") is not None
        if message.get("id") in self._creating and "method" not in message:
            self._creating.discard(message["id"])
            if "result" in message:
                self._terminals[message["result"]["terminalId"]] = "new"
        if "id" in message and "method" in message:
            self._asked[message["id"]] = message["method"]
            if message["method"] in ("session/load", "session/resume"):
                # Clients know the id before the answer: they named it.
                session = message["params"].get("sessionId", "")
                self._sessions.add(session)
                if message["method"] == "session/load":
                    self._loading[message["id"]] = session
                    self._retold.discard(session)
            if message["method"] == "session/prompt":
                self._prompted[message["id"]] = message["params"].get("sessionId", "")

    def received(self, message: dict[str, Any]) -> None:
        """Take what the agent sends."""
        if "method" not in message:
            self._answer(message)
            return
        self.problems += problems_of(message, None)
        if "id" in message:
            self._agent_request(message)
        elif message["method"] == "session/update":
            self._update(message["params"])

    def _answer(self, message: dict[str, Any]) -> None:
        if message["id"] is None:
            return
        method = self._asked.pop(message["id"], None)
        if method is None:
            self.problems.append(f"an answer to nothing: {message}")
            return
        self.problems += problems_of(message, method)
        self._retold.discard(self._loading.pop(message["id"], ""))
        if method in ("session/new", "session/fork") and "result" in message:
            self._sessions.add(message["result"]["sessionId"])
            if self.continues and method == "session/new":
                self.continues, self._continued = False, message["result"]["sessionId"]
        if method == "session/prompt":
            session = self._prompted.pop(message["id"])
            left_open = [call for (s, call), status in self._calls.items() if s == session and status not in _CLOSED]
            unfinished = [
                key for key, status in self._compactions.items() if key[0] == session and status == "in_progress"
            ]
            if unfinished:
                self.problems.append(f"answered with unfinished compactions: {unfinished}")
            if left_open and session not in self._prompted.values():
                self.problems.append(f"answered with open calls: {left_open}")

    def _agent_request(self, message: dict[str, Any]) -> None:
        if message["id"] in self._agent_asked:
            self.problems.append(f"request id used twice: {message['id']}")
        self._agent_asked.add(message["id"])
        if message["method"] != "session/request_permission" and message["method"] not in self.offers:
            self.problems.append(f"not offered by this client: {message['method']}")
        if message["method"] == "terminal/create":
            self._creating.add(message["id"])
        is_waiting = message["method"] == "terminal/wait_for_exit"
        if is_waiting and self._terminals.get(message["params"]["terminalId"]) != "shown":
            self.problems.append(f"waiting for a terminal that nobody was shown: {message}")
        if message["method"] == "session/request_permission":
            params = message["params"]
            call = params["toolCall"]
            if (params["sessionId"], call["toolCallId"]) not in self._calls:
                self.problems.append(f"permission asked for a call that was not announced: {call}")
            if not call.get("title") or not call.get("content"):
                self.problems.append(f"a question that does not say what it asks: {call}")
            kinds = [option["kind"] for option in params["options"]]
            # Where nobody may approve for the person, nothing looks like an approval.
            first = "allow_once" if any(kind.startswith("allow") for kind in kinds) else "reject_once"
            if kinds[0] != first:
                self.problems.append(f"{first} must be listed first")

    def _update(self, params: dict[str, Any]) -> None:
        session, update = params["sessionId"], params["update"]
        kind = update["sessionUpdate"]
        if session not in self._sessions:
            self.problems.append(f"{kind} for a session that the client does not know yet")
        if not self._has_its_time(session, kind):
            self.problems.append(f"{kind} outside a turn")
        if kind == "user_message_chunk" and session in self._loading.values() and session not in self._retold:
            # It announces the calls again; until then what a turn said before the load was there is on its way.
            self._retold.add(session)
            self._calls = {key: status for key, status in self._calls.items() if key[0] != session}
        if kind == "compaction_update":
            self._compaction((session, update["compactionId"]), update["status"])
        if kind == "tool_call":
            self._call((session, update["toolCallId"]), update)
        elif kind == "tool_call_update":
            key = session, update["toolCallId"]
            if key not in self._calls:
                self.problems.append(f"update of a call that was not announced: {update}")
            elif self._calls[key] in _CLOSED:
                self.problems.append(f"update of a call that is closed: {update}")
            self._terminal(update)
            if "status" not in update:
                self.problems.append(f"an update without a status: {update}")
            self._calls[key] = update.get("status", "")

    def _has_its_time(self, session: str, kind: str) -> bool:
        if session == self._continued and kind == "available_commands_update":
            self._continued = ""
        told = (*self._prompted.values(), *self._loading.values(), self._continued)
        return session in told or kind in _ANY_TIME

    def _compaction(self, key: tuple[str, str], status: str) -> None:
        if not self._shows_compactions:
            self.problems.append("a compaction_update to a client that does not take them")
        if self._compactions.get(key, "in_progress") != "in_progress" and key[0] not in self._loading.values():
            self.problems.append(f"update of a compaction that is over: {key}")
        self._compactions[key] = status

    def _terminal(self, update: dict[str, Any]) -> None:
        for item in update.get("content", ()):
            if item["type"] == "terminal":
                if item["terminalId"] not in self._terminals:
                    self.problems.append(f"a terminal that the client does not know: {update}")
                self._terminals[item["terminalId"]] = self._terminals.get(item["terminalId"], "new").replace(
                    "new", "shown"
                )
        for kind, fed in update.get("_meta", {}).items():
            if kind == "claudeCode":
                continue
            if self._terminals.get(fed["terminal_id"]) != "shown":
                self.problems.append(f"{kind} for a terminal that is not shown, or is over: {update}")
            if kind == "terminal_exit":
                self._terminals[fed["terminal_id"]] = "over"

    def _call(self, key: tuple[str, str], update: dict[str, Any]) -> None:
        if key in self._calls:
            self.problems.append(f"announced twice: {update}")
        if info := update.get("_meta", {}).get("terminal_info"):
            self._terminals[info["terminal_id"]] = "new"
        self._terminal({"content": update["content"]} if "content" in update else {})
        if not update.get("title"):
            self.problems.append(f"a call without a title: {update}")
        self._calls[key] = update.get("status", "pending")


_CLOSED = ("completed", "failed")
_ANY_TIME = (
    "available_commands_update",
    "current_mode_update",
    "config_option_update",
    "session_info_update",
    "usage_update",
)

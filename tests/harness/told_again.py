"""What an editor knows of a session: told live, and told again by another process that has only what was kept.

Every conversation of the harness, `agent`'s and `window`'s, ends with `differences`, so whatever a load tells otherwise
than it was told live is found wherever a test makes it happen. Four things may differ: a terminal of the client's comes
back as text, a compaction that came to nothing is left out (the chat tells of it), what the person typed while a turn
ran stands where it was taken in, and what is told only when it is over (a sub-agent's call, an answered question)
stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import anyio

from openhands_acp.acp.agent import Agent
from openhands_acp.acp.clients import Client
from openhands_acp.acp.connection import Connection
from openhands_acp.rpc.peer import Peer
from tests.harness.editor import Editor, MemoryChannel

Json = dict[str, Any]
Log = Sequence[tuple[str, Json]]
"""("in" to the agent or "out" of it, message), in wire order."""

_PERSON = "person "


async def differences(
    live: Editor, folders: Mapping[str, str], open_agent: Callable[[Peer, Client], Agent]
) -> list[str]:
    """Load these sessions in a process of their own, by their folders; say what is told otherwise than to `live`."""
    known = {session_id: model for session_id in folders if (model := _known(live.log, session_id)) is not None}
    if not known:
        return []
    channel = MemoryChannel()
    later = Editor(channel)
    connection = Connection("0", open_agent)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.peer.run, channel)
        hello = next(message["params"] for _, message in live.log if message.get("method") == "initialize")
        await later.request("initialize", **hello)
        for session_id in known:
            await later.request("session/load", sessionId=session_id, cwd=folders[session_id], mcpServers=[])
        channel.end()
    await connection.close()
    found = list(later.monitor.problems)
    for session_id, model in known.items():
        again = _known(later.log, session_id) or _Model()
        found += [f"a load of {session_id} differs: {text}" for text in _compared(model, again)]
    return found


# ---------------------------------------------------------------- a whole wire


@dataclass(slots=True)
class _Model:
    """A session that a client was told of from its beginning."""

    said: list[Json] = field(default_factory=list[Json])
    """By the person, in blocks, as it was told."""
    told: dict[str, Any] = field(default_factory=dict[str, Any])
    """Texts and calls, in the order in which they began, and where the person said something in between."""
    told_over: set[str] = field(default_factory=set[str])
    """Calls that were announced when they were over."""
    state: Json = field(default_factory=dict[str, Any])
    is_loading: bool = False
    before: _Model | None = None
    """What was known before the load."""
    is_retold: bool = True
    """Not in the beginning of a load: what a turn said before that was there may still have been on its way."""
    prompts: dict[Any, list[Json]] = field(default_factory=dict[Any, list[Json]])
    """By their requests; a refused one was never said."""
    _unanswered: dict[Any, str] = field(default_factory=dict[Any, str])
    """Prompts by their requests: where they stand in what was told."""
    steers: bool = False
    """The person said something while a turn ran."""

    @property
    def is_asked(self) -> bool:
        """A turn runs."""
        return bool(self._unanswered)

    def choose(self, result: Json) -> None:
        """Take what an answer says of the options."""
        if "modes" in result:
            self.state["mode"] = result["modes"]["currentModeId"]
        if "configOptions" in result:
            self.state["options"] = result["configOptions"]

    def take(self, update: Json) -> None:
        kind = update["sessionUpdate"]
        match kind:
            case "user_message_chunk":
                if not self.is_retold:
                    self.is_retold = True
                    self.told.clear()
                self._person_speaks()
                self.said.append(update["content"])
            case "current_mode_update":
                self.state["mode"] = update["currentModeId"]
            case "config_option_update":
                self.state["options"] = update["configOptions"]
            case "plan" | "session_info_update" | "usage_update":
                self.state[kind] = update
            case _:
                self._take_in_order(kind, update)

    def ask(self, request: Json) -> None:
        self.prompts[request["id"]] = request["params"]["prompt"]
        self.steers = self.steers or self.is_loading or bool(self._unanswered)
        self._unanswered[request["id"]] = self._person_speaks()

    def answer(self, request_id: Any, *, is_refused: bool) -> None:
        where = self._unanswered.pop(request_id, "")
        if is_refused and self.prompts.pop(request_id, None) is not None:
            self.told.pop(where, None)

    def _person_speaks(self) -> str:
        if self.told and (last := [*self.told][-1]).startswith(_PERSON):
            return last
        here = f"{_PERSON}{len(self.told)}"
        self.told[here] = ""
        return here

    def _take_in_order(self, kind: str, update: Json) -> None:
        match kind:
            case "agent_message_chunk" | "agent_thought_chunk":
                key = f"{kind} {update['messageId']}"
                self.told[key] = self.told.get(key, "") + update["content"]["text"]
            case "tool_call" | "tool_call_update":
                if kind == "tool_call" and update["status"] in ("completed", "failed"):
                    self.told_over.add(update["toolCallId"])
                self.told.setdefault(update["toolCallId"], {}).update(_fields(update))
            case "compaction_update":
                self.told[update["compactionId"]] = update
                if update["status"] in ("failed", "cancelled"):
                    del self.told[update["compactionId"]]
            case _:
                assert kind == "available_commands_update", update

    def blocks(self) -> list[Json]:
        """Return what the person said, however it was cut."""
        joined: list[Json] = []
        for block in [*self.said, *(block for prompt in self.prompts.values() for block in prompt)]:
            shown = _block(block)
            if joined and "text" in joined[-1] and "text" in shown:
                joined[-1] = {"text": joined[-1]["text"] + shown["text"]}
            else:
                joined.append(shown)
        return joined


def _known(log: Log, session_id: str) -> _Model | None:
    """Return what a client knows of a session; None if it was not told of it from its beginning."""
    asked: dict[Any, Json] = {}
    model: _Model | None = None
    for way, message in log:
        params, method = message.get("params", {}), message.get("method")
        if way == "in" and method is not None and "id" in message:
            asked[message["id"]] = message
            if params.get("sessionId") == session_id:
                model = _asked(message, model)
        elif way == "out" and method is None and message.get("id") in asked:
            request = asked.pop(message["id"])
            loads = [each for each in asked.values() if each["method"] == "session/load"]
            is_next = session_id in [each["params"].get("sessionId") for each in loads]
            model = _answered(request, message, session_id, model, is_next=is_next)
        elif method == "session/update" and params["sessionId"] == session_id and model is not None:
            model.take(params["update"])
    return model


def _asked(request: Json, model: _Model | None) -> _Model | None:
    if request["method"] == "session/load":
        # The replay tells everything again, and comes before the answer.
        steers = model is not None and model.is_asked
        return _Model(is_loading=True, is_retold=False, steers=steers, before=model)
    if request["method"] == "session/prompt" and model is not None:
        model.ask(request)
    return model


def _answered(request: Json, answer: Json, session_id: str, model: _Model | None, *, is_next: bool) -> _Model | None:
    """Take in an answer; with `is_next`, another load of the session is to come."""
    method, params, result = request["method"], request.get("params", {}), answer.get("result")
    if method == "session/load" and is_next:
        return _Model(is_loading=True, is_retold=False, steers=model is not None and model.steers)
    if method == "session/load" and result is None and model is not None:
        # Refused, or taken back in the middle of it.
        return None if model.is_retold else model.before
    if model is not None:
        model.is_loading = model.is_loading and method != "session/load"
        model.answer(request["id"], is_refused=result is None)
    if result is None:
        return model
    if result.get("sessionId", params.get("sessionId")) != session_id:
        return model
    if method in ("session/resume", "session/fork"):
        return None
    model = _Model() if method == "session/new" else model
    if model is not None:
        model.choose(result)
        if method == "session/set_mode":
            model.state["mode"] = params["modeId"]
    return model


def _block(block: Json) -> Json:
    """As a client shows it."""
    match block:
        case {"type": "text", "text": text}:
            # Two messages in a row are kept apart.
            return {"text": text.removeprefix("\n\n")}
        case {"type": "resource_link", "uri": uri} | {"type": "resource", "resource": {"text": _, "uri": uri}}:
            return {"link": uri}
        case {"type": "resource", "resource": {"blob": data, "mimeType": kind}} if kind.startswith("image/"):
            return {"image": data}
        case {"type": "resource", "resource": {"uri": uri}}:
            return {"link": uri}
        case _:
            return {"image": block["data"]}


def _fields(update: Json) -> Json:
    fields = {name: value for name, value in update.items() if name not in ("sessionUpdate", "_meta")}
    nested = update.get("_meta", {}).get("claudeCode")
    return fields | ({"nested": nested} if nested else {})


# ---------------------------------------------------------------- compared


def _compared(live: _Model, again: _Model) -> Iterator[str]:
    for key, call in live.told.items():
        _put_text_for_terminal(call, again.told.get(key))
    yield from _differing("said", live.blocks(), again.blocks())
    yield from _differing("order", *([*_in_order(model.told, live, again)] for model in (live, again)))
    told = [{key: value for key, value in model.told.items() if value != ""} for model in (live, again)]
    yield from _differing("told", *told)
    yield from _differing("state", live.state, again.state)


def _in_order(told: Json, live: _Model, again: _Model) -> Iterator[str]:
    """Leave out what may stand elsewhere."""
    for key in told:
        if key.startswith(_PERSON):
            if not live.steers:
                yield "person"
        elif key not in again.told_over:
            yield key


def _put_text_for_terminal(call: Any, again: Any) -> None:
    match call, again:
        case (
            {"content": [{"type": "terminal"}, *rest]},
            {"content": [{"content": {"text": text}} as shown, *_]},
        ) if text.startswith("```"):
            call["content"] = [shown, *rest]
        case _:
            pass


def _differing(where: str, live: Any, again: Any) -> Iterator[str]:
    if isinstance(live, dict) and isinstance(again, dict):
        one, other = cast("Json", live), cast("Json", again)
        for key in dict.fromkeys([*one, *other]):
            yield from _differing(f"{where}.{key}", one.get(key), other.get(key))
    elif live != again:
        yield f"{where}: {live!r} was {again!r}"

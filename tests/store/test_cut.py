"""A journal that ends anywhere: what is whole is read, and the next request is one that no provider refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.events import (
    ConversationErrorEvent,
    Entry,
    InterruptEvent,
    TurnStarted,
    UserRejectObservation,
)
from openhands_acp.engine.ports import Finish
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.assemble import to_chat
from openhands_acp.llm.dialect import Dialect
from openhands_acp.llm.reasoning import CLAUDE
from openhands_acp.store.library import Library
from openhands_acp.store.reading import JOURNAL_NAME
from openhands_acp.tools import BUILTIN
from tests.harness.check import MemoryJournal, TestBackend, agent
from tests.harness.editor import allowed, rejected
from tests.harness.history import check_history
from tests.harness.model import ScriptedModel, Wait, call, say, think

pytestmark = pytest.mark.anyio

_ID = "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
_SPECS = tuple(make().spec for make in BUILTIN)
_EDIT = call("file_editor", command="str_replace", path="a.txt", old_str="one", new_str="two")
_PLAN = call("task_tracker", 2, command="plan", task_list=[{"title": "t", "status": "done"}])


def _signed(number: int) -> Finish:
    """The end of an answer of a model that thinks, and wants its thought back as it was."""
    block = {"type": "thinking", "thinking": f"Thought {number}.", "signature": f"{number}" * 40}
    return Finish("stop", blocks=[block, {"type": "redacted_thinking", "data": "é\ud800"}])


_ANSWERS = [
    [
        think("Thought ", "1."),
        say("Two at ", "once."),
        _EDIT,
        call("terminal", 1, command="echo hi"),
        _PLAN,
        _signed(1),
    ],
    [think("Thought 2."), call("terminal", command="printf no"), call("nothing", 1, a=1), _signed(2)],
    [say("Done.\n", "é\ud800")],
    [think("Half"), say("Half an answer"), _EDIT[:2], Wait()],
    [say("Then "), TurnError("rate_limit", "the provider says wait")],
    [think("Thought 3."), call("finish", message="Bye."), _signed(3)],
]


async def _lived_through(root: Path) -> list[Entry]:
    """Four turns: parallel calls, one rejected and one unknown; a cancel; a failure; an end by `finish`."""
    (root / "a.txt").write_text("one\n")

    def permission(params: dict[str, Any]) -> dict[str, Any]:
        return rejected() if "printf" in json.dumps(params) else allowed("allow_always")

    async with agent(root, *_ANSWERS, permission=permission) as running:
        await running.prompt("go")
        request = running.ask_prompt("tell me half of it")
        await running.editor.until(lambda message: "Half an answer" in json.dumps(message))
        running.cancel()
        await running.editor.answer(request)
        await running.prompt("fail")
        await running.prompt("finish")
        entries = list(running.entries)
    assert {ConversationErrorEvent, InterruptEvent, UserRejectObservation} <= {type(entry.event) for entry in entries}
    return entries


async def test_a_journal_may_end_at_any_byte(tmp_path: Path) -> None:
    entries = await _lived_through(tmp_path)
    library, path = Library(tmp_path / "sessions"), _written(tmp_path / "sessions", entries)
    data = path.read_bytes()
    for cut, whole in _cuts(data):
        path.write_bytes(data[:cut])
        stored = library.read(_ID)
        is_torn = cut > stored.size
        assert (stored.entries, bool(stored.notes)) == (entries[:whole], is_torn), cut
        assert data[:cut].rfind(b"\n") + 1 == stored.size


async def test_what_comes_next_is_put_behind_what_is_whole(tmp_path: Path) -> None:
    entries = await _lived_through(tmp_path)
    library, path = Library(tmp_path / "sessions"), _written(tmp_path / "sessions", entries)
    lines = path.read_bytes().splitlines(keepends=True)
    later = Entry("later", entries[0].timestamp, TurnStarted("later"))
    for length in range(len(lines) + 1):
        whole = b"".join(lines[:length])
        path.write_bytes(whole + b"".join(lines[length:])[:7])
        journal = library.journal(_ID, pytest.fail, library.read(_ID))
        journal.claim()
        journal.append(later)
        journal.close()
        assert path.read_bytes().startswith(whole)
        stored = library.read(_ID)
        assert (stored.entries, stored.notes) == ([*entries[:length], later], ())


async def test_after_any_record_the_next_request_is_one_that_no_provider_refuses(tmp_path: Path) -> None:
    entries = await _lived_through(tmp_path)
    library, path = Library(tmp_path / "sessions"), _written(tmp_path / "sessions", entries)
    lines = path.read_bytes().splitlines(keepends=True)
    known_blocks = [json.dumps(blocks) for blocks in _blocks_in(await _next_request(tmp_path, entries))]
    assert len(known_blocks) == 3
    for length in range(len(lines) + 1):
        path.write_bytes(b"".join(lines[:length]) + b'{"v":1,"kind":"Mess')
        body = await _next_request(tmp_path, library.read(_ID).entries)
        assert check_history(body) == [], length
        assert body["messages"][-1]["content"].endswith("and now?")
        assert [json.dumps(blocks) for blocks in _blocks_in(body)] == known_blocks[: len(_blocks_in(body))]


async def _next_request(root: Path, entries: list[Entry]) -> dict[str, Any]:
    """Take a conversation up and prompt; return what its provider is sent."""
    backend = TestBackend(ScriptedModel([[say("Fine.")]]), journals={_ID: MemoryJournal(entries)})
    async with agent(root, backend=backend) as running:
        await running.editor.request("session/load", sessionId=_ID, cwd=str(root), mcpServers=[])
        running.session_id = _ID
        assert await running.prompt("and now?") == {"stopReason": "end_turn"}
        [request] = running.model.requests
    messages, tools = to_chat(request, _SPECS, Dialect(owner=CLAUDE))
    return {"model": "claude", "messages": messages, "tools": tools}


def _blocks_in(body: dict[str, Any]) -> list[Any]:
    return [message["thinking_blocks"] for message in body["messages"] if "thinking_blocks" in message]


def _written(folder: Path, entries: list[Entry]) -> Path:
    """Write a journal; return where it is."""
    library = Library(folder)
    journal = library.journal(_ID, pytest.fail)
    journal.claim()
    for entry in entries:
        journal.append(entry)
    journal.close()
    assert library.read(_ID).entries == entries
    return folder / _ID.replace("-", "") / JOURNAL_NAME


def _cuts(data: bytes) -> Iterator[tuple[int, int]]:
    """Where to cut, and how many records are whole there: round every end of one, and anywhere in the last three."""
    ends = [0, *accumulate(len(line) + 1 for line in data.split(b"\n")[:-1])]
    near = {end + step for end in ends for step in (-1, 0, 1)}
    for cut in sorted({*near, *range(ends[-4], len(data) + 1)}):
        if 0 <= cut <= len(data):
            yield cut, sum(end <= cut for end in ends[1:])

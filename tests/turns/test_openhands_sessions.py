"""OpenHands' own conversations, as an editor meets them: listed among ours, taken up, and only ever read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.harness.model import say
from tests.store.conversations import write_layout
from tests.store.test_openhands_written import WRITTEN, WRITTEN_ID
from tests.turns.windows import Machine, Window, machine, window
from tests.wire.lived import keep, tree

pytestmark = pytest.mark.anyio

__all__ = ["machine"]

NOW = datetime.now(UTC)


def told(source: str, text: str, number: int) -> dict[str, Any]:
    message = {"role": "user" if source == "user" else "assistant", "content": [{"type": "text", "text": text}]}
    return {
        "id": str(UUID(int=number)),
        "kind": "MessageEvent",
        "source": source,
        "timestamp": "2026-01-01T00:00:00",
        "llm_message": message,
    }


def theirs(machine: Machine, number: int, folder: Path, age: timedelta = timedelta()) -> str:
    """Put a conversation where OpenHands would; return its id."""
    session_id = str(UUID(int=number))
    events = [told("user", f"question {number}", 2 * number), told("agent", f"answer {number}", 2 * number + 1)]
    state = {"workspace": {"working_dir": str(folder)}}
    place = machine.root / "home/conversations"
    write_layout(place, session_id, events, state)
    at = (NOW - age).timestamp()
    os.utime(place / UUID(session_id).hex / "events", (at, at))
    return session_id


async def listed(window: Window, **params: Any) -> list[str]:
    found: list[str] = []
    while True:
        page = await window.editor.request("session/list", **params)
        found += [session["sessionId"] for session in page["sessions"]]
        if "nextCursor" not in page:
            return found
        params["cursor"] = page["nextCursor"]


async def test_they_are_listed_with_ours_by_their_time(machine: Machine, tmp_path: Path) -> None:
    other = tmp_path / "other"
    old = theirs(machine, 1, machine.project, timedelta(days=2))
    new = theirs(machine, 2, machine.project, -timedelta(days=2))
    elsewhere = theirs(machine, 3, other)
    ours = keep(tmp_path, machine.project, ["Hello."])
    (tmp_path / ".openhands/acp").rename(machine.sessions.parent)
    async with window(machine) as only:
        assert await listed(only) == [new, elsewhere, ours, old] or await listed(only) == [new, ours, elsewhere, old]
        for spelt in (machine.project, f"{machine.project}/", f"{machine.project}/../project"):
            assert await listed(only, cwd=str(spelt)) == [new, ours, old]
        assert await listed(only, cwd=str(other)) == [elsewhere]


async def test_each_is_listed_once_however_many_pages_there_are(machine: Machine, tmp_path: Path) -> None:
    ours = [keep(tmp_path, machine.project, ["Hello."]) for _ in range(120)]
    (tmp_path / ".openhands/acp").rename(machine.sessions.parent)
    ages: Sequence[timedelta] = [timedelta(seconds=seconds) for seconds in range(-30, 30)]
    others = [theirs(machine, number, machine.project, age) for number, age in enumerate(ages, 1)]
    async with window(machine) as only:
        assert sorted(await listed(only)) == sorted([*ours, *others])


async def test_a_page_has_no_more_than_any_other_and_its_messages_are_counted(machine: Machine) -> None:
    for number in range(1, 61):
        theirs(machine, number, machine.project, timedelta(seconds=number))
    async with window(machine) as only:
        page = await only.editor.request("session/list")
        assert (len(page["sessions"]), page["sessions"][0]["_meta"]) == (50, {"messageCount": 2})
        assert len((await only.editor.request("session/list", cursor=page["nextCursor"]))["sessions"]) == 10


async def test_one_of_theirs_is_found_by_no_other_spelling_of_its_id(machine: Machine) -> None:
    session_id = theirs(machine, 0xABC, machine.project)
    async with window(machine) as only:
        for method in ("session/load", "session/resume", "session/fork"):
            for spelt in (session_id.upper(), session_id.replace("-", ""), f"{{{session_id}}}"):
                assert (await only.ask(method, spelt))["code"] == -32002


async def test_one_that_is_taken_up_goes_on_as_ours_and_theirs_stays_as_it_was(machine: Machine) -> None:
    session_id = theirs(machine, 1, machine.project)
    before = tree(machine.root / "home/conversations")
    async with window(machine, [say("It goes on.")]) as only:
        await only.ask("session/load", session_id)
        await only.announced(session_id)
        texts = [update["content"]["text"] for update in only.editor.updates() if "content" in update]
        assert texts == ["question 1", "answer 1"]
        await only.prompt("and now?")
        assert "question 1" in str(only.model.requests[0])
        assert await listed(only) == [session_id]
    assert tree(machine.root / "home/conversations") == before
    async with window(machine) as second:
        await second.ask("session/load", session_id)
        assert "It goes on." in str(second.editor.updates())


async def test_one_of_theirs_is_not_deleted_and_that_is_said(machine: Machine) -> None:
    session_id = theirs(machine, 1, machine.project)
    before = tree(machine.root / "home/conversations")
    async with window(machine, [say("It goes on.")]) as only:
        refused = await only.editor.request("session/delete", sessionId=session_id)
        assert (refused["code"], refused["message"]) == (-32600, "The session is OpenHands' own")
        # What went on here is ours to delete, and theirs is there again as it was.
        await only.ask("session/load", session_id)
        await only.prompt("and now?")
        assert await only.editor.request("session/delete", sessionId=session_id) == {}
        assert await listed(only) == [session_id]
    assert tree(machine.root / "home/conversations") == before


async def test_one_that_openhands_was_killed_over_goes_on_here(machine: Machine) -> None:
    place = machine.root / "home/conversations"
    shutil.copytree(WRITTEN, place)
    before = tree(place)
    async with window(machine, [say("It goes on.")]) as only:
        await only.ask("session/load", WRITTEN_ID)
        await only.announced(WRITTEN_ID)
        titles = [update["title"] for update in only.editor.updates() if update["sessionUpdate"] == "tool_call"]
        assert titles[-2:] == ["git push", "sleep 60"]
        diffs = [part for update in only.editor.updates() for part in update.get("content", ()) if "newText" in part]
        assert {"type": "diff", "path": "/home/ada/tidepool/moon.py", "oldText": "", "newText": "PULL = 1"} in diffs
        # The scripted model refuses a call without its one result.
        await only.prompt("and now?")
        assert "whether it ran, and what it did, is unknown" in str(only.model.requests[0])
    assert tree(place) == before

"""A session that a process lived through and left on the disk, and how another takes it up.

The scripted model repairs a small program in it; the command that tests the program leaves a mark at
every run, so that nothing can be run unseen.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from openhands_acp.engine.events import ConversationStarted, Durable, Entry, MessageEvent, TurnEnded, TurnStarted
from openhands_acp.engine.messages import Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.llm.scripted import CORRECTION, MISTAKE, MODEL, PROGRAM, TESTS, task
from openhands_acp.store.library import Library
from tests.harness.process import Server, prompt

SESSIONS = ".openhands/acp/sessions"
MARK = "runs.txt"
COMMAND = f"echo ran >> {MARK}; grep -q '{CORRECTION}' {PROGRAM} && echo OK || {{ echo FAILED; false; }}"
OPTIONS = ("--model", "scripted/demo", "--always-approve")


@dataclass(frozen=True, slots=True)
class Lived:
    home: Path
    folder: Path
    """The project."""
    session_id: str
    updates: list[dict[str, Any]]
    """What the client was told, live."""

    @property
    def sessions(self) -> Path:
        return self.home / SESSIONS

    @property
    def kept(self) -> Path:
        """The session's own folder."""
        return self.sessions / self.session_id.replace("-", "")

    @property
    def journal(self) -> Path:
        return self.kept / "journal.jsonl"

    def process(self, *words: str) -> Server:
        return Server(self.home, *OPTIONS, *words)

    def copied(self, home: Path) -> Lived:
        """Copy what is on the disk, to do with it what one likes."""
        shutil.copytree(self.home / ".openhands", home / ".openhands")
        return Lived(home, self.folder, self.session_id, self.updates)


def project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / PROGRAM).write_text(f"{MISTAKE}\n")
    (folder / TESTS).write_text("\n")
    return folder


def begin(server: Server, folder: Path, command: str = COMMAND) -> tuple[str, str]:
    """Have the model repair the program in a new session; return its id and the prompt's."""
    session_id = server.new_session(folder)
    return session_id, server.put("session/prompt", prompt(session_id, task(command)))


def live_through(home: Path, folder: Path) -> Lived:
    with Server(home, *OPTIONS) as server:
        server.initialize()
        session_id, request_id = begin(server, project(folder))
        *messages, answer = server.answer(request_id)
        assert answer["result"] == {"stopReason": "end_turn"}
        server.close_stdin()
        server.rest()
    return Lived(home, folder, session_id, updates_in(messages))


def keep(home: Path, folder: Path, texts: Sequence[str]) -> str:
    """Put a session on the disk in which the agent wrote these messages; return its id."""
    session_id, now = str(uuid4()), datetime.now(UTC)
    journal = Library(home / SESSIONS).journal(session_id, pytest.fail)
    journal.claim()
    events: list[Durable] = [
        ConversationStarted(session_id, (AbsPath(str(folder)),), "always-ask", MODEL),
        TurnStarted("t"),
        MessageEvent("u", "user", (Text("tell me"),)),
        *(MessageEvent(f"m{at}", "assistant", (Text(text),)) for at, text in enumerate(texts)),
        TurnEnded("t", "end_turn"),
    ]
    for at, event in enumerate(events):
        journal.append(Entry(f"e{at}", now, event))
    journal.close()
    return session_id


def updates_in(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message["params"]["update"] for message in messages if message.get("method") == "session/update"]


def take_up(
    server: Server, session_id: str, folder: Path, method: str = "session/load", **more: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the answer, and the updates that came before it."""
    params: dict[str, Any] = {"sessionId": session_id, "cwd": str(folder), "mcpServers": [], **more}
    *before, answer = server.answer(server.put(method, params))
    return answer, updates_in(before)


def say(server: Server, session_id: str, text: str = "and now?") -> tuple[Any, str]:
    """Prompt; return the stop reason, and what the agent wrote in the chat."""
    *before, answer = server.answer(server.put("session/prompt", prompt(session_id, text)))
    chunks = [update for update in updates_in(before) if update["sessionUpdate"] == "agent_message_chunk"]
    reason = answer.get("result", {}).get("stopReason", answer.get("error"))
    return reason, "".join(chunk["content"]["text"] for chunk in chunks)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder; None stands for a folder in it."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}

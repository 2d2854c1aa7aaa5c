"""What the model is told first: stable, and small."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openhands_acp.engine.messages import SystemMessage, Text, UserMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.prompt import STATIC, Surroundings, dynamic, look_around
from openhands_acp.llm.assemble import to_chat
from openhands_acp.local.files import LocalFiles
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.tools import BUILTIN

pytestmark = pytest.mark.anyio

TODAY = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_whole_first_request_is_small() -> None:
    told = dynamic(Surroundings((AbsPath("/home/somebody/project"),), "branch main, clean", None), TODAY)
    messages = [SystemMessage(STATIC, told), UserMessage((Text("Fix it."),))]
    tools = tuple(make().spec for make in BUILTIN)
    chat, schemas = to_chat(messages, tools)
    assert len(json.dumps({"messages": chat, "tools": schemas}).encode()) < 20_000


def test_the_static_part_names_only_tools_that_exist() -> None:
    names = {make().spec.name for make in BUILTIN}
    assert {"task_tracker", "file_editor"} <= names
    assert "{" not in STATIC


async def test_what_is_told_of_a_repository(tmp_path: Path) -> None:
    terminals, root = LocalTerminals(), AbsPath(str(tmp_path))
    (tmp_path / "AGENTS.md").write_text("Use tabs.\n" + "x" * 9000)
    before = await look_around((root,), LocalFiles(), terminals)
    assert before.git is None
    assert before.instructions is not None
    assert before.instructions.startswith("Use tabs.\n")
    assert len(before.instructions) < 8200
    text = dynamic(before, TODAY)
    assert text.startswith(f"Project folder: {root}\nPlatform: ")
    assert "Date: 2026-01-02\nGit: not a repository\n" in text
    await terminals.close()

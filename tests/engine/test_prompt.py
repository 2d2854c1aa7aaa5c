"""What the model is told first: stable, and small."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from openhands_acp.engine.messages import SystemMessage, Text, UserMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.prompt import IDENTITY, SLIM, STATIC, Surroundings, dynamic, look_around
from openhands_acp.engine.tool import Tool
from openhands_acp.llm.assemble import to_chat
from openhands_acp.local.files import LocalFiles
from openhands_acp.tools import BUILTIN, tools_for
from openhands_acp.tools.browser import browser_tools

pytestmark = pytest.mark.anyio

TODAY = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tools", "most"), [(tools_for("gpt-4o"), 17_000), (tools_for("gpt-4o", extra=browser_tools()), 19_500)]
)
def test_the_whole_first_request_is_small(tools: tuple[Tool, ...], most: int) -> None:
    told = dynamic(Surroundings((AbsPath("/home/somebody/project"),), "branch main"), TODAY)
    messages = [SystemMessage(STATIC, told), UserMessage((Text("Fix it."),))]
    chat, schemas = to_chat(messages, tuple(tool.spec for tool in tools))
    assert len(json.dumps({"messages": chat, "tools": schemas}).encode()) < most


def test_the_static_part_names_only_tools_that_exist() -> None:
    names = {make().spec.name for make in BUILTIN}
    assert {"task_tracker", "file_editor"} <= names
    assert "{" not in STATIC


def test_who_the_agent_is_comes_first() -> None:
    assert STATIC.startswith(IDENTITY)
    assert SLIM.startswith(IDENTITY)


async def test_what_is_told_of_a_project(tmp_path: Path) -> None:
    root = AbsPath(str(tmp_path))
    text = dynamic(await look_around((root,), LocalFiles()), TODAY)
    assert text.startswith(f"Project folder: {root}\nPlatform: ")
    assert text.endswith("Date: 2026-01-02\nGit: not a repository")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({".git/HEAD": "ref: refs/heads/main\n"}, "branch main"),
        ({".git/HEAD": "ref: refs/heads/fix/a-b\n"}, "branch fix/a-b"),
        ({".git/HEAD": "0123456789abcdef0123456789abcdef01234567\n"}, "detached at 0123456789ab"),
        ({".git": "gitdir: secrets\n", "secrets/HEAD": "sk-or-v1-secret\n"}, "a repository"),
        ({".git/HEAD": "ref: refs/heads/a b, and now do this\n"}, "a repository"),
        ({".git": "gitdir: real/worktree\n", "real/worktree/HEAD": "ref: refs/heads/w\n"}, "branch w"),
        ({".git": "nonsense"}, None),
        ({}, None),
    ],
)
async def test_what_is_checked_out_is_read_without_running_git(
    tmp_path: Path, written: dict[str, str], told: str | None
) -> None:
    for name, text in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "sub").mkdir()
    for folder in (tmp_path, tmp_path / "sub"):
        assert (await look_around((AbsPath(str(folder)),), LocalFiles())).git == told

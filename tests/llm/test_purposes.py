"""Which model is asked for which purpose, with the real settings and over HTTP, and what it is said to cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.backend import connected, home, prompt
from tests.harness.editor import Editor
from tests.harness.process import with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Text, Usage

pytestmark = pytest.mark.anyio

PURPOSES = """
titles = true
models = ["openai/gpt-4o"]

[purposes]
title = "openai/gpt-4o-mini"
ask = "openai/gpt-4o"
"""


async def say(editor: Editor, session_id: str, text: str) -> Any:
    return await editor.request("session/prompt", sessionId=session_id, prompt=prompt(text))


def texts(editor: Editor) -> list[str]:
    return [u["content"]["text"] for u in editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]


async def test_each_purpose_has_its_model_and_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [
        (Text("Hello."), Usage(100, 10)),
        (Text("A title"), Usage(50, 5)),
        (Text("Nothing."), Usage(1_000, 10)),
    ]
    with Provider(*replies) as provider:
        home(tmp_path, monkeypatch, **with_provider(provider.url)).settings(PURPOSES)
        async with connected() as editor:
            session_id = (await editor.request("session/new", cwd=str(tmp_path), mcpServers=[]))["sessionId"]
            await say(editor, session_id, "hello")
            await editor.until_update("session_info_update", title="A title")
            await say(editor, session_id, "/ask what did you do?")
            await say(editor, session_id, "/cost")
            *_, table = texts(editor)
    assert [request.model for request in provider.requests] == ["fake-model", "gpt-4o-mini", "gpt-4o"]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| `openai/fake-model`", "agent", "1"],
        ["| `openai/gpt-4o-mini`", "title", "1"],
        ["| `openai/gpt-4o`", "ask", "1"],
    ]
    # gpt-4o reads for 2.5 and writes for 10 dollars a million, as LiteLLM knows; of the fake nobody knows.
    assert [row.split(" | ")[-1] for row in rows] == ["unknown |", "under $0.0001 |", "$0.0026 |"]
    assert "The price of `openai/fake-model` is not known." in table

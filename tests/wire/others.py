"""The clients that people have, as far as an agent can tell them apart: what each says of itself, and what it does.

From what was seen of them on the wire, or read in their source.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyio.abc import TaskGroup

from tests.harness.editor import Editor, Refusal
from tests.harness.editor_terminals import EditorTerminals

Json = dict[str, Any]

_FILES = {"fs": {"readTextFile": True, "writeTextFile": True}}


def zed(editor: Editor, tasks: TaskGroup) -> Json:
    """Has everything: files, terminals, forms, links."""
    _has_files(editor)
    editor.offer(EditorTerminals(tasks))
    editor.elicit(lambda _params: {"action": "accept", "content": {"answer1": "SQLite"}})
    return {
        "clientInfo": {"name": "zed", "title": "stable", "version": "1.20.0"},
        "clientCapabilities": {
            **_FILES,
            "terminal": True,
            "auth": {"terminal": True},
            "session": {"configOptions": {"boolean": {}}},
            "elicitation": {"form": {}, "url": {}},
            "_meta": {"terminal_output": True, "terminal-auth": True},
        },
    }


def jetbrains(editor: Editor, tasks: TaskGroup) -> Json:
    _has_files(editor)
    editor.offer(EditorTerminals(tasks))
    info = {"name": "JetBrains.AI", "version": "2026.1.1"}
    return {"clientInfo": info, "clientCapabilities": {**_FILES, "terminal": True}}


VSCODE = {
    "clientInfo": {"name": "vscode-acp-client", "version": "0.2.0"},
    "clientCapabilities": {**_FILES, "terminal": True},
}
"""The extension ACP Client."""


def acpx(_editor: Editor, _tasks: TaskGroup) -> Json:
    """Is called with `--no-fs --no-terminal`: it has nothing."""
    return {"clientInfo": {"name": "acpx", "version": "0.19.1"}, "clientCapabilities": {}}


def _has_files(editor: Editor) -> None:
    def read(params: Json) -> Json:
        try:
            return read_file(params)
        except OSError as error:
            raise Refusal(-32002, "Resource not found") from error

    editor.monitor.offers |= {"fs/read_text_file", "fs/write_text_file"}
    editor.answers |= {"fs/read_text_file": read, "fs/write_text_file": write_file}


def read_file(params: Json) -> Json:
    """Answer with what is on the disk: nothing is unsaved."""
    return {"content": Path(params["path"]).read_text()}


def write_file(params: Json) -> None:
    Path(params["path"]).write_text(params["content"])

"""A folder, and the `file_editor` tool called in it as a model would."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import ToolError, ToolResult
from openhands_acp.tools.file_editor import file_editor
from tests.harness.hands import PlainHands, called

TOOL = file_editor()


class Place:
    """A folder with hands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hands = PlainHands(AbsPath(str(folder)))

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def path(self, name: str) -> AbsPath:
        return AbsPath(str(self.folder / name))

    def put(self, name: str, data: bytes) -> AbsPath:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(data)
        return self.path(name)

    async def call(self, command: str, path: str, **arguments: JsonValue) -> ToolResult:
        return await called(TOOL, self.hands, command=command, path=path, **arguments)

    async def fails(self, command: str, path: str, **arguments: JsonValue) -> str:
        with pytest.raises(ToolError) as caught:
            await self.call(command, path, **arguments)
        return str(caught.value)

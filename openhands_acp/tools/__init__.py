"""The tools that come with the program: one word each in `BUILTIN`."""

from __future__ import annotations

from collections.abc import Callable

from openhands_acp.engine.tool import Tool
from openhands_acp.tools.file_editor import file_editor
from openhands_acp.tools.finish import finish
from openhands_acp.tools.task_tracker import task_tracker
from openhands_acp.tools.terminal import terminal
from openhands_acp.tools.think import think

BUILTIN: tuple[Callable[[], Tool], ...] = (terminal, file_editor, task_tracker, think, finish)

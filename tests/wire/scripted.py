"""A project in which the scripted model runs one command of ours, so that no model is needed for it."""

from __future__ import annotations

from pathlib import Path

from openhands_acp.llm.scripted import MISTAKE, PROGRAM, TESTS, task
from tests.harness.process import Server, prompt


def begin_command(server: Server, folder: Path, command: str) -> str:
    """Open a session and have the model run `command` in it; return the id of the prompt's request."""
    (folder / PROGRAM).write_text(f"{MISTAKE}\n")
    (folder / TESTS).write_text("\n")
    return server.put("session/prompt", prompt(server.new_session(folder), task(command)))

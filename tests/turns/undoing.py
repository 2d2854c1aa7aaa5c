"""Sessions that keep the state of their files, and what is seen of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openhands_acp.engine.events import CheckpointTaken, NoticeEvent
from tests.harness.check import Running, TestBackend, transcript
from tests.harness.model import Answer, ScriptedModel, call


def keeping(root: Path, *answers: Answer, mode: str = "always-approve") -> TestBackend:
    return TestBackend(ScriptedModel(answers), mode=mode, checkpoints=root.parent / "home")


def run(command: str) -> Answer:
    return [call("terminal", command=command)]


def edit(path: str, old: str, new: str, index: int = 0) -> Any:
    return call("file_editor", index, command="str_replace", path=path, old_str=old, new_str=new)


def wire(running: Running) -> str:
    """The wire, without the list of commands, which comes when it comes."""
    lines = transcript(running).split("\n")
    return "\n".join(line for line in lines if "available_commands_update" not in line)


def last_said(running: Running) -> str:
    notices = [e.event for e in running.entries if isinstance(e.event, NoticeEvent) and e.event.channel == "text"]
    return notices[-1].text


def checkpoints_of(running: Running) -> list[CheckpointTaken]:
    return [entry.event for entry in running.entries if isinstance(entry.event, CheckpointTaken)]

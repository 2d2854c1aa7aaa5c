"""What tests of definitions share: files that define a sub-agent, and a task for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.turns.delegating import task
from tests.turns.hooked import asked
from tests.turns.windows import Machine, Window

MAKE = task("Make it", description="Make", subagent_type="maker")


def define(machine: Machine, *, project: bool = False, name: str = "maker", **fields: Any) -> Path:
    folder = machine.project / ".openhands/agents" if project else machine.root / "home/agents"
    folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    lines = [f"{field}: {json.dumps(value)}" for field, value in {"description": "Makes.", **fields}.items()]
    file = folder / f"{name}.md"
    file.write_text("\n".join(["---", *lines, "---", "Make."]))
    return file


def one(command: str, **fields: Any) -> list[Any]:
    return [{"hooks": [{"type": "command", "command": command, **fields}]}]


def titles(it: Window) -> list[str]:
    """What the person was asked, but for trust."""
    return [title for title in asked(it) if title != "Trust this project?"]

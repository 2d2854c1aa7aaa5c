"""What tests of hooks share: files that name them, what the person and the model read of what came of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio

from openhands_acp.engine.messages import Text, ToolMessage, UserMessage
from tests.harness.model import call
from tests.harness.waiting import PATIENCE, until
from tests.turns.windows import Machine, Window, window

LOOK = "cat >> seen.jsonl; echo >> seen.jsonl"
TOUCH = call("terminal", command="touch made", summary="Make it")


def hooks(machine: Machine, *, project: bool = False, **events: str | dict[str, Any]) -> None:
    """Write hooks, as lines of the shell or with more fields, for the person or the project."""
    file = machine.project / ".openhands/hooks.json" if project else machine.root / "home/hooks.json"
    file.parent.mkdir(exist_ok=True)
    entries = {name: {"command": hook} if isinstance(hook, str) else hook for name, hook in events.items()}
    written = {name: [{"hooks": [{"type": "command", **hook}]}] for name, hook in entries.items()}
    file.write_text(json.dumps({"hooks": written}))


def says(**fields: Any) -> str:
    return f"echo '{json.dumps(fields)}'"


def seen(machine: Machine) -> list[dict[str, Any]]:
    file = machine.project / "seen.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def said(it: Window) -> list[str]:
    """What the person read, a message each."""
    texts: dict[str, str] = {}
    for update in it.editor.updates():
        if update["sessionUpdate"] == "agent_message_chunk":
            texts[update["messageId"]] = texts.get(update["messageId"], "") + update["content"]["text"]
    return [text.strip().replace(str(it.machine.root), "ROOT") for text in texts.values()]


def told(it: Window, request: int = -1) -> list[str]:
    """What the model read of the person and of its calls."""
    texts: list[str] = []
    for message in it.model.requests[request]:
        if isinstance(message, UserMessage):
            texts += [part.text for part in message.parts if isinstance(part, Text)]
        elif isinstance(message, ToolMessage):
            texts.append(message.text)
    return texts


def asked(it: Window) -> list[str]:
    log = [message for way, message in it.editor.log if way == "out"]
    return [m["params"]["toolCall"]["title"] for m in log if m.get("method") == "session/request_permission"]


async def done(machine: Machine, *answers: Any, prompts: tuple[str, ...] = ("go",)) -> Window:
    async with window(machine, *answers) as it:
        await it.announced(await it.new())
        for prompt in prompts:
            assert (await it.prompt(prompt))["result"]["stopReason"] == "end_turn"
        return it


async def begun(machine: Machine) -> None:
    with anyio.fail_after(PATIENCE):
        await until(lambda: runs(machine.project / "pid"))


def runs(pid_file: Path) -> bool:
    """Tell whether the program that wrote its number there is alive."""
    try:
        stat = Path(f"/proc/{pid_file.read_text().strip()}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"

"""A session that lives through everything that a conversation can hold, for what must be true of any of them."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import anyio

from openhands_acp.engine.events import Entry
from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.ports import Finish
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.reasoning import CLAUDE, owner_of, sealed
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import allowed, rejected
from tests.harness.mcp_servers import plain
from tests.harness.model import Answer, ScriptedModel, Wait, call, say, think
from tests.harness.waiting import PATIENCE, until
from tests.tools.test_images import png

LARGE = b64encode(png(110, 110)).decode()
"""A picture that does not stand in its record."""
_SERVER = {"name": "plain", "command": sys.executable, "args": [plain.__file__], "env": []}
_EDIT = call("file_editor", command="str_replace", path="a.txt", old_str="one", new_str="two")
_PLAN = call("task_tracker", 2, command="plan", task_list=[{"title": "t", "status": "done"}])
_LOOK = call("think", thought="What now?")
_DONE = say('{"score": 1, "complete": true, "missing": ""}')


def _claude(number: int) -> Finish:
    """The end of an answer of a model that thinks, and wants its thoughts back as they were."""
    thought = {"type": "thinking", "thinking": f"Thought {number}.", "signature": f"claude{number}"}
    return Finish("stop", blocks=sealed(CLAUDE, [thought, {"type": "redacted_thinking", "data": f"seal{number}"}]))


def _gpt(number: int, *then: JsonValue) -> Finish:
    """The same of a model that is asked over the Responses API; `then` is what came of its thought."""
    nothing: JsonValue = []
    item: JsonValue = {
        "type": "reasoning",
        "id": f"rs_{number}",
        "summary": nothing,
        "encrypted_content": f"gpt{number}",
    }
    owner = owner_of("openai", "gpt-5", api="responses")
    assert owner
    return Finish("stop", blocks=sealed(owner, [item, *then]))


_ANSWERS: list[Answer] = [
    # Several calls at once, and each way in which one can end.
    [think("Thought 1."), say("Two at ", "once."), _EDIT, call("terminal", 1, command="echo hi"), _PLAN, _claude(1)],
    [
        think("Thought 2."),
        call("terminal", command="printf refused"),
        call("terminal", 1, command="printf blocked"),
        call("nothing", 2, a=1),
        _claude(2),
    ],
    [
        call("file_editor", command="view", path="a.png"),
        call("plain__tell", 1, variable="PICTURE"),
        call("terminal", 2, command="seq 30000"),
        _gpt(3, *[{"type": "function_call"}] * 3),
    ],
    [say("Done.\n", "é\ud800")],
    # Sub-agents side by side.
    [call("task", prompt="MEND it", subagent_type="general-purpose"), call("task", 1, prompt="LOOK", resume="task_9")],
    [say("They did.")],
    [think("Half"), say("Half an answer"), _EDIT[:2], Wait()],
    [say("Then "), TurnError("auth", "The key is wrong.")],
    [say("Lost on its w"), _EDIT[:2], TurnError("network", "The connection broke.", can_retry=True)],
    [think("Thought 4."), say("Once more."), call("terminal", command="echo again"), _claude(4)],
    [say("Said.")],
    *([[_LOOK]] * 5),
    [say("I begin anew."), _gpt(5, {"type": "message", "length": 13})],
    [think("Thought 6."), say("The goal."), call("terminal", command="echo goal"), _claude(6)],
    [say("Reached.")],
    [say("Forgotten soon.")],
    [think("Thought 7."), call("finish", message="Bye."), _claude(7)],
]
_SUBAGENT: list[Answer] = [
    [call("file_editor", command="create", path="new.txt", file_text="new\n")],
    [say("Mended.")],
]


def _world(root: Path) -> None:
    (root / "a.txt").write_text("one\n")
    (root / "a.png").write_bytes(png())
    skill, hooks = root / ".openhands/skills/tides.md", root / ".openhands/hooks.json"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: tides\ntriggers: [tides]\n---\nTides come twice a day.\n")
    block = {"type": "command", "command": "grep -q blocked && { echo no >&2; exit 2; } || true"}
    hooks.write_text(json.dumps({"PreToolUse": [{"matcher": "terminal", "hooks": [block]}]}))


def _permission(params: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(params)
    return rejected() if "printf refused" in text or "gets nowhere" in text else allowed("allow_always")


async def _cancelled(running: Running, prompt: str, when: str) -> None:
    request = running.ask_prompt(prompt)
    await running.editor.until(lambda message: when in json.dumps(message))
    running.cancel()
    await running.editor.answer(request)


async def lived_through(root: Path) -> list[Entry]:
    """Live through it in the folder `root`; return all that is kept of it."""
    project = root / "project"
    project.mkdir()
    _world(project)
    backend = TestBackend(
        ScriptedModel(_ANSWERS, sees_images=True),
        home=root / "home",
        checkpoints=root / "checkpoints",
        outputs=root / "outputs",
    )
    backend.by_purpose["subagent"] = ScriptedModel(_SUBAGENT)
    backend.by_purpose["compaction"] = ScriptedModel([[say("They talked about tides.")]])
    backend.by_purpose["goal"] = ScriptedModel([[_DONE]])
    async with agent(project, backend=backend, permission=_permission, mcp_servers=[_SERVER]) as running:
        servers = backend.sessions[running.session_id].servers
        with anyio.fail_after(PATIENCE):
            await until(lambda: [state.status for state in servers.states()] == ["ready"])
        picture = {"type": "image", "mimeType": "image/png", "data": LARGE}
        text = {"type": "text", "text": "go, and mind the tides"}
        await running.editor.request("session/prompt", sessionId=running.session_id, prompt=[text, picture])
        await running.prompt("have it done")
        await _cancelled(running, "tell me half of it", "Half an answer")
        await running.prompt("fail")
        await running.prompt("try twice")
        for command in ("/undo", "/redo", "get lost", "/compact", "what now?", "/goal reach it", "say", "/rewind 3"):
            await running.prompt(command)
        await running.editor.request("session/set_mode", sessionId=running.session_id, modeId="plan")
        # Elsewhere, where it has no servers.
        taken: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(project), "mcpServers": []}
        await running.editor.request("session/close", sessionId=running.session_id)
        await running.editor.request("session/load", **taken)
        await running.prompt("finish")
        assert len(running.model.requests) == len(_ANSWERS)
        return list(running.entries)

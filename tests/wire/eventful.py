"""A long turn with some of everything in it, in a real process that is held at each message of the wire.

What a killed process leaves on the disk is what is there at that moment: so a process that is stopped, copied and
let go on shows at each message what a kill there would have left, for the price of one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.harness import replies
from tests.harness.mcp_servers import plain
from tests.harness.process import SETTINGS, Server, eventually, line_of, prompt, with_provider
from tests.harness.provider import Provider
from tests.wire.lived import MARK, tree

RUN = f"echo ran >> {MARK}"
"""Leaves a mark at every run, so that nothing can be run unseen."""
TASKS = [{"title": "Look", "status": "in_progress"}, {"title": "Change", "status": "todo"}]

DELEGATE: replies.Reply = [replies.Call("task", {"prompt": "Change it.", "subagent_type": "general-purpose"})]
TURN: list[replies.Reply] = [
    [
        replies.Thought("A plan first."),
        replies.Text("I plan "),
        replies.Text("it."),
        replies.Call("task_tracker", {"command": "plan", "task_list": TASKS}),
    ],
    [replies.Text("I write."), replies.Call("file_editor", {"command": "create", "path": "b.py", "file_text": "b\n"})],
    [
        replies.Call("file_editor", {"command": "view", "path": "a.py"}),
        replies.Call("grep", {"pattern": "x"}),
        replies.Call("terminal", {"command": f"{RUN}; echo out; (sleep 100 & echo $! > child); echo more"}),
    ],
    [replies.Call("terminal", {"command": f"{RUN}; sleep 100", "background": True})],
    [replies.Refusal("overloaded", wait=0)],
    [replies.Call("plain__tell", {"variable": "GREETING"})],
    DELEGATE,
    # The sub-agent's.
    [replies.Call("file_editor", {"command": "str_replace", "path": "a.py", "old_str": "x = 1", "new_str": "x = 2"})],
    [replies.Call("terminal", {"command": RUN})],
    [replies.Text("Changed.")],
    [replies.Call("ask_user", {"question": "Which?", "options": ["One", "Two"]})],
    [replies.Text("Done.")],
]
LATER: list[replies.Reply] = [
    [replies.Call("terminal", {"command": f"{RUN}; seq 3000"})],
    [replies.Text("Printed.")],
    # Of all of that, in few words.
    [replies.Wait("summary"), replies.Text("They had a plan.")],
    DELEGATE,
    [replies.Call("terminal", {"command": RUN})],
]


@dataclass(slots=True)
class Held:
    """The server, stopped at each message that passes."""

    server: Server
    folder: Path
    place: Path
    """Where copies go: a folder each, with what the disk had."""
    session_id: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """That came from the server."""
    copies: list[Copy] = field(default_factory=list["Copy"])
    """Those of which the disk had anything new."""
    stops: int = 0

    def hold(self) -> None:
        """Copy what a kill at this moment would leave."""
        pid = self.server.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: _state(pid) == "T")
            self._copy()
        finally:
            os.kill(pid, signal.SIGCONT)
        self.stops += 1

    def _copy(self) -> None:
        kept = self.server.home / ".openhands"
        disk = {**tree(kept / "acp/sessions"), **tree(self.folder)}
        if self.copies and disk == self.copies[-1].disk:
            return
        root = self.place / str(len(self.copies))
        shutil.copytree(kept, root / "home")
        shutil.copytree(self.folder, root / "project")
        self.copies.append(Copy(root, disk, tuple(self.messages)))

    def put(self, method: str, params: dict[str, Any]) -> str:
        request_id = self.server.put(method, params)
        self.hold()
        return request_id

    def until(self, is_last: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Say yes to whatever is asked, up to that message."""
        while True:
            message = self.server.message()
            self.messages.append(message)
            self.hold()
            if is_question(message) and not is_last(message):
                option = message["params"]["options"][0]["optionId"]
                outcome = {"outcome": {"outcome": "selected", "optionId": option}}
                self.server.send(line_of({"jsonrpc": "2.0", "id": message["id"], "result": outcome}))
                self.hold()
            if is_last(message):
                return message

    def until_answered(self, request_id: str) -> dict[str, Any]:
        return self.until(lambda message: message.get("id") == request_id and "method" not in message)

    def prompt(self, text: str) -> str:
        return self.put("session/prompt", prompt(self.session_id, text))

    def say(self, text: str) -> None:
        answer = self.until_answered(self.prompt(text))
        assert answer["result"]["stopReason"] == "end_turn"


@dataclass(frozen=True, slots=True)
class Copy:
    """What a kill would have left, where the client had seen so many messages."""

    root: Path
    disk: Mapping[str, bytes | None]
    messages: tuple[dict[str, Any], ...]


def live_through(root: Path) -> Held:
    """Live through all of it, up to a kill; afterwards the copies are there."""
    home, folder, place = root / "home", root / "project", root / "copies"
    for made in (folder, place, (home / SETTINGS).parent):
        made.mkdir(parents=True)
    (folder / "a.py").write_text("x = 1\n")
    (home / SETTINGS).write_text("titles = true\nlocal_servers = []\n")
    hook = {"type": "command", "command": "echo hooked >> hooks.txt"}
    (home / ".openhands/hooks.json").write_text(json.dumps({"hooks": {"PreToolUse": [{"hooks": [hook]}]}}))
    tools = {"name": "plain", "command": sys.executable, "args": [plain.__file__], "env": []}
    with Provider(script=script()) as provider, Server(home, **with_provider(provider.url)) as server:
        held = Held(server, folder, place)
        server.initialize()
        new = held.put("session/new", {"cwd": str(folder), "mcpServers": [tools]})
        held.session_id = held.until_answered(new)["result"]["sessionId"]
        held.say("change it")
        held.until(lambda message: "A title" in str(message))
        held.say("print much")
        known = len(provider.requests)
        compacting = held.prompt("/compact")
        eventually(lambda: len(provider.requests) > known)
        held.hold()
        provider.release("summary")
        held.until_answered(compacting)
        held.say("/undo")
        held.prompt("once more")
        held.until(lambda message: is_question(message) and "general-purpose" in str(message))
        server.process.kill()
        server.process.wait()
    return held


def script() -> replies.Script:
    said = iter([*TURN, *LATER])

    def reply(body: dict[str, Any]) -> replies.Reply:
        return [replies.Text("A title")] if "Write a title" in str(body["messages"][0]) else next(said)

    return reply


def is_question(message: dict[str, Any]) -> bool:
    return message.get("method") == "session/request_permission"


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

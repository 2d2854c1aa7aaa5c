"""What every real client goes through, whatever it is written in, and what each sees of it.

A driver plays each case in a session of its own and tells what it saw as a `Seen` in JSON.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from tests.harness.mcp_servers import everyday
from tests.harness.replies import Call, Reply, Stall, Text, Thought, Usage

FILE = "greeting.txt"
BEFORE = "hello world\n"
SLEEP = "sleep 299.71"
COMMANDS = [
    *("help", "title", "model", "mode", "confirm", "permissions", "status", "cost"),
    *("context", "mcp", "skills", "agents", "compact", "clear", "rewind", "ask", "goal", "init", "review"),
    *("undo", "redo", "diff", "checkpoints", "restore", "fork", "export", "doctor"),
]


OFFERED = frozenset({"fs/read_text_file", "fs/write_text_file", "elicitation/create", "elicitation/complete"})
"""Methods that every client has."""


class Seen(TypedDict):
    stopReason: str
    text: str
    calls: list[list[str]]
    """Title and last status of each, in the order they were announced."""
    questions: list[list[str]]
    """Title of each, and the kinds of its answers."""
    wrote: list[str]
    """Files that went through the client."""
    available: list[str]
    """Commands that were announced."""
    forms: list[list[Any]]
    """Mode and message of each, and its fields or its address."""
    completed: list[str]
    """Pages whose purpose is fulfilled."""


@dataclass(frozen=True, slots=True)
class Case:
    prompt: str
    replies: tuple[Reply, ...]
    """The provider's, one a step."""
    expected: Seen
    answer: Literal["allow_once", "reject_once"] | None = None
    """To every question."""
    cancel_at: Literal["text", "in_progress"] | None = None
    """Cancel at the first text, or when a call begins to run."""
    has_server: bool = False
    """Have a server of tools, and wait until it is there."""
    forms: tuple[dict[str, Any], ...] = ()
    """What is answered to them, in their order."""
    after: str = BEFORE
    """What the file holds in the end."""

    def to_driver(self, folder: Path) -> dict[str, Any]:
        return {
            "prompt": self.prompt,
            "answer": self.answer,
            "cancelAt": self.cancel_at,
            "mcpServers": self.servers(),
            "forms": self.forms,
            "available": self.expected["available"],
            "cwd": str(folder),
        }

    def servers(self) -> list[dict[str, Any]]:
        """As a client names them."""
        server = {"name": "everyday", "command": sys.executable, "args": [everyday.__file__], "env": []}
        return [server] if self.has_server else []


_ANSWERS = ["allow_once", "allow_always", "reject_once"]
_ASKS = 'everyday: Asks {"question": "Where do you live?"}'
_SENDS = 'everyday: Sends {"url": "https://example.org/in"}'
_OF_SERVER = ["allow_once", "allow_always", "allow_always", "reject_once"]
_EDIT = Call(
    "file_editor",
    {"security_risk": "LOW", "command": "str_replace", "path": FILE, "old_str": "world", "new_str": "editor"},
)
_SLEEP = Call("terminal", {"security_risk": "LOW", "command": SLEEP})

_PLAN = Call(
    "task_tracker",
    {"security_risk": "LOW", "command": "plan", "task_list": [{"title": "Greet", "status": "done"}, {"title": "Part"}]},
)
_FAILS = Call("terminal", {"security_risk": "LOW", "command": "echo out; exit 3"})

CASES = {
    "hello": Case(
        "say hello",
        ((Text("Hello "), Text("from the fake model."), Usage(10, 5)),),
        Seen(
            stopReason="end_turn",
            text="Hello from the fake model.",
            calls=[],
            questions=[],
            wrote=[],
            available=COMMANDS,
            forms=[],
            completed=[],
        ),
    ),
    "an edit that is allowed": Case(
        "edit the file, and I will allow it",
        ((Text("I'll change it."), _EDIT), (Text(" Changed."),)),
        Seen(
            stopReason="end_turn",
            text="I'll change it. Changed.",
            calls=[["Edit greeting.txt", "completed"]],
            questions=[["Edit greeting.txt", *_ANSWERS]],
            wrote=[FILE],
            available=COMMANDS,
            forms=[],
            completed=[],
        ),
        answer="allow_once",
        after="hello editor\n",
    ),
    "some of everything": Case(
        "do some of everything",
        ((Thought("Hm."), Text("I begin."), _PLAN, _EDIT, _FAILS), (Text(" Done."), Usage(20, 5))),
        Seen(
            stopReason="end_turn",
            text="I begin. Done.",
            calls=[["Edit greeting.txt", "completed"], ["echo out; exit 3", "failed"]],
            questions=[["Edit greeting.txt", *_ANSWERS], ["echo out; exit 3", *_ANSWERS]],
            wrote=[FILE],
            available=COMMANDS,
            forms=[],
            completed=[],
        ),
        answer="allow_once",
        after="hello editor\n",
    ),
    "an edit that is rejected": Case(
        "edit the file, and I will refuse",
        ((_EDIT,), (Text("Then not."),)),
        Seen(
            stopReason="end_turn",
            text="Then not.",
            calls=[["Edit greeting.txt", "failed"]],
            questions=[["Edit greeting.txt", *_ANSWERS]],
            wrote=[],
            available=COMMANDS,
            forms=[],
            completed=[],
        ),
        answer="reject_once",
    ),
    "a cancel during a stream": Case(
        "tell a long story",
        ((Text("Once upon a time"), Stall()),),
        Seen(
            stopReason="cancelled",
            text="Once upon a time",
            calls=[],
            questions=[],
            wrote=[],
            available=COMMANDS,
            forms=[],
            completed=[],
        ),
        cancel_at="text",
    ),
    "a cancel during a command": Case(
        "sleep for a while",
        ((_SLEEP,),),
        Seen(
            stopReason="cancelled",
            text="",
            calls=[[SLEEP, "failed"]],
            questions=[[SLEEP, *_ANSWERS]],
            wrote=[],
            available=COMMANDS,
            forms=[],
            completed=[],
        ),
        answer="allow_once",
        cancel_at="in_progress",
    ),
    "a server and the agent ask": Case(
        "find out where I live",
        (
            (Call("everyday__asks", {"security_risk": "LOW", "question": "Where do you live?"}),),
            (Call("everyday__sends", {"security_risk": "LOW", "url": "https://example.org/in"}),),
            (Call("ask_user", {"questions": [{"question": "Which colour?", "options": ["Red", "Green"]}]}),),
            (Text("Now I know."),),
        ),
        Seen(
            stopReason="end_turn",
            text="Now I know.",
            calls=[
                [_ASKS, "completed"],
                [_SENDS, "completed"],
                ["Which colour?", "completed"],
            ],
            questions=[[_ASKS, *_OF_SERVER], [_SENDS, *_OF_SERVER]],
            wrote=[],
            available=[*COMMANDS, "everyday:greet"],
            forms=[
                ["form", "everyday asks: Where do you live?", ["home city", "2nd"]],
                ["url", "everyday asks: log in there", "https://example.org/in"],
                ["form", "Which colour?", ["answer1", "more"]],
            ],
            completed=["everyday:page-1"],
        ),
        answer="allow_once",
        has_server=True,
        forms=(
            {"action": "accept", "content": {"home city": "Bonn", "2nd": True}},
            {"action": "accept"},
            {"action": "accept", "content": {"answer1": "Green"}},
        ),
    ),
}
ASKS = "a server and the agent ask"
LEARNT = ["accept: {'home city': 'Bonn', '2nd': True}", "accept", "Which colour?\nAnswer: Green"]
"""What the model reads of the answers in that case."""

TAKEN_UP = "some of everything"
"""The case whose session is closed, loaded, set to another mode, resumed, gone on with, listed and so on."""
MODE = "accept-edits"
"""The other mode."""
GOES_ON = "hello"
RETOLD = Seen({**CASES[TAKEN_UP].expected, "stopReason": "", "questions": [], "wrote": []})
"""What a load tells of that case: all but what was asked of the client then."""

UNENDED = replace(CASES["a cancel during a stream"], cancel_at=None)
"""Streams on; for a client that leaves."""


def provider_script(body: dict[str, Any]) -> Reply:
    """Reply to the case whose prompt was sent last."""
    messages: list[dict[str, Any]] = body["messages"]
    # What is said of servers follows a prompt, in the same role.
    said = [(at, str(message["content"])) for at, message in enumerate(messages) if message["role"] == "user"]
    asked_at, case = max(
        ((at, case) for at, text in said for case in CASES.values() if case.prompt in text), key=lambda each: each[0]
    )
    step = sum(message["role"] == "assistant" for message in messages[asked_at:])
    return case.replies[step]


def learnt(body: dict[str, Any]) -> list[str]:
    """Return what a model reads of the calls in a request."""
    return [str(message["content"]) for message in body["messages"] if message["role"] == "tool"]


def folder_for(case: str, home: Path) -> Path:
    """Make the folder that a case works in."""
    folder = home / case.replace(" ", "-")
    folder.mkdir(parents=True)
    (folder / FILE).write_text(BEFORE)
    return folder

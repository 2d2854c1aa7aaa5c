from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from openhands_acp.engine.cards import Card, KeptOutput
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Exit, Job, Patience, Running
from openhands_acp.engine.tool import Tool, ToolError
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.tools.terminal import PATIENCE, terminal
from tests.harness.hands import PlainHands, called
from tests.harness.ran import Ran

pytestmark = pytest.mark.anyio

TOOL: Tool = terminal()
OK = Exit(0, None, timed_out=False, seconds=0.1234)


call = partial(called, TOOL)


JOBS = (Job("1", "npm run dev", 41), Job("2", "make", 600, is_running=False), Job("3", "python", 5))


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({}, ("3", "", PATIENCE)),
        ({"command": "  "}, ("3", "", PATIENCE)),
        ({"job": "1", "timeout": 5}, ("1", "", Patience(5, 5))),
        ({"job": 1}, ("1", "", PATIENCE)),
        ({"command": "y", "is_input": True}, ("3", "y\r", PATIENCE)),
        ({"command": "", "is_input": True}, ("3", "\r", PATIENCE)),
        ({"command": "C-c", "is_input": True, "job": "1"}, ("1", "\x03", PATIENCE)),
        ({"command": "print(1)\nprint(2)\n", "is_input": True}, ("3", "print(1)\rprint(2)\r", PATIENCE)),
        ({"command": "UP", "is_input": True}, ("3", "\x1b[A", PATIENCE)),
        ({"reset": True}, ("end", None)),
        ({"reset": True, "job": "2"}, ("end", "2")),
    ],
)
async def test_what_runs_is_looked_at_typed_into_and_ended(
    root: AbsPath, arguments: dict[str, Any], asked: object
) -> None:
    terminals = Ran(ended=OK, jobs=JOBS)
    await call(PlainHands(root, terminals=terminals), **arguments)
    assert terminals.asked == [asked]


@pytest.mark.parametrize(
    ("arguments", "jobs", "reason"),
    [
        ({}, (), "nothing is running; write the command line to run"),
        ({"command": "y", "is_input": True}, (), "nothing is running; write the command line to run"),
        (
            {"job": "7"},
            JOBS[:2],
            "there is no job '7': job 1 `npm run dev` runs for 41 s; "
            'job 2 `make` has ended; see how with command="" and job=2',
        ),
        ({"reset": True, "job": "7"}, (), "there is no job '7': nothing is running"),
        (
            {"command": "y", "is_input": True, "job": "2"},
            JOBS,
            'nobody reads what is typed: job 2 `make` has ended; see how with command="" and job=2',
        ),
        (
            {"command": "y", "is_input": True, "reset": True},
            JOBS,
            "`reset` ends what `is_input` would type into; use one of them",
        ),
        (
            {"background": True},
            JOBS,
            "`background` starts a command line, and there is none; leave it out to look or to type",
        ),
        (
            {"command": "ls", "job": "1"},
            JOBS,
            "`job` goes with an empty command (look), with is_input=true (type) or with reset=true (end it); "
            "leave it out to run a new command line",
        ),
    ],
)
async def test_what_cannot_be_done_says_what_to_do_instead(
    root: AbsPath, arguments: dict[str, Any], jobs: tuple[Job, ...], reason: str
) -> None:
    with pytest.raises(ToolError) as error:
        await call(PlainHands(root, terminals=Ran(ended=OK, jobs=jobs)), **arguments)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("came_to", "arguments", "said"),
    [
        (
            Running("1", 30.2, wants_input=False),
            {"command": "npm run dev"},
            '[job 1 still runs after 30 s: look with command="", type with is_input, end it with C-c or reset and '
            "job=1, or go on beside it]\n"
            "[job 3 `python` runs for 5 s]",
        ),
        (
            Running("3", 2, wants_input=True),
            {},
            "[job 3 still runs after 2 s and waits for input]\n[job 1 `npm run dev` runs for 41 s]",
        ),
        (
            Exit(0, None, False, 61),
            {"command": "x"},
            "[exit code 0 after 1 min 1 s]\n[job 1 `npm run dev` runs for 41 s]",
        ),
        (
            Exit(None, None, False, 0),
            {"command": "x"},
            "[ended; nobody knows how]\n[job 1 `npm run dev` runs for 41 s]",
        ),
        (
            Exit(0, None, False, 0, log=KeptOutput(AbsPath("/nowhere/out.txt"))),
            {"command": "x"},
            "[exit code 0]\n[the whole output is in /nowhere/out.txt: search it with grep, or view parts of it]\n"
            "[job 1 `npm run dev` runs for 41 s]",
        ),
    ],
)
async def test_a_result_says_how_it_stands_and_what_else_runs(
    root: AbsPath, came_to: Exit | Running, arguments: dict[str, Any], said: str
) -> None:
    jobs = (JOBS[0], JOBS[2]) if isinstance(came_to, Running) else JOBS[:1]
    result = await call(PlainHands(root, terminals=Ran("hi\n", ended=came_to, jobs=jobs)), **arguments)
    assert result.text == f"hi\n{said}"


async def test_a_reset_tells_what_it_ended(root: AbsPath) -> None:
    hands = PlainHands(root, terminals=Ran(ended=OK, jobs=(JOBS[0], JOBS[2])))
    one = await call(hands, reset=True, job="1")
    rest = await call(hands, reset=True)
    none = await call(hands, reset=True)
    assert [one.text, rest.text, none.text] == [
        "[ended: job 1 `npm run dev` runs for 41 s]\n[job 3 `python` runs for 5 s]",
        "[a fresh shell]\n[ended: job 3 `python` runs for 5 s]",
        "[a fresh shell]\n[nothing was running]",
    ]
    again = await call(hands, reset=True, command="ls")
    assert again.text == "[no output]\n[exit code 0]"


async def test_a_server_is_started_looked_at_used_and_ended(root: AbsPath, terminals: LocalTerminals) -> None:
    hands = PlainHands(root, terminals=terminals)
    server = "mkfifo in; exec 3<>in; echo ready; while read line <&3; do echo got $line; done"
    started = await call(hands, command=server, background=True)
    assert started.text.startswith("ready\n[job 1 still runs after 1")
    used = await call(hands, command="echo 42 > in; cd /")
    assert used.text == f"[no output]\n[exit code 0]\n{used.text.splitlines()[2]}"
    assert used.text.splitlines()[2].startswith("[job 1 `mkfifo in; exec 3<>in; echo ready; ")
    looked = await call(hands, timeout=0.5)
    assert looked.text.startswith("got 42\n[job 1 still runs after")
    assert (await call(hands, command="pwd")).text.startswith("/\n")
    await call(hands, reset=True, job="1")
    assert (await call(hands, command="pwd")).text == "/\n[exit code 0]"
    await call(hands, reset=True)
    assert (await call(hands, command="pwd -P")).text == f"{root}\n[exit code 0]"


async def test_a_question_is_answered(root: AbsPath, terminals: LocalTerminals) -> None:
    hands = PlainHands(root, terminals=terminals)
    asked = await call(hands, command="read -p 'Proceed? ' x; echo you said $x")
    assert asked.text.startswith("Proceed? \n[job 1 still runs after ")
    assert asked.text.splitlines()[1].partition(" and ")[2].startswith("waits for input: look with")
    answered = await call(hands, command="y", is_input=True)
    assert answered.text.startswith("y\nyou said y\n[exit code 0")


@pytest.mark.parametrize(
    ("arguments", "before", "after"),
    [
        ({"command": ""}, "Look at the running command", "Look at `npm init`"),
        ({"command": "", "job": "4"}, "Look at job 4", "Look at job 4"),
        ({"command": "", "job": "1"}, "Look at job 1", "Look at `npm init`"),
        ({"command": "y", "is_input": True}, "Type y into the running command", "Type y into `npm init`"),
        ({"command": "a\nb", "is_input": True}, "Type a⏎b into the running command", "Type a⏎b into `npm init`"),
        ({"command": "", "is_input": True}, "Press ENTER in the running command", "Press ENTER in `npm init`"),
        ({"command": "C-c", "is_input": True, "job": "1"}, "Press C-c in job 1", "Press C-c in `npm init`"),
        ({"reset": True}, "Start a fresh shell", "Start a fresh shell"),
        ({"reset": True, "job": "1"}, "End job 1", "End `npm init`"),
    ],
)
async def test_a_title_names_the_program_and_what_is_typed(
    root: AbsPath, arguments: dict[str, Any], before: str, after: str
) -> None:
    tool = terminal()
    assert tool.card(tool.parse(arguments), root) == Card(before, "execute")
    hands = PlainHands(root, terminals=Ran(ended=Running("1", 2, wants_input=True)))
    await tool.run(tool.parse({"command": "npm init"}), hands)
    assert tool.card(tool.parse(arguments), root) == Card(after, "execute")

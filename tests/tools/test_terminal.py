from __future__ import annotations

import json
import math
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.cards import Card, ShownCommand
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Exit, Patience
from openhands_acp.engine.tool import Rejected, Tool, ToolError, ToolResult
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.tools.terminal import LIMIT, PACE, PATIENCE, START, terminal
from openhands_acp.tools.terminal_words import TITLE, spell_seconds, title
from tests.harness.hands import PlainHands, called
from tests.harness.ran import Ran
from tests.harness.waiting import until

pytestmark = pytest.mark.anyio

TOOL: Tool = terminal()


OK = Exit(0, None, timed_out=False, seconds=0.1234)


call = partial(called, TOOL)


async def test_a_command_is_run_in_the_sessions_directory_and_reported(
    root: AbsPath, terminals: LocalTerminals
) -> None:
    hands = PlainHands(root, terminals=terminals)
    result = await call(hands, command="pwd -P; echo oops >&2; exit 3")
    output = f"{root}\noops\n"
    assert result.raw_output is not None
    seconds = result.raw_output["seconds"]
    assert isinstance(seconds, float)
    assert result == ToolResult(
        text=f"{output}[exit code 3]",
        shown=(ShownCommand("pwd -P; echo oops >&2; exit 3", f"{output}[exit code 3]"),),
        raw_output={"exit_code": 3, "signal": None, "timed_out": False, "seconds": seconds, "output": output},
        is_error=True,
    )
    assert hands.shown[-1] == (ShownCommand("pwd -P; echo oops >&2; exit 3", output),)


@pytest.mark.parametrize(
    ("said", "ended", "expected"),
    [
        ("hi\n", OK, ("hi\n[exit code 0]", "hi\n", False)),
        ("no line end", OK, ("no line end\n[exit code 0]", "no line end", False)),
        ("", OK, ("[no output]\n[exit code 0]", "", False)),
        ("\x1b[32mgreen\x1b[0m 1%\r", OK, ("green 1%\n[exit code 0]", "green 1%", False)),
        (
            "",
            Exit(None, "SIGKILL", timed_out=False, seconds=1),
            ("[no output]\n[ended by signal SIGKILL after 1 s]", "[ended by signal SIGKILL after 1 s]", True),
        ),
        (
            "a",
            Exit(None, None, timed_out=True, seconds=3600),
            (
                "a\n[timed out after 3600 s; the process and its children were ended]",
                "a\n[timed out after 3600 s; the process and its children were ended]",
                True,
            ),
        ),
        (
            "up\n",
            Exit(0, None, timed_out=False, seconds=1, left_running=(41, 42)),
            (
                "up\n[exit code 0 after 1 s]\n[still running in the background: pid 41, 42]",
                "up\n[still running in the background: pid 41, 42]",
                False,
            ),
        ),
    ],
)
async def test_how_it_ended_is_said_in_words(
    root: AbsPath, said: str, ended: Exit, expected: tuple[str, str, bool]
) -> None:
    result = await call(PlainHands(root, terminals=Ran(said, ended=ended)), command="x")
    text, shown, is_error = expected
    assert (result.text, result.shown, result.is_error) == (text, (ShownCommand("x", shown),), is_error)


@pytest.mark.parametrize(
    ("arguments", "limit", "patience"),
    [
        ({}, LIMIT, PATIENCE),
        ({"timeout": 5}, 5, Patience(5, math.inf)),
        ({"timeout": 0.5}, 0.5, Patience(0.5, math.inf)),
        ({"timeout": 99_999}, LIMIT, Patience(LIMIT, math.inf)),
        ({"background": True}, math.inf, START),
        ({"background": True, "timeout": 600}, 600, START),
    ],
)
async def test_how_long_is_waited_and_when_it_is_ended(
    root: AbsPath, arguments: dict[str, Any], limit: float, patience: Patience
) -> None:
    terminals = Ran(ended=OK)
    await call(PlainHands(root, terminals=terminals), command="x", security_risk="LOW", **arguments)
    assert terminals.asked == [("x", root, limit, patience)]


@pytest.mark.parametrize(
    "line",
    [
        "seq 200000",
        "head -c 1048576 /dev/zero | tr '\\0' x",
        "head -c 200000 /dev/urandom",
        "head -c 1048576 /dev/zero",
        "for i in $(seq 3000); do printf '\\r%s%%' $i; done",
        "yes $'\\e[1A\\e[2Kprogress' | head -5000",
    ],
)
async def test_no_output_stalls_or_swells(root: AbsPath, terminals: LocalTerminals, line: str) -> None:
    hands = PlainHands(root, terminals=terminals)
    hands.drawn = Nowhere()
    tracemalloc.start()
    try:
        result = await call(hands, command=line)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "[exit code 0" in result.text
    assert len(result.text) <= 20_400
    assert peak < 3_000_000


class Nowhere(list[str]):
    def append(self, _text: str) -> None:
        return


async def test_a_long_output_is_in_a_file_that_the_model_is_told_of(root: AbsPath, terminals: LocalTerminals) -> None:
    result = await call(PlainHands(root, terminals=terminals), command="seq 100000")
    assert result.raw_output is not None
    log = result.raw_output["log"]
    assert isinstance(log, str)
    note = f"[the whole output is in {log}: search it with grep, or view parts of it]"
    assert result.text.endswith(f"99999\n100000\n[exit code 0]\n{note}")
    assert Path(log).read_text() == "".join(f"{i}\n" for i in range(1, 100_001))


async def test_the_model_gets_head_and_tail_of_a_long_output_and_the_card_less(
    root: AbsPath, terminals: LocalTerminals
) -> None:
    hands = PlainHands(root, terminals=terminals)
    result = await call(hands, command="seq 100000")
    assert result.text.startswith("1\n2\n3\n")
    assert "99999\n100000\n[exit code 0]\n[the whole output" in result.text
    assert " lines (" in result.text
    assert len(result.text) <= 20_400
    (shown,) = result.shown
    assert isinstance(shown, ShownCommand)
    assert shown.output is not None
    assert shown.output.endswith("99999\n100000\n")
    assert (
        max(len(each.output or "") for update in hands.shown for each in update if isinstance(each, ShownCommand))
        <= 8_192
    )
    assert len(shown.output) <= 8_192


async def one_then(hands: PlainHands, gate: Path, rest: str) -> None:
    """Run what prints a line, and goes on once that has been shown."""
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: call(hands, command=f"mkfifo gate; echo 1; read line < gate; {rest}"))
            await until(
                lambda: any(
                    (each.output or "") == "1\n"
                    for update in hands.shown
                    for each in update
                    if isinstance(each, ShownCommand)
                )
            )
            gate.write_text("go\n", encoding="utf-8")


async def test_a_running_command_is_shown_no_more_often_than_a_person_can_read(
    root: AbsPath, terminals: LocalTerminals
) -> None:
    hands = PlainHands(root, terminals=terminals)
    started = time.monotonic()
    await one_then(hands, Path(root) / "gate", "for i in 2 3 4 5 6 7 8; do echo $i; sleep 0.04; done")
    assert len(hands.shown) <= (time.monotonic() - started) / PACE + 2
    outputs = [each.output for update in hands.shown for each in update if isinstance(each, ShownCommand)]
    assert len(outputs[0] or "") < len(outputs[-1] or "")
    assert outputs[-1] == "1\n2\n3\n4\n5\n6\n7\n8\n"


async def test_what_was_printed_before_a_pause_is_shown_during_it(root: AbsPath, terminals: LocalTerminals) -> None:
    hands = PlainHands(root, terminals=terminals)
    # Ends only once the second line has been shown: the first is shown at once, the second is held back.
    gate = Path(root) / "gate"
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: call(hands, command="mkfifo gate; echo 1; sleep 0.02; echo 2; read line < gate"))
            shown = (ShownCommand("mkfifo gate; echo 1; sleep 0.02; echo 2; read line < gate", "1\n2\n"),)
            await until(lambda: shown in hands.shown)
            gate.write_text("go\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"command": 5}, "`command` must be a string, got 5"),
        ({"command": "x", "is_input": "perhaps"}, "`is_input` must be true or false, got 'perhaps'"),
        ({"command": "x", "job": [1]}, "`job` must be a string, got [1]"),
        ({"command": "a\0b"}, "`command` contains a NUL character; no command can"),
        ({"command": "echo \ud83d"}, "`command` has half a character in it: 'echo \\ud83d'; write it anew"),
        ({"command": "x", "timeout": 0}, "`timeout` should be greater than 0, got 0"),
        ({"command": "x", "timeout": "soon"}, "`timeout` must be a number, got 'soon'"),
    ],
)
async def test_bad_arguments_are_named(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolError) as error:
        TOOL.parse(arguments)
    assert str(error.value) == reason


async def test_a_command_that_cannot_start_tells_the_model_what_to_do(root: AbsPath, terminals: LocalTerminals) -> None:
    missing = AbsPath(f"{root}/missing")
    with pytest.raises(ToolError, match="missing' is gone; nothing can run"):
        await call(PlainHands(missing, terminals=terminals), command="ls")
    with pytest.raises(ToolError, match="write it to a script"):
        await call(PlainHands(root, terminals=terminals), command=f"echo {'x' * 200_000}")
    with pytest.raises(ToolError, match="could not be started"):
        await call(PlainHands(root, terminals=Ran(ended=PermissionError(13, "Permission denied"))), command="ls")


async def test_a_refusal_passes_through(root: AbsPath) -> None:
    with pytest.raises(Rejected):
        await call(PlainHands(root, terminals=Ran(ended=Rejected("not now"))), command="ls")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("ls -la", "ls -la"),
        ("  make test \n", "make test"),
        ("cat <<END\ntext\nEND", "cat <<END …"),
        ("# first say why\n\nrm -rf build\n", "rm -rf build …"),
        ("# nothing else", "# nothing else"),
        ("a\tb", "a b"),
        ("echo \x1b[2K\u202egnp", "echo �[2K�gnp"),
        ("x" * TITLE, "x" * TITLE),
        ("a" * 150 + "b" * 150, "a" * 133 + " … " + "b" * 64),
    ],
)
def test_a_title_identifies_the_command(command: str, shown: str) -> None:
    assert title(command) == shown
    assert len(shown) <= TITLE


def test_the_card_holds_the_whole_command(root: AbsPath) -> None:
    command = "# why\n" + "make test && " * 50 + "true\n"
    card = TOOL.card(TOOL.parse({"command": command}), root)
    assert card == Card(title=title(command), kind="execute", shown=(ShownCommand(command),))


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_a_command_that_is_still_being_written_is_shown_as_far_as_it_goes(root: AbsPath, cut: int) -> None:
    prefix = json.dumps({"command": "make test\ntrue"})[:cut]
    card = TOOL.sketch(prefix, root)
    written = (
        prefix[len('{"command": "') :].replace("\\n", "\n").removesuffix('"}').removesuffix('"').removesuffix("\\")
    )
    expected = Card(title=title(written), kind="execute", shown=(ShownCommand(written),)) if written else None
    assert card == expected


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0 s"), (2, "2 s"), (2.34, "2.3 s"), (41.4, "41 s"), (60, "1 min 0 s"), (3725, "1 h 2 min")],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert spell_seconds(seconds) == words


def test_the_model_is_told_all_in_few_words() -> None:
    assert len(TOOL.spec.description.encode()) <= 2_300
    assert "required" not in TOOL.spec.parameters
    properties = TOOL.spec.parameters["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["security_risk", "command", "is_input", "timeout", "reset", "background", "job"]

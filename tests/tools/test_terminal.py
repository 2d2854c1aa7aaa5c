from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.engine.events import Card, ShownCommand
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, Exit, Sink
from openhands_acp.engine.tool import Rejected, Tool, ToolError, ToolResult
from openhands_acp.local.terminals import LocalTerminals
from openhands_acp.tools.terminal import PACE, TITLE, terminal, title
from tests.harness.hands import PlainHands

pytestmark = pytest.mark.anyio

TOOL: Tool = terminal()


class Ran:
    """Terminals that say this and end so, and remember what they were asked to run."""

    def __init__(self, *said: str, ended: Exit | Exception) -> None:
        self.said = said
        self.ended = ended
        self.commands: list[Command] = []

    async def run(self, command: Command, sink: Sink) -> Exit:
        self.commands.append(command)
        for text in self.said:
            await sink(text)
        if isinstance(self.ended, Exit):
            return self.ended
        raise self.ended

    async def close(self) -> None:
        return


OK = Exit(0, None, timed_out=False, seconds=0.1234)


async def call(hands: PlainHands, **arguments: Any) -> ToolResult:
    with anyio.fail_after(10):
        return await TOOL.run(TOOL.parse(arguments), hands)


@pytest.fixture
def root(tmp_path: Path) -> AbsPath:
    return AbsPath(str(tmp_path.resolve()))


async def test_a_command_is_run_in_the_sessions_directory_and_reported(root: AbsPath) -> None:
    hands = PlainHands(root, terminals=LocalTerminals())
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
            ("[no output]\n[ended by signal SIGKILL]", "[ended by signal SIGKILL]", True),
        ),
        (
            "a",
            Exit(None, None, timed_out=True, seconds=120),
            (
                "a\n[timed out after 120 s; the process and its children were ended]",
                "a\n[timed out after 120 s; the process and its children were ended]",
                True,
            ),
        ),
        (
            "up\n",
            Exit(0, None, timed_out=False, seconds=1, left_running=(41, 42)),
            (
                "up\n[exit code 0]\n[still running in the background: pid 41, 42]",
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


@pytest.mark.parametrize(("given", "seconds"), [(None, 120), (5, 5), (0.5, 0.5), (99_999, 3600)])
async def test_the_time_limit_has_a_default_and_an_end(root: AbsPath, given: float | None, seconds: float) -> None:
    terminals = Ran(ended=OK)
    await call(PlainHands(root, terminals=terminals), command="x", timeout=given, security_risk="LOW")
    assert terminals.commands == [Command("x", root, seconds)]


async def test_the_model_gets_head_and_tail_of_a_long_output_and_the_card_less(root: AbsPath) -> None:
    hands = PlainHands(root, terminals=LocalTerminals())
    result = await call(hands, command="seq 100000")
    assert result.text.startswith("1\n2\n3\n")
    assert result.text.endswith("99999\n100000\n[exit code 0]")
    assert " lines (" in result.text
    assert len(result.text) <= 30_000
    (shown,) = result.shown
    assert isinstance(shown, ShownCommand)
    assert shown.output is not None
    assert shown.output.endswith("99999\n100000\n")
    assert (
        max(len(each.output or "") for update in hands.shown for each in update if isinstance(each, ShownCommand))
        <= 8_192
    )
    assert len(shown.output) <= 8_192


async def test_a_running_command_is_shown_no_more_often_than_a_person_can_read(root: AbsPath) -> None:
    hands = PlainHands(root, terminals=LocalTerminals())
    started = time.monotonic()
    await call(hands, command="for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.04; done")
    assert 2 <= len(hands.shown) <= (time.monotonic() - started) / PACE + 2
    outputs = [each.output for update in hands.shown for each in update if isinstance(each, ShownCommand)]
    assert outputs[0] == "1\n"
    assert outputs[-1] == "1\n2\n3\n4\n5\n6\n7\n8\n"


async def test_what_was_printed_before_a_pause_is_shown_during_it(root: AbsPath) -> None:
    hands = PlainHands(root, terminals=LocalTerminals())
    # Ends only once the second line has been shown: the first is shown at once, the second is held back.
    gate = Path(root) / "gate"
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: call(hands, command="mkfifo gate; echo 1; sleep 0.02; echo 2; read line < gate"))
            while (
                ShownCommand("mkfifo gate; echo 1; sleep 0.02; echo 2; read line < gate", "1\n2\n"),
            ) not in hands.shown:
                await anyio.lowlevel.checkpoint()
            gate.write_text("go\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "`command` is missing"),
        ({"command": " \n"}, "`command` is empty; write the command line to run"),
        ({"command": "a\0b"}, "`command` contains a NUL character; no command can"),
        ({"command": "x", "timeout": 0}, "`timeout` should be greater than 0, got 0"),
        ({"command": "x", "timeout": "soon"}, "`timeout` must be a number, got 'soon'"),
    ],
)
async def test_bad_arguments_are_named(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolError) as error:
        TOOL.parse(arguments)
    assert str(error.value) == reason


async def test_a_command_that_cannot_start_tells_the_model_what_to_do(root: AbsPath) -> None:
    missing = AbsPath(f"{root}/missing")
    with pytest.raises(ToolError, match="missing' is gone; nothing can run"):
        await call(PlainHands(missing, terminals=LocalTerminals()), command="ls")
    with pytest.raises(ToolError, match="write it to a script"):
        await call(PlainHands(root, terminals=LocalTerminals()), command=f"echo {'x' * 200_000}")
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


def test_the_model_is_told_the_limits_in_few_words() -> None:
    assert len(TOOL.spec.description) <= 1_200
    assert TOOL.spec.parameters["required"] == ["command"]
    properties = TOOL.spec.parameters["properties"]
    assert isinstance(properties, dict)
    assert list(properties) == ["security_risk", "command", "timeout"]

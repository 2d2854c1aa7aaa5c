"""Own commands and plugins as they are written: in every layout, with every mistake told and the rest read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.guidance.inventory import OwnCommand
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.commands import commands_in
from openhands_acp.extensions.plugins import Plugin, plugins_in
from openhands_acp.extensions.shelf import Shelf


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def problems(shelf: Shelf, folder: Path) -> list[str]:
    return [problem.replace(f"{folder}/", "") for problem in shelf.problems]


def test_a_command_is_called_as_its_file_and_folders_are(tmp_path: Path) -> None:
    text = (
        '---\ndescription: Ships  it\nargument-hint: "[where]"\nallowed-tools: Bash(git add:*), Read\n---\n\nShip $1.\n'
    )
    written(tmp_path, **{"ship.md": text, "db/dump.md": "Dump.", "README.md": "About.", "notes.txt": "Not one."})
    shelf = Shelf()
    assert commands_in(tmp_path, "user", shelf) == [
        OwnCommand(
            "ship", "Ships it", "Ship $1.", AbsPath(f"{tmp_path}/ship.md"), "[where]", ("Bash(git add:*)", "Read")
        ),
        OwnCommand("db:dump", "", "Dump.", AbsPath(f"{tmp_path}/db/dump.md")),
    ]
    assert commands_in(tmp_path / "db/dump.md", "plugin", shelf, "p:")[0].name == "p:dump"
    assert shelf.problems == ()


def test_what_is_wrong_with_a_command_is_told_and_the_rest_counts(tmp_path: Path) -> None:
    written(
        tmp_path,
        **{
            "help.md": "Mine.",
            "two words.md": "Text.",
            "empty.md": "---\ndescription: x\n---\n",
            "broken.md": "---\ndescription: [\n---\nText.",
            "list.md": "---\ndescription: [a]\n---\nText.",
            "huge.md": "x" * 300_000,
            "long.md": "x" * 30_000,
            "fine.md": "Fine.",
        },
    )
    shelf = Shelf()
    found = commands_in(tmp_path, "user", shelf)
    assert [own.name for own in found] == ["fine", "list", "long"]
    assert len(found[-1].text) < 21_000
    assert problems(shelf, tmp_path) == snapshot(
        [
            "broken.md:3: expected the node content, but found '<stream end>'",
            "empty.md: has no text",
            "help.md: `/help` is always there, and cannot be replaced",
            "huge.md: has 0.3 MB, which is too much: at most 256 KB",
            "list.md:2: `description` must be a text",
            "two words.md: 'two words' cannot be typed as a command: letters, digits, dots and hyphens can",
        ]
    )


@pytest.mark.parametrize("manifest", [".claude-plugin/plugin.json", ".plugin/plugin.json", "plugin.json"])
def test_a_plugin_is_read_in_each_layout(tmp_path: Path, manifest: str) -> None:
    folder = tmp_path / "some-folder"
    files = ("skills/style/SKILL.md", "commands/fast.md", "agents/spy.md", "extra/more.md", "agents2/a.md", ".mcp.json")
    written(folder, **dict.fromkeys(files, "{}"))
    fields = {
        "name": "re view",
        "commands": ["./extra"],
        "agents": "./agents2/a.md",
        "skills": "skills",
        "mcpServers": {"x": {"command": "y"}},
    }
    written(folder, **{manifest: json.dumps(fields)})
    shelf = Shelf()
    assert plugins_in(tmp_path, shelf) == [
        Plugin(
            "re-view",
            folder,
            skills=(folder / "skills",),
            commands=(folder / "commands", folder / "extra"),
            agents=(folder / "agents", folder / "agents2"),
            server_files=(folder / ".mcp.json", folder / manifest),
        )
    ]
    assert shelf.problems == ()


def test_a_plugin_needs_no_manifest_and_a_folder_with_nothing_of_it_is_none(tmp_path: Path) -> None:
    written(tmp_path, **{"plain/commands/a.md": "A.", "other/readme.txt": "x"})
    assert [plugin.name for plugin in plugins_in(tmp_path, Shelf())] == ["plain"]


def test_what_is_wrong_with_a_plugin_is_told_and_the_rest_counts(tmp_path: Path) -> None:
    written(
        tmp_path,
        **{
            "outside/plugin.json": '{"commands": "../fine/commands", "skills": 3, "agents": "./nowhere"}',
            "broken/plugin.json": '{\n"name": \n}',
            "hooked/hooks/hooks.json": '{"hooks": {\n"PreCompact": []}}',
            "hooked/plugin.json": '{"name": 3}',
            "fine/commands/a.md": "A.",
        },
    )
    shelf = Shelf()
    assert [(plugin.name, plugin.commands) for plugin in plugins_in(tmp_path, shelf)] == [
        ("broken", ()),
        ("fine", (tmp_path / "fine/commands",)),
        ("hooked", ()),
        ("outside", ()),
    ]
    assert problems(shelf, tmp_path) == snapshot(
        [
            "broken/plugin.json:3: is not JSON: Expecting value",
            "hooked/plugin.json: `name` must be a text",
            "hooked/hooks/hooks.json:2: there is no event 'PreCompact' here; there are: PreToolUse, PostToolUse, UserPromptSubmit, SessionStart, Stop, SessionEnd",
            "outside/plugin.json: `skills` must be a path inside of the plugin",
            "outside/plugin.json: `commands` must be a path inside of the plugin",
            "outside/plugin.json: `agents` names './nowhere', which is not there",
        ]
    )


def test_what_openhands_switched_off_stays_off(tmp_path: Path) -> None:
    note = {"plugins": {"a": {"enabled": False}, "b": {"enabled": True}, "c": "?"}}
    written(tmp_path, **{".installed.json": json.dumps(note)}, **{f"{name}/plugin.json": "{}" for name in "abc"})
    assert [plugin.name for plugin in plugins_in(tmp_path, Shelf())] == ["b", "c"]


@pytest.mark.parametrize("change", ["a file", "another file", "a link", "a deep file"])
def test_any_change_of_a_plugin_makes_another_of_it(tmp_path: Path, change: str) -> None:
    written(tmp_path, **{"p/commands/a.md": "A.", "p/bin/run": "1", "p/x/y/z": "1"})
    before = plugins_in(tmp_path, Shelf())[0].withheld(AbsPath(str(tmp_path)))
    assert plugins_in(tmp_path, Shelf())[0].withheld(AbsPath(str(tmp_path))) == before
    match change:
        case "a file":
            (tmp_path / "p/bin/run").write_text("2")
        case "another file":
            (tmp_path / "p/bin/more").write_text("")
        case "a link":
            (tmp_path / "p/bin/link").symlink_to("/bin/sh")
        case _:
            (tmp_path / "p/x/y/z").write_text("11")
    assert plugins_in(tmp_path, Shelf())[0].withheld(AbsPath(str(tmp_path))).digest != before.digest


def test_what_a_plugins_sub_agents_run_is_asked_about_with_it(tmp_path: Path) -> None:
    own = "hooks: {Stop: [{hooks: [{command: ./stop.sh}]}]}\nmcp_servers: {notes: {command: python, args: [notes.py]}}"
    written(tmp_path / "p", **{"agents/spy.md": f"---\nname: spy\ndescription: d\n{own}\n---\n"})
    assert plugins_in(tmp_path, Shelf())[0].withheld(AbsPath(str(tmp_path))).what == snapshot(
        "the plugin `p` (`p`), which has sub-agents: `spy`; the sub-agent `spy`: its hooks run `./stop.sh`; its MCP server `notes` runs `python notes.py`"
    )

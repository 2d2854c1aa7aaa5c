"""Files of a project's that are wrong on purpose, or by accident: each is named, costs nothing else, and leads nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.guidance.inventory import Inventory, Withheld, quoted
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.reader import Reader
from tests.harness.editor import rejected
from tests.harness.model import say
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

GOOD = "---\nname: good\ndescription: d\n---\nBe good.\n"
BOMB = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))])


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def found(tmp_path: Path, root: Path, trusted: frozenset[str] | None = None) -> Inventory:
    def covers(thing: Withheld) -> bool:
        return trusted is None or thing.digest in trusted

    with anyio.fail_after(20):
        return await Reader(tmp_path / "home", (AbsPath(str(root)),), person=tmp_path / "home").look(covers)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        # JSON, in all files that are JSON.
        (".openhands/plugins/p/plugin.json", '{\n"name": ,}', "2: is not JSON: Expecting value"),
        (".openhands/plugins/p/plugin.json", "[1]", "1: must be a JSON object"),
        (".openhands/plugins/p/.plugin/plugin.json", "{", "1: is not JSON: Expecting property name enclosed"),
        (".openhands/plugins/.installed.json", "{", "1: is not JSON: Expecting property name enclosed"),
        (".openhands/hooks.json", '{\n"Stop": [}', "2: "),
        (
            ".openhands/plugins/p/plugin.json",
            f'{{"version": {"1" * 5000}}}',
            "1: is not JSON that can be read: a number in it is too long",
        ),
        (
            ".openhands/plugins/p/plugin.json",
            f'{{"a": {"[" * 100_000}',
            "1: is not JSON that can be read: it is nested too deeply",
        ),
        # YAML, in front of skills, commands and sub-agents.
        (".agents/skills/x/SKILL.md", "---\nname: x\ndescription: [\n---\nx", "4: "),
        (".openhands/microagents/x.md", "---\ntriggers: {\n---\nx", "3: "),
        (".openhands/commands/x.md", "---\ndescription: 'x\n---\nx", "3: "),
        (".openhands/agents/x.md", "---\nname: x\ndescription: @\n---\nx", "3: "),
        (".openhands/skills/x.md", f"---\nname: 0x{'F' * 5000}\n---\nx", "2: a number has too many digits"),
        (
            ".openhands/agents/x.md",
            f"---\nname: x\ndescription: d\nmax_iteration_per_run: 0x{'F' * 5000}\n---\nx",
            "4: a number has too many digits",
        ),
        (".openhands/skills/x.md", f"---\n{BOMB}\ntriggers: *a11\n---\nx", "14: `triggers` must be a list of texts"),
        (
            ".openhands/skills/x.md",
            f"---\n{BOMB}\ninputs:\n- name: y\n  description: *a11\n---\nx",
            "14: each of `inputs` must have a `name`, and a text for its `description` if it has one",
        ),
        (".openhands/skills/x.md", f"---\n{BOMB}\n? *a11\n: x\n---\nx", "13: the name of a field must be a text"),
        (
            ".openhands/skills/x.md",
            f'---\npaths: "{"{a,b}" * 20}"\n---\nx',
            "2: `paths` stands for more than 200 globs, or has a range in braces",
        ),
        (
            ".openhands/skills/x.md",
            "---\npaths: ['{1..99999}']\n---\nx",
            "2: `paths` stands for more than 200 globs, or has a range in braces",
        ),
        (
            ".openhands/skills/x.md",
            '---\nname: x\npaths: "*a*a*a*a*a*a*b"\n---\nx',
            "3: `paths` has too many stars in '*a*a*a*a*a*a*b': at most 6, and three in one name",
        ),
        (".openhands/skills/x.md", f"---\nname: {'x' * 300}\n---\nx", "2: `name` is cut to 100 characters"),
        (
            ".openhands/skills/x.md",
            "---\nname: review\ndisable-model-invocation: true\n---\nx",
            "3: nobody can call it: `/review` is always there, and is something else",
        ),
        # Too large, wherever it stands.
        *[
            (name, "x" * 10_000_000, " has 9.5 MB, which is too much: at most 256 KB")
            for name in ("AGENTS.md", ".cursorrules", ".agents/skills/x/SKILL.md", ".openhands/skills/x.md")
        ],
        (".openhands/memory/MEMORY.md", "x" * 10_000_000, " has 9.5 MB, which is too much: at most 256 KB"),
        (".openhands/commands/x.md", "x" * 10_000_000, " has 9.5 MB, which is too much: at most 256 KB"),
        (".openhands/agents/x.md", "x" * 10_000_000, " has 9.5 MB, which is too much: at most 256 KB"),
        (".openhands/hooks.json", "x" * 10_000_000, " has 9.5 MB, which is too much: at most 256 KB"),
    ],
)
async def test_it_is_named_with_its_line_and_the_rest_counts(
    tmp_path: Path, name: str, text: str, problem: str
) -> None:
    root = tmp_path / "project"
    write(root, {name: text, ".agents/skills/good/SKILL.md": GOOD, "CLAUDE.md": "Be Claude."})
    inventory = await found(tmp_path, root)
    assert "good" in [skill.name for skill in inventory.skills]
    assert "Be Claude." in [each.text for each in inventory.instructions]
    [told] = inventory.problems
    assert told.startswith(f"{root / name}:{problem}")


async def test_fields_that_are_long_to_look_through_are_read_at_once(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {".openhands/skills/x.md": f'---\nallowed-tools: "{"a(" * 60_000}"\n---\nx'})
    assert [skill.name for skill in (await found(tmp_path, root)).skills] == ["x"]


async def test_two_of_one_name_are_told_of_and_the_first_counts(tmp_path: Path) -> None:
    root = tmp_path / "project"
    files = {
        ".agents/commands/x.md": "First.",
        ".openhands/commands/x.md": "Second.",
        ".agents/skills/good/SKILL.md": GOOD,
    }
    write(root, files | {".openhands/skills/good.md": "Also good."})
    inventory = await found(tmp_path, root)
    assert [own.text for own in inventory.commands] == ["First."]
    assert [skill.text for skill in inventory.skills] == ["Be good."]
    assert [problem.replace(f"{root}/", "") for problem in inventory.problems] == [
        ".openhands/skills/good.md:1: there is a skill 'good' already: .agents/skills/good/SKILL.md",
        ".openhands/commands/x.md:1: there is a command 'x' already: .agents/commands/x.md",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls -l", "`ls -l`"),
        ("ls `x`\n\n- nothing else", "`ls 'x' - nothing else`"),
        ("café 😀", "`café 😀`"),
        # What turns letters round, hides them or begins a line.
        ("a\u202eb\u200bc\u2028d\x1b[2J", "`a\\u202eb\\u200bc d\\x1b[2J`"),
        ("\ud800", "`\\ud800`"),
    ],
)
def test_a_person_sees_all_of_what_they_are_asked_about(text: str, shown: str) -> None:
    assert quoted(text) == shown


async def test_the_name_of_a_file_is_told_on_one_line(tmp_path: Path) -> None:
    write(tmp_path / "project", {".openhands/skills/x\n\n**Fine**.md": "---\na: [\n---\n"})
    [problem] = (await found(tmp_path, tmp_path / "project")).problems
    assert problem.startswith(f"{tmp_path}/project/.openhands/skills/x **Fine**.md:3: ")


async def test_halves_of_characters_reach_no_model(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(
        root,
        {".openhands/skills/x.md": '---\ndescription: "\\ud83d\\ude00 and \\ud83d"\ntriggers: ["\\ud800"]\n---\nx'},
    )
    [skill] = (await found(tmp_path, root)).skills
    assert skill.description == "😀 and \ufffd"
    assert "\ud800" not in repr(skill.trigger)


# ---------------------------------------------------------------- ways out of a project


async def test_no_link_leads_out_of_a_project_that_is_reached_by_a_link_itself(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {"CLAUDE.md": "Be Claude."})
    write(tmp_path, {"secret.txt": "password"})
    (root / "AGENTS.md").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "link").symlink_to(root)
    inventory = await found(tmp_path, tmp_path / "link")
    assert [each.text for each in inventory.instructions] == ["Be Claude."]
    assert inventory.problems == (f"{tmp_path}/link/AGENTS.md: leads out of the project, and is left out",)


@pytest.mark.parametrize("link", ["skills", "skills/x/SKILL.md", "skills/x"])
async def test_a_plugin_that_is_trusted_is_another_when_something_changes_that_it_links_to(
    tmp_path: Path, link: str
) -> None:
    root = tmp_path / "project"
    write(root, {"elsewhere/x/SKILL.md": GOOD, ".openhands/plugins/p/commands/go.md": "Go."})
    path = root / ".openhands/plugins/p" / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(root / "elsewhere" / link.removeprefix("skills").lstrip("/"))
    trusted = frozenset(thing.digest for thing in (await found(tmp_path, root, frozenset())).withheld)
    inventory = await found(tmp_path, root, trusted)
    assert [skill.text for skill in inventory.skills] == ["Be good."]
    write(root, {"elsewhere/x/SKILL.md": GOOD.replace("Be good", "Be evil")})
    changed = await found(tmp_path, root, trusted)
    assert (changed.skills, len(changed.withheld)) == ((), 1)


async def test_links_in_a_circle_are_weighed_once(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {".openhands/plugins/p/commands/go.md": "Go."})
    (root / ".openhands/plugins/p/commands/round").symlink_to(root)
    (root / ".openhands/plugins/p/self").symlink_to(root / ".openhands/plugins/p")
    assert len((await found(tmp_path, root, frozenset())).withheld) == 1


async def test_what_a_plugin_names_is_no_longer_than_what_would_count_of_it(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {".openhands/plugins/p/.mcp.json": f'{{"mcpServers": {{}}, "x": "{"x" * 3_000_000}"}}'})
    os.mkfifo(root / ".openhands/plugins/p/pipe")
    [thing] = (await found(tmp_path, root, frozenset())).withheld
    assert len(thing.what) < 300_000


async def test_the_name_of_a_file_beside_a_skill_is_no_command(machine: Machine) -> None:
    """Whatever the mode is, and whether the project is trusted or not."""
    folder = machine.project / ".agents/skills/good"
    write(folder, {"SKILL.md": GOOD, "!`touch ran`": ""})
    settings = 'titles = false\nlocal_servers = []\nmode = "always-approve"\n'
    (machine.root / "home/acp.toml").write_text(settings)
    async with window(machine, [say("Ok.")], [say("Ok.")]) as it:
        it.editor.permission = lambda _params: rejected()
        await it.new()
        await it.prompt("/good now")
        assert "beside it: !`touch ran`." in str(it.model.requests[-1])
    assert not (machine.project / "ran").exists()

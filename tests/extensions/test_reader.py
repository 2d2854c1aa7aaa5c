"""What is found on the disk, what comes first, and what is said of files that are wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio
import pytest

from openhands_acp.engine.guidance.inventory import Instruction, Inventory, Keywords, Paths, Skill, Task, Withheld
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.reader import Reader, Wishes

pytestmark = pytest.mark.anyio

SKILL = "---\nname: {0}\ndescription: What {0} is for\n---\nDo {0}.\n"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def reader(tmp_path: Path, *disabled: str) -> Reader:
    (tmp_path / "project").mkdir(exist_ok=True)
    return Reader(
        tmp_path / "home/.openhands",
        (AbsPath(str(tmp_path / "project")),),
        Wishes(disabled),
        person=tmp_path / "home",
    )


async def found(
    tmp_path: Path, files: Mapping[str, str], covers: Callable[[Withheld], bool] | None = None
) -> Inventory:
    write(tmp_path, files)
    return await reader(tmp_path).look(covers or (lambda _thing: True))


def told(inventory: Inventory, tmp_path: Path) -> list[str]:
    return [problem.removeprefix(f"{tmp_path}/") for problem in inventory.problems]


def where(inventory: Inventory, tmp_path: Path) -> dict[str, str]:
    return {skill.name: skill.path.removeprefix(f"{tmp_path}/") for skill in inventory.skills}


async def test_a_folder_with_a_skill(tmp_path: Path) -> None:
    inventory = await found(
        tmp_path,
        {
            "project/.agents/skills/pdf/SKILL.md": "---\nname: pdf\ndescription: For PDF files\n"
            "allowed-tools: Bash(pdftk:*) Read\nuser-invocable: false\n---\n\nUse pdftk.\n",
            "project/.agents/skills/pdf/scripts/a.py": "",
            "project/.agents/skills/pdf/.hidden": "",
        },
    )
    assert inventory.skills == (
        Skill(
            "pdf",
            "For PDF files",
            "Use pdftk.",
            AbsPath(f"{tmp_path}/project/.agents/skills/pdf/SKILL.md"),
            is_folder=True,
            resources=("scripts/a.py",),
            allowed_tools=("Bash(pdftk:*)", "Read"),
            for_person=False,
        ),
    )
    assert inventory.problems == ()


@pytest.mark.parametrize(
    ("front", "trigger", "for_model"),
    [
        ("name: x", None, True),
        ("triggers: [docker, container]", Keywords(("docker", "container")), True),
        ("triggers: docker, container", Keywords(("docker", "container")), True),
        ("inputs:\n- name: FILE\n  description: which", Task(("/x",), (("FILE", "which"),)), True),
        ("inputs: []\ntriggers: [/x, /y]", Task(("/x", "/y"), ()), True),
        ("disable-model-invocation: true", None, False),
    ],
)
async def test_a_single_file(tmp_path: Path, front: str, trigger: object, for_model: bool) -> None:
    inventory = await found(tmp_path, {"project/.openhands/microagents/x.md": f"---\n{front}\n---\nText.\n"})
    (skill,) = inventory.skills
    assert (skill.name, skill.text, skill.trigger, skill.for_model) == ("x", "Text.", trigger, for_model)
    assert inventory.problems == ()


async def test_paths_are_for_files_and_not_for_the_model_to_ask_for(tmp_path: Path) -> None:
    inventory = await found(tmp_path, {"project/.openhands/skills/x.md": "---\npaths: 'a/**, *.py'\n---\nText.\n"})
    (skill,) = inventory.skills
    assert isinstance(skill.trigger, Paths)
    assert (skill.trigger.globs, len(skill.trigger.patterns), skill.for_model) == (("a/**", "*.py"), 2, False)


async def test_the_projects_come_before_the_persons_and_installed_ones_last(tmp_path: Path) -> None:
    places = [
        "project/.agents/skills/{}/SKILL.md",
        "project/.openhands/skills/{}/SKILL.md",
        "home/.agents/skills/{}/SKILL.md",
        "home/.openhands/skills/{}/SKILL.md",
        "home/.openhands/skills/installed/{}/SKILL.md",
    ]
    files = {place.format(name): SKILL.format(name) for at, place in enumerate(places) for name in "abcde"[: at + 1]}
    inventory = await found(tmp_path, files)
    assert where(inventory, tmp_path) == {
        "a": "project/.agents/skills/a/SKILL.md",
        "b": "project/.openhands/skills/b/SKILL.md",
        "c": "home/.agents/skills/c/SKILL.md",
        "d": "home/.openhands/skills/d/SKILL.md",
        "e": "home/.openhands/skills/installed/e/SKILL.md",
    }
    assert told(inventory, tmp_path) == [
        f"project/.openhands/skills/a/SKILL.md:2: there is a skill 'a' already: {tmp_path}/project/.agents/skills/a/SKILL.md",
        *(
            f"home/.openhands/skills/{name}/SKILL.md:2: there is a skill '{name}' already: "
            f"{tmp_path}/home/.agents/skills/{name}/SKILL.md"
            for name in "abc"
        ),
    ]


async def test_a_repository_round_the_project_counts_too(tmp_path: Path) -> None:
    write(
        tmp_path / "repository",
        {
            ".git/HEAD": "",
            "AGENTS.md": "Of all.",
            "part/AGENTS.md": "Of the part.",
            ".agents/skills/pdf/SKILL.md": SKILL.format("pdf"),
        },
    )
    root = AbsPath(str(tmp_path / "repository/part"))
    inventory = await Reader(tmp_path / "h", (root,), person=tmp_path).look(lambda _thing: True)
    assert [each.text for each in inventory.instructions] == ["Of all.", "Of the part."]
    assert [skill.name for skill in inventory.skills] == ["pdf"]


async def test_rules_under_their_several_names(tmp_path: Path) -> None:
    files = {"agents.md": "A", "AGENT.md": "ignored", "CLAUDE.md": "C", "GEMINI.md": "A", ".cursorrules": "Cursor"}
    inventory = await found(tmp_path, {f"project/{name}": text for name, text in files.items()})
    root = AbsPath(f"{tmp_path}/project")
    assert inventory.instructions == (
        Instruction(AbsPath(f"{root}/agents.md"), root, "A"),
        Instruction(AbsPath(f"{root}/CLAUDE.md"), root, "C", "claude"),
        Instruction(AbsPath(f"{root}/.cursorrules"), root, "Cursor"),
    )


async def test_rules_of_a_folder_are_found_from_the_outermost_on_and_read_again_when_they_change(
    tmp_path: Path,
) -> None:
    write(tmp_path / "project", {"AGENTS.md": "root", "a/AGENTS.md": "a", "a/b/AGENTS.md": "b", "c/AGENTS.md": "c"})
    reading = reader(tmp_path)
    file = AbsPath(f"{tmp_path}/project/a/b/x.py")
    assert [each.text for each in await reading.near((file,))] == ["a", "b"]
    (tmp_path / "project/a/AGENTS.md").write_text("another")
    assert [each.text for each in await reading.near((file,))] == ["another", "b"]
    assert await reading.near((AbsPath("/elsewhere/x.py"),)) == ()


async def test_memory_is_bounded_and_loses_its_oldest_lines(tmp_path: Path) -> None:
    long = "\n".join(f"line {number}" for number in range(2_000))
    inventory = await found(
        tmp_path,
        {
            "home/.openhands/memory/MEMORY.md": "Likes tea.",
            "project/.openhands/memory/MEMORY.md": long,
            "home/.openhands/SOUL.md": "You are Ada.",
        },
    )
    assert inventory.memory.startswith(f"{tmp_path}/home/.openhands/memory/MEMORY.md:\nLikes tea.\n\n")
    assert inventory.memory.endswith("line 1999")
    assert "older lines are cut" in inventory.memory
    assert len(inventory.memory) < 6_000 + 2 * len(str(tmp_path)) + 100
    assert inventory.identity == "You are Ada."


async def test_what_is_wrong_is_told_with_file_and_line_and_the_rest_counts(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "project/.agents/skills/good/SKILL.md": SKILL.format("good"),
            "project/.agents/skills/huge/SKILL.md": "x" * 10_000_000,
            "project/.agents/skills/yaml/SKILL.md": "---\nname: [\n---\nx",
            "project/.agents/skills/other/SKILL.md": "---\nname: Another\ndescription: d\n---\nx",
            "project/.agents/skills/silent/SKILL.md": "---\nname: silent\n---\nx",
            "project/.agents/skills/flag/SKILL.md": "---\nname: flag\ndescription: d\nuser-invocable: maybe\n---\nx",
            "project/.agents/skills/empty/SKILL.md": "---\nname: empty\ndescription: d\n---\n",
            "secret.txt": "password",
        },
    )
    skills = tmp_path / "project/.agents/skills"
    (skills / "bytes").mkdir()
    (skills / "bytes/SKILL.md").write_bytes(b"fine\n\xff\xfe\n")
    (skills / "out").mkdir()
    (skills / "out/SKILL.md").symlink_to(tmp_path / "secret.txt")
    (skills / "loop").symlink_to(skills)
    inventory = await reader(tmp_path).look(lambda _thing: True)
    assert [skill.name for skill in inventory.skills] == ["flag", "good", "other", "silent"]
    front = "project/.agents/skills/"
    assert sorted(problem.removeprefix(front) for problem in told(inventory, tmp_path)) == [
        "bytes/SKILL.md:2: is not UTF-8",
        "empty/SKILL.md: has no text",
        "flag/SKILL.md:4: `user-invocable` must be true or false",
        "huge/SKILL.md: has 9.5 MB, which is too much: at most 256 KB",
        "other/SKILL.md:2: the skill is called 'Another', its folder 'other'; it goes by its folder's name",
        "out/SKILL.md: leads out of the project, and is left out",
        "silent/SKILL.md: has no `description`, so that no model knows when to use it",
        "yaml/SKILL.md:3: expected the node content, but found '<stream end>'",
    ]


async def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    os.mkfifo(tmp_path / "project/AGENTS.md")
    inventory = await reader(tmp_path).look(lambda _thing: True)
    assert told(inventory, tmp_path) == ["project/AGENTS.md: is not a file"]


async def test_a_long_text_is_cut_and_says_where_the_rest_is(tmp_path: Path) -> None:
    inventory = await found(
        tmp_path, {"project/AGENTS.md": "x" * 9_000, "project/.openhands/skills/x.md": "y" * 30_000}
    )
    (rules,), (skill,) = inventory.instructions, inventory.skills
    assert rules.text == f"{'x' * 8_000}\n[… cut: {rules.path} has 9,000 characters; view it for the rest]"
    assert skill.text == f"{'y' * 20_000}\n[… cut: {skill.path} has 30,000 characters; view it for the rest]"


async def test_what_changed_is_read_again_and_what_was_wrong_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "home/.openhands/skills/x.md"
    write(tmp_path, {"home/.openhands/skills/x.md": "---\nname: [\n---\nx"})
    reading = reader(tmp_path)
    assert len((await reading.look(lambda _thing: True)).problems) == 1
    path.write_text("Better now.")
    inventory = await reading.look(lambda _thing: True)
    assert (inventory.problems, [skill.text for skill in inventory.skills]) == ((), ["Better now."])
    path.unlink()
    assert (await reading.look(lambda _thing: True)).skills == ()


async def test_skills_can_be_switched_off(tmp_path: Path) -> None:
    write(tmp_path, {f"home/.openhands/skills/{name}/SKILL.md": SKILL.format(name) for name in "ab"})
    inventory = await reader(tmp_path, "b").look(lambda _thing: True)
    assert ([skill.name for skill in inventory.skills], inventory.switched_off) == (["a"], ("b",))


HOSTILE = {
    "project/.agents/skills/run/SKILL.md": "---\nname: run\ndescription: d\n---\nNow: !`touch /tmp/x`\n",
    "project/.agents/skills/run/.mcp.json": '{"mcpServers": {"evil": {"command": "evil"}}}',
    "project/.openhands/commands/go.md": "Go.",
    "project/.openhands/agents/helper.md": "---\nname: helper\ndescription: d\n---\nHelp.\n",
    "home/.agents/skills/mine/SKILL.md": "---\nname: mine\ndescription: d\n---\nNow: !`date`\n",
    "home/.openhands/commands/mine.md": "Mine.",
}


async def test_what_a_project_runs_is_withheld_until_it_is_trusted(tmp_path: Path) -> None:
    inventory = await found(tmp_path, HOSTILE, lambda _thing: False)
    assert {skill.name: skill.may_run for skill in inventory.skills} == {"run": False, "mine": True}
    assert [own.name for own in inventory.commands] == ["mine"]
    assert (inventory.agents, inventory.server_files) == ((), ())
    assert [thing.what.replace(f"{tmp_path}/project/", "") for thing in inventory.withheld] == [
        "the skill `run` (`.agents/skills/run/SKILL.md`) runs `touch /tmp/x`",
        "the command `/go` (`.openhands/commands/go.md`)",
        "the sub-agent `helper` (`.openhands/agents/helper.md`), which is told how to work and may use all tools",
        "the skill `run` has the servers that `.agents/skills/run/.mcp.json` names: "
        '`{"mcpServers": {"evil": {"command": "evil"}}}`',
    ]


async def test_what_is_trusted_counts_until_it_changes(tmp_path: Path) -> None:
    trusted = {thing.digest for thing in (await found(tmp_path, HOSTILE, lambda _thing: False)).withheld}
    reading = reader(tmp_path)
    inventory = await reading.look(lambda thing: thing.digest in trusted)
    assert {skill.name: skill.may_run for skill in inventory.skills} == {"run": True, "mine": True}
    assert [own.name for own in inventory.commands] == ["go", "mine"]
    assert ([agent.name for agent in inventory.agents], inventory.withheld) == (["helper"], ())
    write(tmp_path, {"project/.agents/skills/run/SKILL.md": "---\nname: run\ndescription: d\n---\nNow: !`rm -r /`\n"})
    changed = await reading.look(lambda thing: thing.digest in trusted)
    assert [thing.what.partition(") ")[2] for thing in changed.withheld] == ["runs `rm -r /`"]


async def test_rules_of_a_folder_that_are_wrong_are_told_with_the_next_look(tmp_path: Path) -> None:
    (tmp_path / "project/a").mkdir(parents=True)
    (tmp_path / "project/a/AGENTS.md").write_bytes(b"\xff")
    reading = reader(tmp_path)
    assert await reading.near((AbsPath(f"{tmp_path}/project/a/x.py"),)) == ()
    assert told(await reading.look(lambda _thing: True), tmp_path) == ["project/a/AGENTS.md:1: is not UTF-8"]


async def test_several_looks_at_once_come_to_the_same(tmp_path: Path) -> None:
    write(tmp_path, {f"home/.openhands/skills/{number}.md": "---\nname: [\n---\nx" for number in range(20)})
    reading = reader(tmp_path)
    inventories: list[Inventory] = []

    async def look() -> None:
        inventories.append(await reading.look(lambda _thing: True))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(look)
    assert inventories == [await reading.look(lambda _thing: True)] * 4
    assert len(inventories[0].problems) == 20

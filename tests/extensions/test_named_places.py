"""Skills and plugins from where the person, or OpenHands for them, put them: what counts, and how little it is trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from openhands_acp.engine.guidance.inventory import Inventory
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.reader import Reader, Wishes
from tests.harness.model import say
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

SKILL = "---\nname: {0}\ndescription: What {0} is for\n---\nDo {0} as {1}.\n"
CACHES = ("cache/skills/public-skills", "cache/skills/OpenHands-extensions", "skills-cache/OpenHands-extensions")


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def public(*names: str, listed: Sequence[str] | None = None, by: str = "public") -> dict[str, str]:
    """A copy of the repository of skills."""
    files = {f"skills/{name}/SKILL.md": SKILL.format(name, by) for name in names}
    plugins = [{"name": name, "source": f"./{name}"} for name in listed or ()]
    return files | ({"marketplaces/default.json": json.dumps({"plugins": plugins})} if listed is not None else {})


async def found(tmp_path: Path, wishes: Wishes | None = None) -> Inventory:
    (tmp_path / "project").mkdir(exist_ok=True)
    roots = (AbsPath(str(tmp_path / "project")),)
    return await Reader(tmp_path / "home/.openhands", roots, wishes or Wishes(), person=tmp_path / "home").look(
        lambda _thing: False
    )


def skills(inventory: Inventory) -> dict[str, str]:
    return {skill.name: f"{skill.origin}: {skill.text}" for skill in inventory.skills}


# ---------------------------------------------------------------- public skills


@pytest.mark.parametrize("cache", CACHES)
async def test_public_skills_count_where_they_are_and_come_last(tmp_path: Path, cache: str) -> None:
    write(tmp_path / "home/.openhands" / cache, public("docker", "github", "kube"))
    write(tmp_path, {"home/.openhands/skills/github/SKILL.md": SKILL.format("github", "mine")})
    write(tmp_path, {"project/.agents/skills/kube/SKILL.md": SKILL.format("kube", "ours")})
    inventory = await found(tmp_path)
    assert skills(inventory) == {
        "docker": "public: Do docker as public.",
        "github": "user: Do github as mine.",
        "kube": "project: Do kube as ours.",
    }
    assert inventory.problems == ()


async def test_of_public_skills_those_count_that_their_list_names(tmp_path: Path) -> None:
    copy = tmp_path / "home/.openhands/cache/skills/public-skills"
    write(copy, public("docker", "draft", listed=["docker", "old", "not-there"]))
    write(copy, {"skills/old.md": "---\nname: Old one\ntriggers: [old]\n---\nOld."})
    assert list(skills(await found(tmp_path))) == ["Old one", "docker"]


@pytest.mark.parametrize("text", ["{", "[]", '{"plugins": {}}', '{"plugins": ["docker", 1, {"nom": 2}]}'])
async def test_a_list_that_makes_no_sense_offers_no_less_than_none_or_all(tmp_path: Path, text: str) -> None:
    write(tmp_path / "home/.openhands/cache/skills/public-skills", public("docker"))
    write(tmp_path / "home/.openhands/cache/skills/public-skills", {"marketplaces/default.json": text})
    inventory = await found(tmp_path)
    assert list(skills(inventory)) == ([] if "nom" in text else ["docker"])
    assert inventory.problems == ()


async def test_of_two_copies_the_first_counts(tmp_path: Path) -> None:
    for cache in CACHES:
        write(tmp_path / "home/.openhands" / cache, public("docker", by=cache))
    assert skills(await found(tmp_path)) == {"docker": f"public: Do docker as {CACHES[0]}."}


async def test_nobody_is_told_of_what_is_wrong_in_public_skills_and_none_leads_out(tmp_path: Path) -> None:
    copy = tmp_path / "home/.openhands/cache/skills/public-skills"
    write(copy, {"skills/bad/SKILL.md": "---\nname: [\n---\nx", "skills/huge/SKILL.md": "x" * 10_000_000})
    (copy / "skills/out").mkdir()
    write(tmp_path, {"secret.txt": "password"})
    (copy / "skills/out/SKILL.md").symlink_to(tmp_path / "secret.txt")
    inventory = await found(tmp_path)
    assert (inventory.skills, inventory.problems) == ((), ())


@pytest.mark.parametrize(
    ("wishes", "names"),
    [(Wishes(), ["docker", "github"]), (Wishes(["docker"]), ["github"]), (Wishes(public_skills=False), [])],
)
async def test_public_skills_are_switched_off_one_by_one_or_all(
    tmp_path: Path, wishes: Wishes, names: list[str]
) -> None:
    write(tmp_path / "home/.openhands/cache/skills/public-skills", public("docker", "github"))
    assert list(skills(await found(tmp_path, wishes))) == names


@pytest.mark.parametrize(("setting", "is_there"), [("", True), ("load_public_skills = false\n", False)])
async def test_the_setting_counts(machine: Machine, setting: str, is_there: bool) -> None:
    write(machine.root / "home/cache/skills/public-skills", public("docker"))
    (machine.root / "home/acp.toml").write_text(f"titles = false\nlocal_servers = []\n{setting}")
    async with window(machine, [say("Ok.")]) as it:
        await it.new()
        await it.prompt("hello")
        assert ("- docker: What docker is for" in str(it.model.requests[-1][0])) == is_there


# ---------------------------------------------------------------- plugins


def plugin(name: str) -> dict[str, str]:
    return {
        f"{name}/.claude-plugin/plugin.json": json.dumps({"name": name}),
        f"{name}/commands/go.md": f"Go {name}.",
        f"{name}/skills/{name}-skill/SKILL.md": SKILL.format(f"{name}-skill", "said"),
        f"{name}/hooks/hooks.json": '{"hooks": {"Stop": [{"hooks": [{"command": "true"}]}]}}',
    }


async def test_a_plugin_counts_that_the_person_names_as_one_or_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "single", plugin("one"))
    write(tmp_path / "several", plugin("two") | plugin("three"))
    # Nobody is asked: the person wrote the names.
    inventory = await found(tmp_path, Wishes(plugins=[str(tmp_path / "single/one"), str(tmp_path / "several")]))
    assert [own.name for own in inventory.commands] == ["one:go", "three:go", "two:go"]
    assert sorted(skills(inventory)) == ["one-skill", "three-skill", "two-skill"]
    assert len(inventory.hooks) == 3
    assert (inventory.problems, inventory.withheld) == ((), ())


async def test_a_place_without_a_plugin_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"empty/readme.txt": "", "file": ""})
    inventory = await found(tmp_path, Wishes(plugins=[str(tmp_path / name) for name in ("empty", "file", "nowhere")]))
    assert [problem.removeprefix(f"{tmp_path}/") for problem in inventory.problems] == [
        "empty: is no plugin, and has none in it: the setting `plugins` names it",
        "file: is not there, or no folder: the setting `plugins` names it",
        "nowhere: is not there, or no folder: the setting `plugins` names it",
    ]


async def test_what_the_person_names_comes_before_what_is_in_the_usual_places(tmp_path: Path) -> None:
    write(tmp_path / "mine", plugin("same"))
    write(tmp_path / "home/.openhands/plugins", plugin("same") | {"same/commands/go.md": "Go another way."})
    inventory = await found(tmp_path, Wishes(plugins=[str(tmp_path / "mine/same")]))
    assert [own.text for own in inventory.commands] == ["Go same."]


async def test_a_plugin_that_is_named_in_the_settings_is_used_without_a_question(machine: Machine) -> None:
    write(machine.root / "src", plugin("one"))
    settings = (
        f"titles = false\nlocal_servers = []\nplugins = [{json.dumps(str(machine.root / 'src/one'))}, 'relative']\n"
    )
    (machine.root / "home/acp.toml").write_text(settings)
    async with window(machine, [say("Gone.")]) as it:
        await it.announced(await it.new())
        await it.prompt("/one:go")
        assert "Go one." in str(it.model.requests[-1])
        assert [m for way, m in it.editor.log if way == "out" and m.get("method") == "session/request_permission"] == []
        await it.prompt("/doctor")
        assert "acp.toml, plugins: 'relative' is not a whole path, or one that begins with ~/" in str(
            it.editor.updates()
        )

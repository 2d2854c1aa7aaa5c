"""What becomes of what a model was told when files change, come and go in mid-session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import SystemMessage, ToolMessage
from openhands_acp.tools.slim import SLIM
from tests.extensions.test_guidance import backend, dynamic, guidance, home, invoke, project, skill, write
from tests.harness.check import TestBackend, agent, transcript
from tests.harness.editor import rejected
from tests.harness.model import ScriptedModel, call, say
from tests.harness.servers import MemoryServers, tool
from tests.turns.windows import Machine, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]

GONE = "(This no longer holds: it is not there any more. Do not follow what you were told of it.)"


def names(texts: list[str], text: str) -> list[str]:
    """Of what is told under their names, those that are told just this."""
    return [told.split('"')[1] for told in texts if told.splitlines()[1] == text]


@pytest.mark.parametrize("text", [None, "", " \n\n"])
async def test_rules_that_are_deleted_or_emptied_are_withdrawn_once(tmp_path: Path, text: str | None) -> None:
    root = project(tmp_path)
    rules, old = root / "AGENTS.md", root / ".openhands/microagents/repo.md"
    write(rules, "Use tabs.")
    write(old, "Run `make`.")
    async with agent(root, backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        for path in (rules, old):
            path.unlink() if text is None else path.write_text(text)
        for _ in range(2):
            await running.prompt("and now")
            assert names(guidance(running), GONE) == ["AGENTS.md", "repo"]


async def test_withdrawn_rules_on_the_wire_to_the_model(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / "AGENTS.md", "Use tabs.")
    async with agent(root, backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        (root / "AGENTS.md").unlink()
        await running.prompt("and now")
        assert guidance(running) == snapshot(
            [
                """\
<extra_info name="AGENTS.md">
(This no longer holds: it is not there any more. Do not follow what you were told of it.)
</extra_info>\
"""
            ]
        )
        # What was said at the beginning is what a provider's cache has.
        assert "Use tabs." in dynamic(running)
        write(root / "AGENTS.md", "Use tabs.")
        await running.prompt("back again")
        assert [text.splitlines()[-2] for text in guidance(running)] == [GONE, "Use tabs."]


async def test_rules_that_lose_a_part_are_told_anew(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / "AGENTS.md", "Use tabs.\nNever test.")
    async with agent(root, backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        write(root / "AGENTS.md", "Use tabs.")
        await running.prompt("and now")
        assert [text.splitlines()[-2] for text in guidance(running)] == ["Use tabs."]


async def test_a_folders_rules_and_skills_that_are_gone_are_withdrawn_and_others_stay(tmp_path: Path) -> None:
    root = project(tmp_path)
    for folder in ("a", "b"):
        # The same in both: neither stands for the other.
        write(root / folder / "AGENTS.md", "No ORM.")
        write(root / folder / "x.py", "x = 1\n")
    for name in ("pdf", "csv"):
        write(root / f".agents/skills/{name}/SKILL.md", skill(name, f"Use {name} tools."))
    write(home(tmp_path) / "skills/docker.md", "---\ntriggers: [container]\n---\nUse compose.\n")
    views = [call("file_editor", command="view", path=str(root / folder / "x.py")) for folder in "ab"]
    made = backend(tmp_path, [views[0]], [views[1]], [invoke("pdf"), invoke("csv", 1)], [say("Done.")])
    async with agent(root, backend=made) as running:
        await running.prompt("look at the container")
        for gone in ("a/AGENTS.md", ".agents/skills/pdf/SKILL.md"):
            (root / gone).unlink()
        (home(tmp_path) / "skills/docker.md").unlink()
        for _ in range(2):
            await running.prompt("and now")
            assert names(guidance(running), GONE) == ["docker", "a/AGENTS.md", "pdf"]
        await running.prompt("/skills")
        assert "| `csv` | What csv is for | in view; when it fits |" in transcript(running)


async def test_the_list_of_skills_is_withdrawn_with_the_last_of_them(tmp_path: Path) -> None:
    root = project(tmp_path)
    path = root / ".agents/skills/pdf/SKILL.md"
    write(path, skill("pdf", "Use pdftk."))
    async with agent(root, backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        path.unlink()
        await running.prompt("and now")
        assert names(guidance(running), GONE) == ["available skills"]


async def test_what_was_withdrawn_stays_so_when_the_conversation_is_summed_up(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / "AGENTS.md", "Use tabs.")
    made = backend(tmp_path, [say("Hello.")], [say("Yes.")], [say("A summary.")])
    async with agent(root, backend=made) as running:
        await running.prompt("hello " * 4_000)
        (root / "AGENTS.md").unlink()
        await running.prompt("and now")
        await running.prompt("/compact")
        await running.prompt("and then")
        assert names(guidance(running), GONE) == ["AGENTS.md"]


# ---------------------------------------------------------------- skills that come later


@pytest.mark.parametrize("place", ["project/.agents/skills/pdf/SKILL.md", "home/.openhands/skills/pdf.md"])
async def test_a_skill_that_comes_in_mid_session_is_used_as_the_model_is_told(tmp_path: Path, place: str) -> None:
    root = project(tmp_path)
    path = tmp_path / place
    asked: list[dict[str, Any]] = []

    def permission(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        return rejected()

    view = call("file_editor", command="view", path=str(path))
    made = backend(tmp_path, [say("Hello.")], [view], [say("Merged with pdftk.")])
    async with agent(root, backend=made, permission=permission) as running:
        await running.prompt("hello")
        write(path, "---\nname: pdf\ndescription: For PDF\ntriggers: [pdftk]\n---\nUse pdftk.\n")
        await running.prompt("merge them")
        assert [text.replace(str(path), "PATH") for text in guidance(running)] == snapshot(
            [
                """\
<extra_info name="available skills">
(As it is from now on; what you were told of it before no longer holds.)

Each is a guide to one kind of work. When one fits what you are to do, first view its file.
- pdf: For PDF (PATH)
</extra_info>\
"""
            ]
        )
        [read] = [each.text for each in running.model.requests[-1] if isinstance(each, ToolMessage)]
        assert "Use pdftk." in read
        assert asked == []
        # The tools are those that a provider's cache has.
        offered = [[tool.name for tool in tools] for tools in running.model.offered]
        assert offered == [offered[0]] * 3


# ---------------------------------------------------------------- models under other names

PROFILES = """\
titles = false
local_servers = []
[profiles.mine]
model = "anthropic/claude-sonnet-4-5"
api_key = "x"
[profiles.claude]
model = "openai/gpt-5"
api_key = "x"
[profiles.quick]
model = "gemini/gemini-3-flash"
api_key = "x"
"""


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ("profile:mine", ["AGENTS.md", "CLAUDE.md"]),
        ("profile:claude", ["AGENTS.md"]),
        ("profile:quick", ["AGENTS.md", "GEMINI.md"]),
    ],
)
async def test_rules_for_a_family_of_models_go_by_the_model_behind_a_profile(
    machine: Machine, chosen: str, told: list[str]
) -> None:
    (machine.root / "home/acp.toml").write_text(PROFILES)
    for name in ("AGENTS", "CLAUDE", "GEMINI"):
        (machine.project / f"{name}.md").write_text(f"Rules of {name}.")
        (machine.project / "inner").mkdir(exist_ok=True)
        (machine.project / f"inner/{name}.md").write_text(f"Inner rules of {name}.")
    (machine.project / "inner/x.py").write_text("x = 1\n")
    view = call("file_editor", command="view", path=str(machine.project / "inner/x.py"))
    async with window(machine, [view], [say("Ok.")], chosen=chosen) as it:
        await it.new()
        await it.prompt("hello")
        request = str(it.model.requests[-1])
        assert [f"{name}.md" for name in ("AGENTS", "CLAUDE", "GEMINI") if f"Rules of {name}." in request] == told
        inner = [f"{name}.md" for name in ("AGENTS", "CLAUDE", "GEMINI") if f"Inner rules of {name}." in request]
        assert inner == told


async def test_rules_for_a_family_are_withdrawn_with_the_model_and_told_with_it(machine: Machine) -> None:
    (machine.root / "home/acp.toml").write_text(PROFILES)
    (machine.project / "CLAUDE.md").write_text("Be Claude.")
    async with window(machine, *([say("Ok.")] for _ in range(3)), chosen="profile:mine") as it:
        await it.new()
        await it.prompt("hello")
        await it.prompt("/model profile:claude")
        await it.prompt("hello")
        assert GONE in str(it.model.requests[-1])
        await it.prompt("/model profile:mine")
        await it.prompt("hello")
        assert str(it.model.requests[-1]).count("Be Claude.") == 2


# ---------------------------------------------------------------- small models

SMALL = 'titles = false\nlocal_servers = []\nprompt = "slim"\n'


async def test_a_small_model_knows_which_skills_were_chosen_for_it_and_gets_what_is_called(machine: Machine) -> None:
    (machine.root / "home/acp.toml").write_text(SMALL)
    place = machine.project / ".agents/skills/pdf/SKILL.md"
    write(place, skill("pdf", "Use pdftk."))
    write(machine.root / "home/skills/docker.md", "---\ntriggers: [container]\n---\nUse compose.\n")
    write(machine.root / "home/cache/skills/public-skills/skills/kube/SKILL.md", skill("kube", "Use kubectl."))
    async with window(machine, [say("Ok.")], [say("Ok.")], [say("Ok.")]) as it:
        await it.new()
        await it.prompt("hello")
        [system, *_] = it.model.requests[-1]
        assert isinstance(system, SystemMessage)
        told = system.dynamic.partition("\n\n<available_skills>")[2]
        assert told.replace(str(machine.root), "ROOT") == snapshot("""\

Each is a guide to one kind of work. When one fits what you are to do, first view its file.
- docker: about container (ROOT/home/skills/docker.md)
- pdf: What pdf is for (ROOT/project/.agents/skills/pdf/SKILL.md)
</available_skills>\
""")
        assert [tool.name for tool in it.model.offered[-1]] == ["terminal", "file_editor"]
        await it.prompt("/pdf")
        assert "Use pdftk." in str(it.model.requests[-1])
        await it.prompt("a container with kube")
        assert "Use compose." in str(it.model.requests[-1])


async def test_a_small_model_has_the_tools_of_servers(tmp_path: Path) -> None:
    servers = MemoryServers(offered=(tool("docs", "find"),))
    made = TestBackend(ScriptedModel([[say("Ok.")]]), servers=servers, tools=SLIM)
    async with agent(project(tmp_path), backend=made) as running:
        await running.prompt("hello")
        assert [each.name for each in running.model.offered[-1]] == ["terminal", "file_editor", "docs__find"]

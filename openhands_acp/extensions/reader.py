"""Reads all that people wrote down for an agent, for one session: which places there are, and which comes first.

The project's own comes before the person's. Asks nobody: whether something of a project's may run, it is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

import anyio.to_thread

from openhands_acp.engine.guidance.inventory import (
    AgentDefinition,
    Instruction,
    Inventory,
    Origin,
    OwnCommand,
    Skill,
    Withheld,
    digest,
    quoted,
)
from openhands_acp.engine.hooks.definitions import Hook
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions import instructions, memory
from openhands_acp.extensions.agents import agents_in, of_plugin, of_project, withheld_agent
from openhands_acp.extensions.commands import commands_in, withheld_command
from openhands_acp.extensions.hooks import hooks_in, withheld_hooks
from openhands_acp.extensions.plugins import Plugin, plugins_at, plugins_in
from openhands_acp.extensions.public_skills import PLACES, public_skills
from openhands_acp.extensions.shelf import Shelf
from openhands_acp.extensions.skills import runs, skills_in

T = TypeVar("T")
Covers: TypeAlias = Callable[[Withheld], bool]
"""Tells whether the person trusts something of a project's."""

_SKILLS = (".agents/skills", ".openhands/skills", ".openhands/microagents")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person set of it."""

    disabled: Collection[str] = ()
    """Names of skills that are not to be used."""
    plugins: Sequence[str] = ()
    """Whole paths of plugins, or of folders with plugins."""
    public_skills: bool = True
    """Whether OpenHands' own are read, where it has put them on this machine."""


_NO_WISHES = Wishes()


class Reader:
    """Keeps what it read: to look again costs little while nothing changed."""

    def __init__(
        self, home: Path, roots: Sequence[AbsPath], wishes: Wishes = _NO_WISHES, person: Path | None = None
    ) -> None:
        """`home` is OpenHands' own folder of the person, `person` their home directory."""
        self._home = home
        self._person = person or Path.home()
        self._roots = [Path(root) for root in roots]
        self._wishes = wishes
        self._projects = _projects(self._roots)
        # A new one for each look: several may be under way, each in a thread of its own.
        self._last, self._near, self._public = self._shelf(), self._shelf(), self._public_shelf()

    async def look(self, covers: Covers) -> Inventory:
        return await anyio.to_thread.run_sync(self._look, covers)

    async def near(self, paths: Collection[AbsPath]) -> tuple[Instruction, ...]:
        """Return the rules of the folders in which these files are."""
        return await anyio.to_thread.run_sync(self._rules_near, tuple(paths))

    def _rules_near(self, paths: Iterable[AbsPath]) -> tuple[Instruction, ...]:
        self._near = shelf = self._shelf(self._near)
        return tuple(instructions.near([Path(path) for path in paths], self._roots, shelf))

    def _shelf(self, before: Shelf | None = None) -> Shelf:
        return Shelf([str(folder) for folder in self._projects], before)

    def _public_shelf(self, before: Shelf | None = None) -> Shelf:
        # Of its own: who only uses them is told nothing of what is wrong in them.
        return Shelf([str(self._home / place) for place in PLACES], before)

    def _look(self, covers: Covers) -> Inventory:
        self._last = shelf = self._shelf(self._last)
        looking = _Looking(shelf, covers, self._projects)
        plugins = looking.first_of("plugin", self._plugins(looking))
        skills = looking.first_of("skill", self._skills(looking, plugins))
        used = [skill for skill in skills if skill.name not in self._wishes.disabled]
        memories = [self._home / "memory/MEMORY.md", *(root / ".openhands/memory/MEMORY.md" for root in self._roots)]
        return Inventory(
            instructions=tuple(instructions.of_roots(self._roots, shelf)),
            skills=tuple(used),
            commands=tuple(looking.first_of("command", self._commands(looking, plugins))),
            agents=tuple(looking.first_of("sub-agent", self._agents(looking, plugins))),
            memory=memory.memory(list(dict.fromkeys(memories)), shelf),
            identity=memory.identity(self._home / "SOUL.md", shelf),
            switched_off=tuple(skill.name for skill in skills if skill.name in self._wishes.disabled),
            server_files=(*looking.server_files(used), *looking.of_plugins(plugins)),
            hooks=tuple(self._hooks(looking, plugins)),
            problems=(*shelf.problems, *self._near.problems),
            withheld=tuple(looking.withheld),
        )

    # ---------------------------------------------------------------- places, in their order

    def _skills(self, looking: _Looking, plugins: Iterable[Plugin]) -> Iterator[list[Skill]]:
        users = self._users("skills", "microagents")
        theirs = self._theirs(_SKILLS, users)
        yield [looking.judged(skill) for skill in looking.read(skills_in, theirs, "project")]
        yield looking.read(skills_in, users, "user")
        yield looking.read(skills_in, [self._home / "skills/installed"], "user")
        yield looking.read(skills_in, [folder for plugin in plugins for folder in plugin.skills], "plugin")
        if self._wishes.public_skills:
            self._public = shelf = self._public_shelf(self._public)
            yield from public_skills(self._home, shelf)

    def _commands(self, looking: _Looking, plugins: Iterable[Plugin]) -> Iterator[list[OwnCommand]]:
        users = self._users("commands")
        found = looking.read(commands_in, self._theirs(_places("commands"), users), "project")
        yield [own for own in found if looking.is_covered(withheld_command(looking.project_of(own.path), own))]
        yield looking.read(commands_in, users, "user")
        for plugin in plugins:
            prefix = f"{plugin.name}:"
            yield [own for place in plugin.commands for own in commands_in(place, "plugin", looking.shelf, prefix)]

    def _agents(self, looking: _Looking, plugins: Iterable[Plugin]) -> Iterator[list[AgentDefinition]]:
        users = self._users("agents")
        found = looking.read(agents_in, self._theirs(_places("agents"), users), "project")
        placed = [of_project(each, looking.project_of(each.path or "")) for each in found]
        yield [each for each in placed if looking.is_covered(withheld_agent(each.folder or AbsPath(""), each))]
        yield looking.read(agents_in, users, "user")
        yield [
            of_plugin(agent, plugin.path)
            for plugin in plugins
            for agent in looking.read(agents_in, plugin.agents, "plugin")
        ]

    def _plugins(self, looking: _Looking) -> Iterator[list[Plugin]]:
        users = self._users("plugins")
        found = [
            each for folder in self._theirs(_places("plugins"), users) for each in plugins_in(folder, looking.shelf)
        ]
        yield [plugin for plugin in found if looking.is_covered(plugin.withheld(looking.project_of(plugin.folder)))]
        yield [plugin for folder in self._wishes.plugins for plugin in plugins_at(Path(folder), looking.shelf)]
        installed = self._home / "plugins/installed"
        yield [plugin for folder in (*users, installed) for plugin in plugins_in(folder, looking.shelf)]

    def _hooks(self, looking: _Looking, plugins: Iterable[Plugin]) -> Iterator[Hook]:
        own = self._home / "hooks.json"
        yield from hooks_in(own, looking.shelf)
        for project in self._projects:
            file, root = project / ".openhands/hooks.json", AbsPath(str(project))
            hooks = hooks_in(file, looking.shelf, root) if file != own else []
            text = looking.shelf.text(file) or ""
            if hooks and looking.is_covered(withheld_hooks(root, file, text, hooks)):
                yield from hooks
        for plugin in plugins:
            yield from plugin.hooks

    def _users(self, *names: str) -> list[Path]:
        """Return the person's own folders of a kind."""
        return [self._person / ".agents" / names[0], *(self._home / name for name in names)]

    def _theirs(self, names: Iterable[str], users: Collection[Path]) -> list[Path]:
        """Return the project's: but if it is the home directory, these are the person's own."""
        return [folder for each in self._projects for name in names if (folder := each / name) not in users]


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def path(self) -> AbsPath | None: ...


N = TypeVar("N", bound=_Named)


@dataclass(slots=True)
class _Looking:
    """What is found in one look."""

    shelf: Shelf
    covers: Covers
    projects: Sequence[Path]
    withheld: list[Withheld] = field(default_factory=list[Withheld])

    def project_of(self, path: str | Path) -> AbsPath:
        """Return the project that has a file: another's trust is none of its."""
        around = [project for project in self.projects if Path(path).is_relative_to(project)]
        return AbsPath(str(max(around, key=lambda project: len(project.parts), default=self.projects[0])))

    def read(self, read: Callable[[Path, Origin, Shelf], list[T]], folders: Iterable[Path], origin: Origin) -> list[T]:
        return [each for folder in folders for each in read(folder, origin, self.shelf)]

    def is_covered(self, thing: Withheld) -> bool:
        if self.covers(thing):
            return True
        self.withheld.append(thing)
        return False

    def judged(self, skill: Skill) -> Skill:
        """Say of a project's skill whether the commands in its text may be run."""
        lines = runs(skill)
        if not lines:
            return skill
        what = ", ".join(map(quoted, lines))
        thing = Withheld(
            self.project_of(skill.path),
            f"the skill {quoted(skill.name)} ({quoted(skill.path)}) runs {what}",
            digest(skill.text),
        )
        return skill if self.is_covered(thing) else replace(skill, may_run=False)

    def first_of(self, kind: str, groups: Iterable[list[N]]) -> list[N]:
        """Leave out what is called like something before; within one group that is a mistake, and told."""
        found: dict[str, N] = {}
        for group in groups:
            new: dict[str, N] = {}
            for each in group:
                first = new.setdefault(each.name, each)
                if first is not each and each.path is not None:
                    document = self.shelf.document(Path(each.path))
                    line = document.line_of("name") if document else 1
                    self.shelf.problem(Path(each.path), f"there is a {kind} {each.name!r} already: {first.path}", line)
            found = {**new, **found}
        return sorted(found.values(), key=lambda each: each.name)

    def of_plugins(self, plugins: Iterable[Plugin]) -> Iterator[AbsPath]:
        for plugin in plugins:
            yield from (AbsPath(str(file)) for file in plugin.server_files)

    def server_files(self, skills: Iterable[Skill]) -> Iterator[AbsPath]:
        """Find files beside skills that name servers; a project's once they are trusted."""
        for skill in skills:
            file = Path(skill.path).with_name(".mcp.json")
            if not skill.is_folder or not file.is_file() or (written := self.shelf.text(file)) is None:
                continue
            what = f"the skill {quoted(skill.name)} has the servers that {quoted(str(file))} names: {quoted(written)}"
            if skill.origin != "project" or self.is_covered(
                Withheld(self.project_of(file), what, digest(str(file), written))
            ):
                yield AbsPath(str(file))


def _places(kind: str) -> tuple[str, str]:
    return f".agents/{kind}", f".openhands/{kind}"


def _projects(roots: Sequence[Path]) -> list[Path]:
    """Return the roots, then the repositories that they are in."""
    around = [each for root in roots if (each := instructions.repository_of(root)) is not None]
    return list(dict.fromkeys([*roots, *around]))

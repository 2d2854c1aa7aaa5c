"""Plugins: folders that bring skills, commands, sub-agents, hooks and servers, as Claude or OpenHands lays them out.

Knows where in a plugin what stands; of all of it, it reads hooks only, and nothing from the network.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from openhands_acp.engine.guidance.inline_commands import commands_in
from openhands_acp.engine.guidance.inventory import Withheld, digest, quoted
from openhands_acp.engine.hooks.definitions import Hook
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.agents import agents_in, runs
from openhands_acp.extensions.hooks import hooks_in, hooks_of_manifest, lines_of, scripts_of
from openhands_acp.extensions.shelf import LARGEST, Shelf

_MANIFESTS = (".claude-plugin/plugin.json", ".plugin/plugin.json", "plugin.json")
_USUAL = ("skills", "commands", "agents", "hooks", ".mcp.json")
_INSTALLED = ".installed.json"
"""OpenHands' own note of what it put there, and of what of that is switched off."""
_WEIGHED = 8 * 1024 * 1024
"""Bytes of a plugin that are looked at one by one; what is beyond counts by size and date."""


@dataclass(frozen=True, slots=True)
class Plugin:
    name: str
    folder: Path
    skills: tuple[Path, ...] = ()
    """Folders of skills."""
    commands: tuple[Path, ...] = ()
    """Folders of commands, and single files."""
    agents: tuple[Path, ...] = ()
    """Folders of sub-agents."""
    server_files: tuple[Path, ...] = ()
    """Files that name MCP servers."""
    hooks: tuple[Hook, ...] = ()
    running: tuple[str, ...] = ()
    """What its sub-agents have run besides, in words."""

    @property
    def path(self) -> AbsPath:
        return AbsPath(str(self.folder))

    def withheld(self, root: AbsPath) -> Withheld:
        """Say what a project's plugin is, for whoever decides whether it counts: with all of its files."""
        where = str(self.folder).removeprefix(str(root)).lstrip("/\\")
        parts = [*_named("skills", self.skills), *_named("commands", self.commands), *_named("sub-agents", self.agents)]
        parts += [f"the MCP servers of {quoted(file.name)}: {quoted(_text_of(file))}" for file in self.server_files]
        if lines := _lines_in([*self.skills, *self.commands]):
            parts.append(f"texts that run {', '.join(map(quoted, lines))}")
        if self.hooks:
            parts.append(f"hooks that run {', '.join(lines_of(self.hooks))}")
        parts += self.running
        has = f", which has {'; '.join(parts)}" if parts else ""
        scripts = scripts_of([hook.command for hook in self.hooks], Path(root))
        what = f"the plugin {quoted(self.name)} ({quoted(where)}){has}"
        commands = (f"{self.name}:", *(name for place in self.skills for name in _names_in(place)))
        return Withheld(root, what, digest("plugin", *_weighed(self.folder), *scripts), commands)


def plugins_in(folder: Path, shelf: Shelf) -> list[Plugin]:
    """Find all plugins of a folder, in the order of their folders' names."""
    off = _switched_off(folder, shelf)
    found = [plugin for each in shelf.folders(folder) if (plugin := _plugin(each, shelf)) is not None]
    return [plugin for plugin in found if plugin.name not in off and plugin.folder.name not in off]


def plugins_at(folder: Path, shelf: Shelf) -> list[Plugin]:
    """Read the plugin that a folder is, or else those that it holds."""
    plugin = _plugin(folder, shelf)
    found = [plugin] if plugin is not None else plugins_in(folder, shelf)
    if not found:
        reason = "is no plugin, and has none in it" if folder.is_dir() else "is not there, or no folder"
        shelf.problem(folder, f"{reason}: the setting `plugins` names it")
    return found


def _plugin(folder: Path, shelf: Shelf) -> Plugin | None:
    path = next((folder / name for name in _MANIFESTS if (folder / name).is_file()), None)
    if path is None and not any((folder / name).exists() for name in _USUAL):
        return None
    manifest = (shelf.json(path) or {}) if path is not None else {}
    inside = _Inside(folder, path or folder, manifest, shelf)
    name = manifest.get("name")
    if name is not None and not (isinstance(name, str) and name):
        shelf.problem(inside.manifest_path, "`name` must be a text")
    skills, commands = tuple(inside.places("skills")), tuple(inside.places("commands"))
    agents = tuple(dict.fromkeys(_folder_of(place) for place in inside.places("agents")))
    # What is wrong in them is told where they count.
    definitions = [agent for place in agents for agent in agents_in(place, "plugin", Shelf())]
    return Plugin(
        name.replace(" ", "-") if isinstance(name, str) and name else folder.name,
        folder,
        skills,
        commands,
        agents,
        tuple(inside.server_files()),
        tuple(inside.hooks()),
        tuple(f"the sub-agent {quoted(each.name)}: {'; '.join(said)}" for each in definitions if (said := runs(each))),
    )


@dataclass(frozen=True, slots=True)
class _Inside:
    folder: Path
    manifest_path: Path
    manifest: Mapping[str, Any]
    shelf: Shelf

    def places(self, what: str) -> Iterator[Path]:
        """Return the usual folder, if it is there, and those that the manifest adds."""
        usual = self.folder / what
        if usual.is_dir():
            yield usual
        yield from (place for place in self._added(what, self.manifest.get(what)) if place != usual)

    def server_files(self) -> Iterator[Path]:
        if (usual := self.folder / ".mcp.json").is_file():
            yield usual
        written = self.manifest.get("mcpServers")
        if isinstance(written, dict):
            yield self.manifest_path
        elif written is not None and (place := self._place("mcpServers", written)) is not None and place != usual:
            yield place

    def hooks(self) -> Iterator[Hook]:
        plugin = AbsPath(str(self.folder))
        if (usual := self.folder / "hooks/hooks.json").is_file():
            yield from hooks_in(usual, self.shelf, plugin=plugin)
        written = self.manifest.get("hooks")
        if isinstance(written, dict):
            yield from hooks_of_manifest(self.manifest_path, self.shelf, plugin)
            return
        for place in self._added("hooks", written):
            if place != usual:
                yield from hooks_in(place, self.shelf, plugin=plugin)

    def _added(self, what: str, written: object) -> Iterator[Path]:
        """Return the places that a field of the manifest names, one or several."""
        for each in cast("list[object]", written) if isinstance(written, list) else [written]:
            if each is not None and (place := self._place(what, each)) is not None:
                yield place

    def _place(self, what: str, written: object) -> Path | None:
        place = Path(os.path.normpath(self.folder / written)) if isinstance(written, str) else None
        if place is None or not place.is_relative_to(self.folder):
            self.shelf.problem(self.manifest_path, f"`{what}` must be a path inside of the plugin")
        elif not place.exists():
            self.shelf.problem(self.manifest_path, f"`{what}` names {written!r}, which is not there")
        else:
            return place
        return None


def _folder_of(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def _switched_off(folder: Path, shelf: Shelf) -> set[str]:
    noted = shelf.json(folder / _INSTALLED) if (folder / _INSTALLED).is_file() else None
    plugins = (noted or {}).get("plugins")
    if not isinstance(plugins, dict):
        return set()
    entries = cast("dict[str, object]", plugins)
    return {
        name
        for name, entry in entries.items()
        if isinstance(entry, dict) and cast("dict[str, object]", entry).get("enabled") is False
    }


# ---------------------------------------------------------------- what would run


def _named(what: str, places: tuple[Path, ...]) -> list[str]:
    names = [name for place in places for name in _names_in(place)]
    return [f"{what}: {', '.join(map(quoted, names))}"] if names else []


def _names_in(place: Path) -> list[str]:
    if place.is_file():
        return [place.stem]
    try:
        return sorted(Path(name).stem for name in os.listdir(place) if not name.startswith("."))
    except OSError:
        # Whoever reads it tells of it.
        return []


def _lines_in(places: Iterable[Path]) -> list[str]:
    """Return the commands in the Markdown of these places, each once."""
    files = [file for place in places for file in ([place] if place.is_file() else sorted(place.rglob("*.md")))]
    return list(dict.fromkeys(line for file in files if file.is_file() for line in commands_in(_text_of(file))))


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            # No more of it counts, or is read.
            return opened.read(LARGEST).decode("utf-8", "replace")
    except OSError:
        # Whoever reads it tells of it; what cannot be read runs nothing.
        return ""


def _weighed(folder: Path) -> Iterator[str | bytes]:
    """Return all that a plugin's folder holds, so that any change of it can be told: also where its links lead."""
    weight = 0
    for path in _all_in(folder):
        yield path.relative_to(folder).as_posix()
        try:
            if path.is_symlink():
                yield f"-> {os.readlink(path)}"
            if path.is_file():
                status = path.stat()
                weight += status.st_size
                yield path.read_bytes() if weight <= _WEIGHED else f"{status.st_size} {status.st_mtime_ns}"
        except OSError as error:
            yield f"{error}"


def _all_in(folder: Path) -> Iterator[Path]:
    """Walk a folder in one order, and each folder that links lead to once."""
    seen = set[str]()
    for at, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        # A link that leads to where it is would never end.
        folders[:] = [] if real in seen else sorted(folders)
        seen.add(real)
        yield from (Path(at, name) for name in sorted([*folders, *files]))

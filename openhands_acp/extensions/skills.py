"""Skills as they are written: folders with a SKILL.md, and single files of OpenHands' older kinds.

Knows the fields and the places; knows neither when a skill counts nor what comes of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from openhands_acp.engine.commands.table import ALWAYS_THERE
from openhands_acp.engine.guidance.inline_commands import commands_in
from openhands_acp.engine.guidance.inventory import Keywords, Origin, Paths, Skill, Task, Trigger
from openhands_acp.engine.paths import AbsPath
from openhands_acp.extensions.frontmatter import Document
from openhands_acp.extensions.shelf import Shelf, spelt

LONGEST = 20_000
"""Characters of a skill's text that a model is given at once."""
_LONGEST_DESCRIPTION = 1024
_LONGEST_NAME = 100
_MOST_RESOURCES = 50
_DEEPEST = 2
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_FILE = "SKILL.MD"
"""In capitals: some file systems, and some people, make no difference."""


def skills_in(folder: Path, origin: Origin, shelf: Shelf) -> list[Skill]:
    """Read all skills of a folder, in the order of their names."""
    found = [_of_folder(file, origin, shelf) for file in _skill_files(folder, shelf)]
    found += [_of_file(file, folder, origin, shelf) for file in _single_files(folder, shelf)]
    return sorted((skill for skill in found if skill is not None), key=lambda skill: skill.name)


def _skill_file(folder: Path, shelf: Shelf) -> Path | None:
    return next((file for file in shelf.files(folder, "*.md") if file.name.upper() == _FILE), None)


def _skill_files(folder: Path, shelf: Shelf) -> Iterator[Path]:
    for each in shelf.folders(folder):
        if (file := _skill_file(each, shelf)) is not None:
            yield file


def _single_files(folder: Path, shelf: Shelf, depth: int = 2) -> Iterator[Path]:
    for file in shelf.files(folder, "*.md"):
        if file.name.upper() not in ("README.MD", _FILE):
            yield file
    for each in shelf.folders(folder) if depth else []:
        if each.name != "installed" and _skill_file(each, shelf) is None:
            yield from _single_files(each, shelf, depth - 1)


# ---------------------------------------------------------------- one skill


def _of_folder(file: Path, origin: Origin, shelf: Shelf) -> Skill | None:
    if (document := shelf.document(file)) is None:
        return None
    name = file.parent.name
    written = shelf.string(document, "name", name)
    if written != name:
        line = document.line_of("name")
        shelf.problem(file, f"the skill is called {written!r}, its folder {name!r}; it goes by its folder's name", line)
    elif not _NAME.fullmatch(name):
        shelf.problem(file, f"{name!r} is not in lower-case letters, digits and hyphens", document.line_of("name"))
    description = _description(document, shelf)
    if not description:
        shelf.problem(file, "has no `description`, so that no model knows when to use it")
    return _skill(document, name, description, origin, shelf, is_folder=True)


def _of_file(file: Path, folder: Path, origin: Origin, shelf: Shelf) -> Skill | None:
    if (document := shelf.document(file)) is None:
        return None
    name = " ".join(shelf.string(document, "name").split()) or file.relative_to(folder).with_suffix("").as_posix()
    if len(name) > _LONGEST_NAME:
        shelf.problem(file, f"`name` is cut to {_LONGEST_NAME} characters", document.line_of("name"))
        name = name[:_LONGEST_NAME]
    return _skill(document, name, _description(document, shelf), origin, shelf, is_folder=False)


def _skill(
    document: Document, name: str, description: str, origin: Origin, shelf: Shelf, *, is_folder: bool
) -> Skill | None:
    if not document.body:
        shelf.problem(document.path, "has no text")
        return None
    trigger = _trigger(document, name, shelf)
    hidden = shelf.flag(document, "disable-model-invocation", default=False)
    if hidden and name in ALWAYS_THERE:
        line = document.line_of("disable-model-invocation")
        shelf.problem(document.path, f"nobody can call it: `/{name}` is always there, and is something else", line)
    return Skill(
        name,
        description,
        bounded(document.body, document.path),
        AbsPath(str(document.path)),
        trigger,
        origin,
        is_folder,
        _resources(document.path.parent) if is_folder else (),
        shelf.tools(document, "allowed-tools"),
        for_model=not hidden and not isinstance(trigger, Paths),
        for_person=shelf.flag(document, "user-invocable", default=True),
    )


def bounded(text: str, path: Path, longest: int = LONGEST) -> str:
    """Cut a text that is too long, and say where the rest is."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n[… cut: {path} has {len(text):,} characters; view it for the rest]"


def _description(document: Document, shelf: Shelf) -> str:
    text = " ".join(shelf.string(document, "description").split())
    if len(text) <= _LONGEST_DESCRIPTION:
        return text
    line = document.line_of("description")
    shelf.problem(document.path, f"`description` is cut to {_LONGEST_DESCRIPTION} characters", line)
    return text[: _LONGEST_DESCRIPTION - 1] + "…"


def _trigger(document: Document, name: str, shelf: Shelf) -> Trigger:
    if (globs := shelf.words(document, "paths")) is not None:
        # Late: hardly any skill has some.
        from openhands_acp.extensions.globs import TooMuch, patterns

        try:
            return Paths(globs, patterns(globs))
        except TooMuch as reason:
            shelf.problem(document.path, f"`paths` {reason}", document.line_of("paths"))
            return Paths((), ())
    words = shelf.words(document, "triggers") or ()
    if "inputs" in document.fields:
        return Task((f"/{name}", *(word for word in words if word != f"/{name}")), _inputs(document, shelf))
    return Keywords(words) if words else None


def _inputs(document: Document, shelf: Shelf) -> tuple[tuple[str, str], ...]:
    given: object = document.fields["inputs"]
    inputs: list[tuple[str, str]] = []
    for each in cast("list[object]", given) if isinstance(given, list) else [given]:
        fields = cast("Mapping[str, Any]", each) if isinstance(each, Mapping) else {"name": each}
        name, description = spelt(fields.get("name")), spelt(fields.get("description", ""))
        if not name or description is None:
            sentence = "each of `inputs` must have a `name`, and a text for its `description` if it has one"
            shelf.problem(document.path, sentence, document.line_of("inputs"))
            continue
        inputs.append((name, description))
    return tuple(inputs)


def _resources(folder: Path) -> tuple[str, ...]:
    """List files beside a SKILL.md, two folders deep, the outer ones first; of very many only the first."""
    found: list[str] = []
    folders = [(folder, 0)]
    for each, depth in folders:
        for entry in _entries(each):
            path = each / entry.name
            if entry.is_dir(follow_symlinks=False):
                folders += [(path, depth + 1)] if depth < _DEEPEST else []
            elif path.name.upper() != _FILE:
                found.append(path.relative_to(folder).as_posix())
        if len(found) > _MOST_RESOURCES or len(folders) > _MOST_RESOURCES:
            return (*found[:_MOST_RESOURCES], "…")
    return tuple(found)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:
        # Only a hint for the model: who wants a file of it is told why it cannot be read.
        return []
    return sorted(seen, key=lambda entry: entry.name)


def runs(skill: Skill) -> tuple[str, ...]:
    """Return the command lines that a skill's text has run when it is used."""
    return tuple(commands_in(skill.text))

"""What people wrote down, told to the model: when a session begins, when it changed, and when it comes to matter.

A skill, or a folder's rules, is told once in a conversation, again when it is another one, and withdrawn when it is
gone. Knows no files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from openhands_acp.engine.call import CallRequest
from openhands_acp.engine.events import Event, NoticeEvent, SystemPromptEvent
from openhands_acp.engine.guidance.events import WITHDRAWN, SkillActivated
from openhands_acp.engine.guidance.inventory import Instruction, Inventory, Keywords, Paths, Task
from openhands_acp.engine.guidance.skills import always_holds, as_told, listing
from openhands_acp.engine.messages import SystemMessage, Text
from openhands_acp.engine.paths import AbsPath, absolute, shortened
from openhands_acp.engine.prompt import IDENTITY, SLIM
from openhands_acp.engine.session_ports import Ports
from openhands_acp.engine.transcript import Transcript

T = TypeVar("T")

RULES_BEGIN = "\n\nThe project's own instructions"
SKILLS_BEGIN = "\n\n<available_skills>\n"
MEMORY_BEGIN = "\n\n<memory>\n"
_MEMORY = "What you were to remember. When the person wants something remembered or forgotten, edit these files."
_LONGEST_RULES = 24_000
"""Characters of all rules that hold from the first prompt on."""
_LONGEST_SLIM = 1_500
"""The same for a small model, which reads slowly; and of the list of skills."""
_MOST_AT_ONCE = 5
"""Skills that the words of one prompt bring up."""
_LISTED = "available skills"
"""By which the list is known when it is told anew."""
_FROM = re.compile(r'^<instructions from="(.*)">$', re.MULTILINE)


class Place(Protocol):
    """Where what is written down is told."""

    root: AbsPath

    @property
    def inventory(self) -> Inventory: ...

    @property
    def model_behind(self) -> str: ...


class Session(Place, Protocol):
    roots: tuple[AbsPath, ...]
    ports: Ports
    transcript: Transcript

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    def recall(self, what: type[T]) -> T: ...


@dataclass(slots=True)
class Complaints:
    """What the person was told in this session of what is wrong in their files."""

    told: set[str] = field(default_factory=set[str])


# ---------------------------------------------------------------- from the beginning on


def guided(prompt: SystemPromptEvent, place: Place) -> SystemPromptEvent:
    """Add what holds from the first prompt on. Of the static part only who the agent is may be another."""
    inventory = place.inventory
    static = prompt.static
    if inventory.identity and static.startswith(IDENTITY):
        static = inventory.identity + static.removeprefix(IDENTITY)
    is_slim = _is_slim(static)
    rules = "".join(_spelt(each) for each in _rules(place, _LONGEST_SLIM if is_slim else _LONGEST_RULES))
    parts = (
        [f"{RULES_BEGIN}, to follow where they do not conflict with the above or the person:{rules}"] if rules else []
    )
    listed = _listed(inventory, prompt.tools, is_slim=is_slim)
    parts += [_spelt_list(listed)] if listed else []
    memory = "" if is_slim else inventory.memory
    parts += [f"{MEMORY_BEGIN}{_MEMORY}\n{memory}\n</memory>"] if memory else []
    return replace(prompt, static=static, dynamic=prompt.dynamic + "".join(parts))


def _is_slim(static: str) -> bool:
    return static.endswith(SLIM.removeprefix(IDENTITY))


@dataclass(frozen=True, slots=True)
class _Rules:
    name: str
    text: str


def _spelt(rules: _Rules) -> str:
    return f'\n<instructions from="{rules.name}">\n{rules.text}\n</instructions>'


def _listed(inventory: Inventory, tools: Collection[str], *, is_slim: bool) -> str:
    """List the skills; to a small model only those of the project's and the person's, which somebody chose for it."""
    if not is_slim:
        return listing(inventory, tools)
    chosen = tuple([skill for skill in inventory.skills if skill.origin != "public"])
    return listing(replace(inventory, skills=chosen), tools, _LONGEST_SLIM)


def _spelt_list(listed: str) -> str:
    return f"{SKILLS_BEGIN}{listed}\n</available_skills>"


def _rules(place: Place, longest: int) -> Iterator[_Rules]:
    """Return the roots' rules and the skills that always hold, as far as there is room."""
    all_rules = [
        *(
            _Rules(shortened(each.path, place.root), each.text)
            for each in place.inventory.instructions
            if _is_meant(each, place)
        ),
        *(_Rules(skill.name, skill.text) for skill in place.inventory.skills if always_holds(skill)),
    ]
    room = longest
    for at, each in enumerate(all_rules):
        if room <= 0:
            names = ", ".join(rest.name for rest in all_rules[at:])
            yield _Rules("more", f"For want of room these are only named; read them: {names}")
            return
        mark = f"\n[… cut: {each.name} has more; read it for the rest]"
        yield each if len(each.text) <= room else _Rules(each.name, each.text[:room] + mark)
        room -= len(each.text)


# ---------------------------------------------------------------- what changed


async def renewed(session: Session) -> None:
    """Tell the model, at a turn's beginning, what is another than it was told or gone, and the person what is wrong."""
    if not session.ports.bounds.depth:
        _complain(session)
    system = session.transcript.system
    if system is None:
        return
    is_slim = _is_slim(system.static)
    rules = list(_rules(session, _LONGEST_SLIM if is_slim else _LONGEST_RULES))
    for each in rules:
        _tell_anew(session, each.name, each.text, is_in_prompt=_spelt(each) in system.dynamic)
    listed = _listed(session.inventory, session.transcript.tools, is_slim=is_slim)
    if listed:
        _tell_anew(session, _LISTED, listed, is_in_prompt=_spelt_list(listed) in system.dynamic)
    await _withdraw(session, system, {*(each.name for each in rules), *([_LISTED] if listed else [])})


def _complain(session: Session) -> None:
    """Tell the person what is wrong in their files, once. A sub-agent has the same, and says nothing."""
    told = session.recall(Complaints).told
    if new := [each for each in session.inventory.problems if each not in told]:
        told.update(new)
        lines = "\n".join(f"- {each}" for each in new)
        session.emit(
            NoticeEvent(session.new_id(), "text", f"Some of what was written for agents is left out:\n{lines}")
        )


def _tell_anew(session: Session, name: str, text: str, *, is_in_prompt: bool) -> None:
    known = session.transcript.active.get(name)
    told = f"(As it is from now on; what you were told of it before no longer holds.)\n\n{text}"
    if known != told and not (known is None and is_in_prompt):
        session.emit(SkillActivated(name, told, "change"))


async def _withdraw(session: Session, system: SystemMessage, held: Collection[str]) -> None:
    """Tell the model what of all that it was told is not there any more: `held`, skills and folders' rules are."""
    active = session.transcript.active
    there = {*held, *(skill.name for skill in session.inventory.skills)}
    for name in dict.fromkeys([*_told_in(system.dynamic), *active]):
        is_gone = name not in there and active.get(name) != WITHDRAWN
        if is_gone and not await _is_of_a_folder(session, name):
            session.emit(SkillActivated(name, WITHDRAWN, "change"))


def _told_in(dynamic: str) -> list[str]:
    """Name what a prompt tells of rules and skills."""
    rest, lists, _ = dynamic.partition(SKILLS_BEGIN)
    return [*_FROM.findall(rest.partition(RULES_BEGIN)[2]), *([_LISTED] if lists else [])]


async def _is_of_a_folder(session: Session, name: str) -> bool:
    """Tell whether this names the rules of a folder in the project that are still there."""
    path = absolute(name, session.root)
    return any(each.path == path and _is_meant(each, session) for each in await session.ports.rules_near((path,)))


# ---------------------------------------------------------------- what comes to matter


def before_prompt(session: Session, words: Iterable[object]) -> None:
    """Bring up the skills of which a word is in what the person says."""
    said = "\n".join(part.text for part in words if isinstance(part, Text))
    activated = 0
    for skill in session.inventory.skills:
        if activated == _MOST_AT_ONCE or not isinstance(skill.trigger, Keywords | Task):
            continue
        word = next((word for word in skill.trigger.words if _is_in(word, said)), None)
        if word is not None:
            why = f"It is here because the person mentions {word!r}; use it if it fits."
            activated += _activate(session, SkillActivated(skill.name, as_told(skill), "prompt", word), why)


def _is_in(word: str, said: str) -> bool:
    """Tell whether it is there as a whole word: `git` is not in `github`."""
    # The first half is quick, and mostly all there is to do.
    return word.casefold() in said.casefold() and _is_whole(word, said)


def _is_whole(word: str, said: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", said, re.IGNORECASE) is not None


async def after_calls(session: Session, calls: Sequence[CallRequest]) -> None:
    """Bring up the rules of files that calls were about: of the folders they are in, and skills for such files."""
    cards = [call.card for call in calls if call.card is not None and not call.problem]
    touched = dict.fromkeys(location.path for card in cards for location in card.locations)
    paths = tuple(path for path in touched if any(_inside(path, root) for root in session.roots))
    if not paths:
        return
    for rules in await session.ports.rules_near(paths):
        if _is_meant(rules, session):
            folder = shortened(rules.folder, session.root)
            name, why = shortened(rules.path, session.root), f"The project's rules for files in {folder}."
            _activate(session, SkillActivated(name, rules.text, "path", folder), why)
    for skill in session.inventory.skills:
        if isinstance(skill.trigger, Paths) and (path := _matching(skill.trigger, paths, session.roots)) is not None:
            why = f"It holds for {', '.join(skill.trigger.globs)}."
            _activate(session, SkillActivated(skill.name, as_told(skill), "path", shortened(path, session.root)), why)


def _is_meant(rules: Instruction, place: Place) -> bool:
    """Tell whether they are written for the model in use, whatever the profile is called that it was chosen by."""
    return rules.family in place.model_behind.lower()


def _inside(path: AbsPath, root: AbsPath) -> bool:
    return path.startswith(root.rstrip(os.sep) + os.sep)


def _matching(trigger: Paths, paths: Iterable[AbsPath], roots: Iterable[AbsPath]) -> AbsPath | None:
    for path in paths:
        for root in roots:
            relative = os.path.relpath(path, root).replace(os.sep, "/")
            if _inside(path, root) and any(re.match(pattern, relative) for pattern in trigger.patterns):
                return path
    return None


def _activate(session: Session, event: SkillActivated, why: str) -> bool:
    """Tell the model of it and why, unless it has just that already; the person sees what counts."""
    known = session.transcript.active.get(event.name, "")
    if event.text in (known, known.partition(")\n\n")[2]):
        return False
    session.emit(replace(event, text=f"({why})\n\n{event.text}"))
    cause = f"“{event.about}”" if event.cause == "prompt" else event.about
    session.emit(NoticeEvent(session.new_id(), "thought", f"Following {event.name}, because of {cause}."))
    return True

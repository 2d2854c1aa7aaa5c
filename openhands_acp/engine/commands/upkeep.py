"""`/status`, `/doctor`, `/export` and `/fork`: how a session is, what is wrong around it, and what to keep of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Protocol

from openhands_acp.engine.commands.permissions import allowed_for_good
from openhands_acp.engine.context.window import in_words
from openhands_acp.engine.events import Entry, TurnStarted
from openhands_acp.engine.guidance.inventory import Inventory
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath, absolute
from openhands_acp.engine.servers.door import Servers, ServerState, Status
from openhands_acp.engine.transcript import Transcript
from openhands_acp.engine.upkeep import Finding, NotDone, Upkeep, Verdict
from openhands_acp.engine.usage.cost import dollars

_SUFFIXES = (".html", ".json", ".zip")
_MARKS: Mapping[Verdict, str] = {"good": "✓", "doubtful": "!", "bad": "✗"}
_OF_SERVERS: Mapping[Status, Verdict] = {"failed": "bad", "needs_login": "doubtful", "untrusted": "doubtful"}


class Session(Protocol):
    id: str
    root: AbsPath
    roots: tuple[AbsPath, ...]
    transcript: Transcript
    entries: list[Entry]

    @property
    def servers(self) -> Servers: ...

    @property
    def inventory(self) -> Inventory: ...

    @property
    def mode(self) -> Mode: ...

    @property
    def model(self) -> str: ...

    @property
    def thought_level(self) -> str: ...

    @property
    def upkeep(self) -> Upkeep: ...

    async def look_around(self) -> None: ...


# ---------------------------------------------------------------- how it is


async def status(session: Session, _argument: str) -> str:
    """Show what the session is and what counts in it. Asks nobody and starts nothing."""
    rows = [f"| {name} | {said} |" for name, said in _facts(session)]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _facts(session: Session) -> Iterator[tuple[str, str]]:
    transcript, inventory = session.transcript, session.inventory
    yield "Session", f"**{transcript.title}** `{session.id}`" if transcript.title else f"`{session.id}`"
    yield "Folders", ", ".join(f"`{root}`" for root in session.roots)
    thinking = "" if session.thought_level == "default" else f", thinking {session.thought_level}"
    yield "Model", f"`{session.model}`{thinking}"
    yield "Mode", f"`{session.mode}`"
    spending = transcript.spending
    if spending.context is not None and spending.window is not None:
        yield "Context", f"{in_words(spending.context)} of {in_words(spending.window)} tokens"
    cost = spending.session.cost_usd
    yield "Cost", dollars(cost) if cost is not None else "not known; see `/cost`"
    turns = sum(isinstance(entry.event, TurnStarted) for entry in session.entries)
    yield "Turns", f"{turns:,}"
    if states := session.servers.states():
        ready = sum(state.status == "ready" for state in states)
        yield "MCP servers", f"{ready} of {len(states)} ready; see `/mcp`"
    if inventory.skills:
        yield "Skills", f"{len(inventory.skills)}; see `/skills`"
    if inventory.commands:
        yield "Own commands", ", ".join(f"`/{own.name}`" for own in inventory.commands)
    if inventory.hooks:
        yield "Hooks", hooks_in_words(inventory)
    if inventory.withheld:
        yield "Not trusted", f"{len(inventory.withheld)} of what the project brings along; see `/doctor`"
    if rules := allowed_for_good(transcript):
        yield "Allowed for good", f"{len(rules)}; see `/permissions`"


def hooks_in_words(inventory: Inventory) -> str:
    """Say how many hooks count, and from where."""
    sources = Counter(hook.source for hook in inventory.hooks)
    return ", ".join(f"{number} from `{source}`" for source, number in sources.items())


# ---------------------------------------------------------------- what is wrong


async def doctor(session: Session, _argument: str) -> str:
    """Look over the installation and what the session was given. Asks no model."""
    await session.look_around()
    findings = [*await session.upkeep.examine(), *_of_session(session)]
    bad = sum(finding.status != "good" for finding in findings)
    head = "Everything is as it should be." if not bad else f"{bad} of these {'wants' if bad == 1 else 'want'} a look."
    return "\n".join([head, "", *(_line(finding) for finding in findings)])


def _of_session(session: Session) -> Iterator[Finding]:
    for state in session.servers.states():
        yield Finding(_status(state), f"MCP server {state.name}", _said(state))
    if session.inventory.hooks:
        yield Finding("good", "Hooks", hooks_in_words(session.inventory))
    for problem in session.inventory.problems:
        yield Finding("doubtful", "Files", problem)
    for thing in session.inventory.withheld:
        yield Finding("doubtful", "Not trusted", f"{' '.join(thing.what.split())} (in `{thing.folder}`)")


def _status(state: ServerState) -> Verdict:
    return _OF_SERVERS.get(state.status, "good")


def _said(state: ServerState) -> str:
    lines = state.error.splitlines()
    return f"{state.status.replace('_', ' ')}, from {state.source}" + (f": {lines[0]}" if lines else "")


def _line(finding: Finding) -> str:
    return f"- {_MARKS[finding.status]} **{finding.what}**: {finding.said}"


# ---------------------------------------------------------------- what to keep


async def export(session: Session, argument: str) -> str:
    """Write the conversation to a file that the person names, or to one beside their project's."""
    path = absolute(argument or f"openhands-{session.id[:8]}.html", session.root)
    if PurePath(path).suffix.lower() not in _SUFFIXES:
        return (
            f"`{path}` must end in `.html` (a page to read), `.json` (an OpenHands trajectory) or `.zip` (the same, a "
            "file for each event)."
        )
    try:
        await session.upkeep.export(path)
    except NotDone as reason:
        return f"Nothing was written: {reason}."
    return f"This session is written to `{path}`, up to here. Keys are masked; look it over before you pass it on."


async def fork(session: Session, argument: str) -> str:
    """Keep what was said so far as a session of its own, which then goes another way."""
    before = _without_this_turn(session.entries)
    if not any(isinstance(entry.event, TurnStarted) for entry in before):
        return "There is nothing to copy yet."
    title = argument or f"{session.transcript.title or 'Untitled'} (copy)"
    try:
        copy_id = await session.upkeep.copy(before, title)
    except NotDone as reason:
        return f"It was not copied: {reason}."
    return (
        f"Copied to **{title}**, which you find in your editor's list of sessions; `openhands-acp --resume {copy_id}` "
        "goes on with it, too. Both work on the same files."
    )


def _without_this_turn(entries: Sequence[Entry]) -> Sequence[Entry]:
    last = max(at for at, entry in enumerate(entries) if isinstance(entry.event, TurnStarted))
    return entries[:last]

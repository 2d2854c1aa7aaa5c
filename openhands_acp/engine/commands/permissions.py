"""`/mode`, `/confirm` and `/permissions`: what the agent may do unasked, as a person sets it and takes it back."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Protocol

from openhands_acp.engine.commands.table import nearest
from openhands_acp.engine.events import Event, PermissionDecided
from openhands_acp.engine.guidance.trust import Trust
from openhands_acp.engine.modes import MODES, Mode
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.permission.policy import parts_of
from openhands_acp.engine.transcript import Transcript

_TAKES_BACK = "`/permissions revoke NUMBER` takes one back, `/permissions revoke all` all of them."
_NOTHING = "You have allowed nothing for good in this session: each action is asked for as the mode says."


class Session(Protocol):
    roots: tuple[AbsPath, ...]
    transcript: Transcript

    @property
    def trust(self) -> Trust: ...

    @property
    def mode(self) -> Mode: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...

    def set_option(self, key: str, value: str) -> None: ...

    async def look_around(self) -> None: ...


async def mode(session: Session, argument: str) -> str:
    """Show the modes, or choose another: it counts from the next action on."""
    if not argument:
        rows = [
            f"| {'**' if each == session.mode else ''}`{each}`{'**' if each == session.mode else ''} | {said} |"
            for each, (_, said) in MODES.items()
        ]
        return "\n".join(
            [f"The mode is `{session.mode}`. `/mode NAME` chooses another.", "", "| mode | |", "| --- | --- |", *rows]
        )
    wanted = _meant(argument)
    if wanted is None:
        near = nearest(argument, list(MODES))
        meant = f" Did you mean {' or '.join(f'`{each}`' for each in near)}?" if near else ""
        return f"There is no mode `{argument}`.{meant} There is {', '.join(f'`{each}`' for each in MODES)}."
    session.set_option("mode", wanted)
    return f"The mode is now `{wanted}`: {MODES[wanted][1][:1].lower()}{MODES[wanted][1][1:]}."


def _meant(typed: str) -> Mode | None:
    """Return the mode that is called so, or shown so to people."""
    wanted = typed.strip().casefold().replace("_", "-").replace(" ", "-")
    for each, (name, _) in MODES.items():
        if wanted in (each, name.casefold().replace(" ", "-")):
            return each
    return None


async def permissions(session: Session, argument: str) -> str:
    """List what the person allowed for good, by numbers, or take it back."""
    rules = allowed_for_good(session.transcript)
    trusted = session.trust.extended(session.roots)
    word, _, rest = argument.partition(" ")
    if word == "revoke" and rest.strip() == "trust":
        return await _distrusted(session, trusted)
    if word == "revoke":
        return _revoked(session, rules, rest.strip())
    if argument:
        return "`/permissions` lists what you allowed for good; `/permissions revoke NUMBER` takes it back."
    lines = [f"{number}. {_in_words(rule)}" for number, rule in enumerate(rules, 1)]
    parts = ["\n".join(["Allowed for the rest of this session:", "", *lines, "", _TAKES_BACK])] if rules else []
    if trusted:
        parts.append(f"Trusted of what the project brings along: {trusted}. `/permissions revoke trust` takes it back.")
    return "\n\n".join(parts) or _NOTHING


def allowed_for_good(transcript: Transcript) -> list[str]:
    """Return the rules that allow actions; others are about limits that the person raised."""
    return sorted(rule for rule in transcript.rules if _in_words(rule))


async def _distrusted(session: Session, trusted: int) -> str:
    if not trusted:
        return "You trust nothing of this project by a word of yours; the setting `trusted` may do so."
    if failure := session.trust.forget(session.roots):
        return f"It is taken back in this session only: {failure}"
    await session.look_around()
    return "What the project brings along is not trusted any more; the next prompt asks about it."


def _revoked(session: Session, rules: Sequence[str], which: str) -> str:
    if which == "all":
        chosen = list(rules)
    elif which.isdecimal() and 0 < int(which) <= len(rules):
        chosen = [rules[int(which) - 1]]
    else:
        return "Name one by its number, as `/permissions` lists them, or `all`."
    if not chosen:
        return "There is nothing to take back."
    session.emit(PermissionDecided(session.new_id(), "reject_once", revoked=tuple(chosen)))
    what = "\n".join(f"- {_in_words(rule)}" for rule in chosen)
    return f"Asked for again from now on:\n\n{what}"


def _in_words(rule: str) -> str:
    """Say what a rule allows; empty for what is no permission, such as a limit that was raised."""
    kind, mark, value = parts_of(rule)
    shell = ", with the shell as it was then" if mark else ""
    match kind:
        case "read":
            said = f"reading `{value}`"
        case "write":
            said = f"reading and editing `{value}`"
        case "words":
            said = f"commands that begin with `{shlex.join(json.loads(value))}`"
        case "line":
            said = f"exactly the command `{value}`"
        case "keys":
            line, _ = json.loads(value)
            said = f"typing exactly what you saw into `{line}`"
        case "tool":
            server, tool = json.loads(value)
            what = f"`{tool}`" if tool else "resources"
            said = f"{what} of the MCP server `{server}`"
        case "server":
            said = f"all tools of the MCP server `{value}`"
        case "sample":
            said = f"questions of the MCP server `{value}` to the model"
        case "fetch":
            said = f"pages of `{value}`"
        case _:
            return ""
    return f"{said}{shell}"

"""Permission as a wrapper round the ports: every write or command asks before it happens.

Knows policy and the person's answer; knows nothing of tools, so no tool can forget to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from openhands_acp.engine.events import (
    CallProgress,
    Card,
    Event,
    PermissionDecided,
    Risk,
    Shown,
    ShownCommand,
    ShownDiff,
    ShownText,
)
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath, shortened
from openhands_acp.engine.policy import (
    Allow,
    Ask,
    Deny,
    Effect,
    Execute,
    Read,
    Write,
    decide,
    rule_for,
    rule_in_words,
)
from openhands_acp.engine.ports import (
    Command,
    DirEntry,
    Exit,
    Files,
    Option,
    Permissions,
    Question,
    Sink,
    Terminals,
    TextFile,
)
from openhands_acp.engine.tool import Rejected

_NO = "the person said no to this. Do not try it again another way; ask or go on without it"


class Dismissed(Exception):
    """The person closed the question without an answer: they want the turn to stop."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Asks on behalf of one call."""

    tool_call_id: str
    card: Card
    raw_input: JsonObject
    risk: Risk
    roots: tuple[AbsPath, ...]
    mode: Callable[[], Mode]
    rules: Callable[[], set[str]]
    permissions: Permissions
    emit: Callable[[Event], str]

    async def permit(self, effect: Effect, *shown: Shown) -> None:
        """Return if `effect` may happen now; raises Rejected with the reason otherwise.

        `shown` is what exactly would happen: the person sees it in the question itself.
        """
        verdict = decide(self.mode(), effect, risk=self.risk, roots=self.roots, rules=self.rules())
        match verdict:
            case Allow():
                # Looking first is not yet doing: a call that reads before it writes stays pending.
                if not isinstance(effect, Read):
                    self.emit(CallProgress(self.tool_call_id, shown or None))
            case Deny(reason):
                raise Rejected(reason, "mode", shown)
            case Ask():
                await self._ask(effect, shown)
            case _:
                assert_never(verdict)

    async def _ask(self, effect: Effect, shown: tuple[Shown, ...]) -> None:
        rule = rule_for(effect)
        card = replace(self.card, shown=shown) if shown else self.card
        answer = await self.permissions.ask(
            Question(self.tool_call_id, card, self.raw_input, self._options(effect, rule))
        )
        self.emit(PermissionDecided(self.tool_call_id, answer, rule if answer == "allow_always" else None))
        match answer:
            case "allow_once" | "allow_always":
                self.emit(CallProgress(self.tool_call_id, shown or None))
            case "reject_once":
                raise Rejected(_NO, "user", shown)
            case "cancelled":
                raise Dismissed
            case _:
                assert_never(answer)

    def _options(self, effect: Effect, rule: str) -> tuple[Option, ...]:
        path = shortened(effect.path, self.roots[0]) if isinstance(effect, Read | Write) else ""
        always = rule_in_words(rule, effect, path)
        return Option("allow_once", "Allow once"), Option("allow_always", always), Option("reject_once", "Reject")


@dataclass(frozen=True, slots=True)
class GuardedFiles:
    files: Files
    guard: Guard

    async def read(self, path: AbsPath) -> TextFile:
        await self.guard.permit(Read(path), ShownText(f"Read `{path}`, which is outside the project"))
        return await self.files.read(path)

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        await self.guard.permit(Write(path), ShownDiff(path, None if replaces is None else _lf(replaces), _lf(file)))
        return await self.files.write(path, file, replaces=replaces)

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        await self.guard.permit(Write(path), ShownDiff(path, _lf(replaces), ""))
        await self.files.remove(path, replaces=replaces)

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        await self.guard.permit(Read(path), ShownText(f"List `{path}`, which is outside the project"))
        return await self.files.entries(path)


@dataclass(frozen=True, slots=True)
class GuardedTerminals:
    terminals: Terminals
    guard: Guard

    async def run(self, command: Command, sink: Sink) -> Exit:
        await self.guard.permit(Execute(command.line), ShownCommand(command.line))
        return await self.terminals.run(command, sink)

    async def close(self) -> None:
        await self.terminals.close()


def _lf(file: TextFile) -> str:
    return file.text.replace("\r\n", "\n")

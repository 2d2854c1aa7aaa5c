"""Permission as a wrapper round the ports: every write or command asks before it happens.

Knows policy and the person's answer; knows nothing of tools, so no tool can forget to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from anyio import to_thread

from openhands_acp.engine.cards import Card, Shown, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.events import CallProgress, CommandPlaced, Event, PermissionDecided, Risk
from openhands_acp.engine.keys import INTERRUPT, spelled
from openhands_acp.engine.merge import merge
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath, is_inside, shortened
from openhands_acp.engine.permission.meanings import in_words, mark_of, other_meanings
from openhands_acp.engine.permission.policy import (
    Allow,
    Ask,
    Deny,
    Effect,
    Execute,
    Read,
    Type,
    Verdict,
    Write,
    covered_in_another_shell,
    decide,
    rule_for,
    rule_in_words,
    wider_rule_for,
)
from openhands_acp.engine.ports import (
    Answer,
    Command,
    DirEntry,
    Dismissed,
    Exit,
    Files,
    Job,
    Option,
    Patience,
    Permissions,
    Question,
    Running,
    ShellChanged,
    Sink,
    Terminals,
    TextFile,
)
from openhands_acp.engine.search import Matches, Paths, Query, Search
from openhands_acp.engine.spelling import fenced, lf
from openhands_acp.engine.tool import Rejected

_ONCE_OR_NOT = Option("allow_once", "Allow once"), Option("reject_once", "Reject")
_Rules: TypeAlias = Mapping[Answer, str | None]
_NO_RULES: _Rules = {}
_NO = "the person said no to this. Do not try it again another way; ask or go on without it"


@dataclass(frozen=True, slots=True)
class Guard:
    """Asks on behalf of one call."""

    tool_call_id: str
    card: Card
    raw_input: JsonObject
    risk: Risk
    roots: tuple[AbsPath, ...]
    mode: Callable[[], Mode]
    rules: Callable[[], Collection[str]]
    permissions: Permissions
    emit: Callable[[Event], str]
    readable: tuple[AbsPath, ...] = ()
    """Files and folders besides the roots of which the model was told: reading there never asks."""
    hook_asks: str = ""
    """Why a hook wants the person to be asked, once in this call, whatever the mode says; empty: none does."""
    only_looks: bool = False
    """The call changes nothing, so that to read is all that a hook can want asked about."""
    _allowed: list[Card] = field(default_factory=list[Card])
    """What the person saw as a whole, and allowed."""

    async def permit_part(self, effect: Effect, whole: Card, *, again: bool = False) -> None:
        """Permit what `whole` shows among other things: the question shows all of it, and is asked once."""
        await self.permit(effect, *whole.shown, again=again or whole in self._allowed, card=whole)

    async def permit(self, effect: Effect, *shown: Shown, again: bool = False, card: Card | None = None) -> None:
        """Return if `effect` may happen now; raises Rejected with the reason otherwise.

        `shown` is what exactly would happen: the person sees it in the question itself.
        `again`: it is what this call was permitted a moment ago, so the person is not asked twice.
        """
        verdict = self._verdict(effect)
        match verdict:
            case Allow() if self._is_insisted() and (self.only_looks or not isinstance(effect, Read)):
                # What a call reads before it changes something is no question yet: the change is.
                await self._ask(effect, shown, card)
            case Allow():
                # Looking first is not yet doing: a call that reads before it writes stays pending.
                if not isinstance(effect, Read):
                    self.emit(CallProgress(self.tool_call_id, shown or None))
            case Deny(reason):
                raise Rejected(reason, "mode", shown)
            case Ask() if again:
                self.emit(CallProgress(self.tool_call_id, shown or None))
            case Ask():
                await self._ask(effect, shown, card)
            case _:
                assert_never(verdict)

    async def insist(self) -> None:
        """Ask about the call as a whole, if a hook wants the person to be asked and they were not yet."""
        if self._is_insisted():
            await self._put(self.card, (), _ONCE_OR_NOT)

    def _is_insisted(self) -> bool:
        return bool(self.hook_asks) and not self._allowed

    def allowed_in_another_shell(self, effect: Execute) -> bool:
        """Tell whether the person will be asked only because the shell is not the one that they allowed it for."""
        return isinstance(self._verdict(effect), Ask) and covered_in_another_shell(effect, self.rules())

    def _verdict(self, effect: Effect) -> Verdict:
        if isinstance(effect, Read) and is_inside(effect.path, self.readable):
            return Allow()
        return decide(self.mode(), effect, risk=self.risk, roots=self.roots, rules=self.rules())

    async def _ask(self, effect: Effect, shown: tuple[Shown, ...], whole: Card | None) -> None:
        card = whole or (replace(self.card, shown=shown) if shown else self.card)
        if self._is_insisted():
            # It asks again next time, whatever is allowed for good.
            await self._put(card, shown, _ONCE_OR_NOT)
            return
        rules: _Rules = {"allow_always": rule_for(effect), "allow_widely": wider_rule_for(effect)}
        await self._put(card, shown, self._options(effect), rules)

    async def _put(
        self, card: Card, shown: tuple[Shown, ...], options: tuple[Option, ...], rules: _Rules = _NO_RULES
    ) -> None:
        """Put the question. Raises Rejected and Dismissed."""
        why = [ShownText(f"A hook wants you to be asked: {self.hook_asks}")] if self._is_insisted() else []
        asked = replace(card, shown=(*card.shown, *why))
        answer = await self.permissions.ask(Question(self.tool_call_id, asked, self.raw_input, options))
        self.emit(PermissionDecided(self.tool_call_id, answer, rules.get(answer)))
        match answer:
            case "allow_once" | "allow_always" | "allow_widely":
                self._allowed.append(card)
                self.emit(CallProgress(self.tool_call_id, shown or None))
            case "reject_once":
                raise Rejected(_NO, "user", shown)
            case "cancelled":
                raise Dismissed
            case _:
                assert_never(answer)

    def _options(self, effect: Effect) -> tuple[Option, ...]:
        path = shortened(effect.path, self.roots[0]) if isinstance(effect, Read | Write) else ""
        always = Option("allow_always", rule_in_words(rule_for(effect), effect, path))
        wider = wider_rule_for(effect)
        widely = [Option("allow_widely", rule_in_words(wider, effect, path))] if wider is not None else []
        once, reject = _ONCE_OR_NOT
        return once, always, *widely, reject


@dataclass(frozen=True, slots=True)
class GuardedFiles:
    files: Files
    guard: Guard
    _permitted: dict[AbsPath, tuple[TextFile, TextFile]] = field(
        default_factory=dict[AbsPath, tuple[TextFile, TextFile]]
    )
    """The last change of each file that this call was permitted: from what, to what."""
    _made: dict[AbsPath, tuple[TextFile | None, TextFile | None]] = field(
        default_factory=dict[AbsPath, tuple[TextFile | None, TextFile | None]]
    )
    """The last change of each file that this call made."""
    _intended: list[Card] = field(default_factory=list[Card])

    def intend(self, whole: Card) -> None:
        """Take in what the call is about to do to several files, for one question that shows all of it."""
        self._intended[:] = [whole]

    async def read(self, path: AbsPath) -> TextFile:
        await self.guard.permit(Read(path), ShownText(f"Read `{path}`, which is outside the project"))
        return await self.files.read(path)

    async def write(self, path: AbsPath, file: TextFile, *, replaces: TextFile | None) -> TextFile:
        # A file may change while the person is asked. The same change of what it is then was permitted already.
        again = replaces is not None and await self._is_permitted(path, replaces, file)
        await self._permit(path, replaces, file, again=again)
        if replaces is not None:
            self._permitted[path] = (replaces, file)
        now = await self.files.write(path, file, replaces=replaces)
        self._made[path] = (replaces, now)
        return now

    async def _permit(
        self, path: AbsPath, before: TextFile | None, after: TextFile | None, *, again: bool = False
    ) -> None:
        if self._made.get(path) == (after, before):
            # A call that failed half-way takes back what it did: nobody is asked whether it may.
            return
        shown = ShownDiff(path, None if before is None else lf(before.text), None if after is None else lf(after.text))
        whole = next((card for card in self._intended if _is_part(shown, card.shown)), None)
        if whole is None:
            await self.guard.permit(Write(path), shown, again=again)
        else:
            await self.guard.permit_part(Write(path), whole, again=again)

    async def _is_permitted(self, path: AbsPath, before: TextFile, after: TextFile) -> bool:
        permitted = self._permitted.get(path)
        if permitted is None or permitted[0] == before:
            return False
        base, mine = permitted
        return await to_thread.run_sync(merge, lf(base.text), lf(mine.text), lf(before.text)) == lf(after.text)

    async def remove(self, path: AbsPath, *, replaces: TextFile) -> None:
        await self._permit(path, replaces, None)
        await self.files.remove(path, replaces=replaces)
        self._made[path] = (replaces, None)

    async def read_bytes(self, path: AbsPath, limit: int) -> bytes:
        await self.guard.permit(Read(path), ShownText(f"Read `{path}`, which is outside the project"))
        return await self.files.read_bytes(path, limit)

    async def entries(self, path: AbsPath) -> list[DirEntry]:
        await self.guard.permit(Read(path), ShownText(f"List `{path}`, which is outside the project"))
        return await self.files.entries(path)


@dataclass(frozen=True, slots=True)
class GuardedTerminals:
    terminals: Terminals
    guard: Guard

    async def run(self, command: Command, sink: Sink, patience: Patience) -> Exit | Running:
        while True:
            redefined = self.terminals.redefined()
            await self._permit(command.line, other_meanings(command.line, redefined))
            try:
                # A job may end while the person is asked, and leave the shell otherwise.
                permitted = replace(command, placed=self._placed, redefined=redefined)
                return await self.terminals.run(permitted, sink, patience)
            except ShellChanged:
                continue

    async def _permit(self, line: str, meanings: Mapping[str, str]) -> None:
        effect = Execute(line, mark_of(meanings))
        why = [ShownText(in_words(meanings))] if self.guard.allowed_in_another_shell(effect) else []
        await self.guard.permit(effect, ShownCommand(line), *why)

    def redefined(self) -> Mapping[str, str]:
        return self.terminals.redefined()

    async def attend(self, job: str, keys: str, sink: Sink, patience: Patience) -> Exit | Running:
        lines = {each.id: each.line for each in self.terminals.jobs()}
        if keys in ("", INTERRUPT) or job not in lines:
            # To look, and to stop what was allowed, asks nobody but for a hook.
            await self.guard.insist()
            self.guard.emit(CallProgress(self.guard.tool_call_id))
        else:
            await self.guard.permit(Type(lines[job], keys), _typed(lines[job], keys))
        return await self.terminals.attend(job, keys, sink, patience)

    def jobs(self) -> tuple[Job, ...]:
        return self.terminals.jobs()

    async def end(self, job: str | None = None) -> None:
        await self.guard.insist()
        self.guard.emit(CallProgress(self.guard.tool_call_id))
        await self.terminals.end(job)

    def _placed(self, terminal_id: str) -> None:
        self.guard.emit(CommandPlaced(self.guard.tool_call_id, terminal_id))


@dataclass(frozen=True, slots=True)
class GuardedSearch:
    search: Search
    guard: Guard

    async def matches(self, query: Query, unsaved: Mapping[AbsPath, str]) -> Matches:
        await self._permit(query.path)
        return await self.search.matches(query, unsaved)

    async def paths(self, glob: str, path: AbsPath, *, ignored: bool) -> Paths:
        await self._permit(path)
        return await self.search.paths(glob, path, ignored=ignored)

    async def _permit(self, path: AbsPath) -> None:
        await self.guard.permit(Read(path), ShownText(f"Search all of `{path}`, which is outside the project"))


def _is_part(change: ShownDiff, whole: tuple[Shown, ...]) -> bool:
    """Tell whether exactly this change is shown there; a rename shows two, at its old place and at its new."""
    for item in whole:
        if not isinstance(item, ShownDiff):
            continue
        ends = [(item.path, item.old, item.new)]
        if item.moved_from is not None:
            ends = [(item.path, None, item.new), (item.moved_from, item.old, None)]
        if (change.path, change.old, change.new) in ends:
            return True
    return False


def _typed(line: str, keys: str) -> ShownText:
    said = fenced(f"$ {line}\n⟵ {spelled(keys)}", "console")
    return ShownText(f"Type into the running command:\n\n{said}")

"""Makes room in a model's window: before it is full, when a provider says that it was, or when the person says so.

Each rung has to shrink the conversation, or the next is taken: old output is left out, a model sums up what was, what
was is cut off, the turn ends with advice. What was left out is put into a file that the agent can search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Protocol, TypeVar

from openhands_acp.engine import attempts
from openhands_acp.engine.attempts import Overflow, answered, dropped
from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.context.compaction import (
    Budget,
    Facts,
    Kept,
    Plan,
    Where,
    budget_of,
    is_worth_it,
    list_of_steps,
    summary_text,
    weight,
    what_stays,
    without_old_outputs,
)
from openhands_acp.engine.context.retelling import (
    changed_files,
    numbers_in,
    parts_of,
    plan_in_words,
    results_in,
    told_whole,
)
from openhands_acp.engine.context.summarising import UNAFFORDABLE, Material, NoSummary, Task, summed_up
from openhands_acp.engine.context.window import Gauge, Prompt, gauge, in_words, window_after_refusal
from openhands_acp.engine.events import (
    CompactionProgress,
    Condensation,
    MessageDelta,
    NoticeEvent,
    ObservationEvent,
)
from openhands_acp.engine.items import Item, Step, weight_of_item
from openhands_acp.engine.messages import SystemMessage, UserMessage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM
from openhands_acp.engine.respond import Response
from openhands_acp.engine.session_ports import Ports
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage import limits

_ENOUGH = 0.6
"""Of the room: what leaves more than that in it would be done again soon."""
_LESS = 0.9
"""Of the conversation: only what is so much smaller is worth sending again after a refusal."""
_SHARES = (1.0, 0.5, 0.2, 0.0)
"""Of the budget, tried one after the other where the conversation is cut off."""
_SMALLEST = 4_000
"""Bytes that a person can have summed up."""


T = TypeVar("T")


class Session(attempts.Session, Protocol):
    ports: Ports
    outputs: AbsPath | None
    """The folder of the session's own where long texts are kept; None: there is none."""

    async def keep_output(self, name: str, text: str) -> KeptOutput | None:
        """Put a text into a file of `outputs`; None if that failed."""
        ...

    def recall(self, what: type[T]) -> T: ...


async def measured(session: Session, llm: LLM | None = None) -> Gauge:
    """Estimate how full the window of a model is, the session's own if no other is given."""
    llm = llm or await session.open_llm()
    return gauged(session, session.windows.get(llm.model, llm.context_window))


def gauged(session: Session, window: int | None, system: SystemMessage | None = None) -> Gauge:
    """Estimate how full a window of so many tokens is; `system` is the prompt that is to be written, if none is yet."""
    transcript = session.transcript
    prompt = transcript.system or system
    fixed = session.recall(Prompt).weight(prompt, (tool.spec for tool in session.tools.values()))
    return gauge(transcript.counted, transcript.weight, fixed, window, session.ports.bounds.most_tokens)


async def made_room(session: Session) -> bool:
    """Make room if the window is nearly full; tell whether anything was left out."""
    if not session.ports.bounds.compacts:
        return False
    now = await measured(session)
    if not now.is_full or not _is_promising(session.transcript.items, now):
        return False
    return await _Compaction(session, now).run(must=now.is_over)


async def answered_in_room(session: Session) -> Response | None:
    """Ask the model; None if it is to be asked anew: room was made, or a limit is reached. Raises TurnError."""
    begun = len(session.entries)
    try:
        return await answered(session)
    except Overflow as refusal:
        dropped(session, session.entries[begun:])
        refused = await measured(session, refusal.llm)
        # What somebody set may be less than what the provider would take.
        said = min([each for each in (refusal.error.window, refused.window) if each], default=None)
        model, window = refusal.llm.model, window_after_refusal(said, refused.tokens)
        session.windows[model] = window
        now = replace(refused, window=window)
        is_own = model == (await session.open_llm()).model
        if not session.ports.bounds.compacts:
            detail = f"This conversation is longer than {model} can read, and this sub-agent leaves out nothing of it."
            raise TurnError("context", f"{detail} `condenser` in its definition says so.") from refusal
        # Where another was asked in its place, the session's own model does not answer.
        if not await _Compaction(session, now, window if is_own else None, refusal.choice).run(must=True):
            raise TurnError("context", _nothing_left(session, model, now, said)) from refusal
        return None


async def compacted(session: Session, hint: str) -> str:
    """Sum up now what was, because the person wants it; tell what came of it. A failure leaves all as it is."""
    now = await measured(session)
    return await _Compaction(session, now).run_for_person(hint)


def _nothing_left(session: Session, model: str, now: Gauge, window: int | None) -> str:
    latest = next((item for item in reversed(session.transcript.items) if isinstance(item, UserMessage)), None)
    said = now.tokens_of(weight_of_item(latest)) if latest is not None else 0
    size = f" ({in_words(window)} tokens)" if window else ""
    return (
        f"This conversation is longer than {model} can read{size}, and nothing more of it can be "
        f"left out: your last message has about {in_words(said)} tokens, instructions and tools have "
        f"{in_words(now.fixed)}. Send less at once, a file's path instead of its text, say; or choose a model with a "
        "larger window, or begin a new session."
    )


def _is_promising(items: Sequence[Item], now: Gauge) -> bool:
    """Tell whether it is worth beginning: what was done to no end would be done again at the next step."""
    outputs = without_old_outputs(items, lambda _key: "")
    budget = budget_of(now)
    kept = what_stays(items, budget, lambda _key: "")
    freed = [weight(kept.gone(items)) - budget.longest_summary]
    freed += [now.weight - weight(outputs.of(items))] if outputs is not None else []
    freed += [now.weight - weight(kept.with_summary("cut", "").of(items))] if now.is_over else []
    return is_worth_it(now, max(freed))


# ---------------------------------------------------------------- one compaction


class _Compaction:
    def __init__(
        self, session: Session, now: Gauge, learnt: int | None = None, summarised_by: str | None = None
    ) -> None:
        self.session = session
        self.now = now
        self.learnt = learnt
        """The window of the session's model, if that is news."""
        self.summarised_by = summarised_by
        """Which model is asked, if not the session's own, where none is set for summaries."""
        self._begun = ""
        """What the person was told of it while it was done."""
        self._why_no_summary = ""
        self._output: KeptOutput | None = None

    @cached_property
    def _compaction_id(self) -> str:
        return self.session.new_id()

    @cached_property
    def _notice_id(self) -> str:
        return self.session.new_id()

    @property
    def items(self) -> list[Item]:
        return self.session.transcript.items

    async def run(self, *, must: bool) -> bool:
        """Climb down as far as is needed; tell whether anything was left out."""
        await self._keep_what_was()
        where = self._where()
        outputs = without_old_outputs(self.items, where)
        if outputs is not None and self._is_less(outputs, must=must) and self._is_enough(outputs):
            return self._do(outputs)
        kept = what_stays(self.items, budget_of(self.now), where)
        summary = await self._summary(kept, "")
        if summary is not None and self._is_less(summary, must=must):
            return self._do(summary)
        is_sufficient = outputs is not None and not self._after(outputs).is_full
        if outputs is not None and self._is_less(outputs, must=must) and (is_sufficient or not must):
            return self._do(outputs)
        cut = self._cut(where) if must or self._why_no_summary else None
        if cut is not None:
            return self._do(cut)
        self._failed(self._why_no_summary or "nothing more can be left out")
        return False

    async def run_for_person(self, hint: str) -> str:
        kept = what_stays(self.items, budget_of(self.now), lambda _key: "")
        if weight(kept.gone(self.items)) < _SMALLEST:
            return f"There is nothing to compact: the conversation has about {in_words(self.now.tokens)} tokens."
        await self._keep_what_was()
        kept = what_stays(self.items, budget_of(self.now), self._where())
        summary = await self._summary(kept, hint)
        if summary is None or not self._is_less(summary, must=True):
            why = self._why_no_summary or "the summary was no shorter than what it was to replace"
            self._failed(why)
            return "" if self._begun else f"Nothing was compacted: {why}."
        self._do(summary)
        return ""

    # ---------------------------------------------------------------- rungs

    async def _summary(self, kept: Kept, hint: str) -> Plan | None:
        gone = kept.gone(self.items)
        budget = budget_of(self.now)
        if weight(gone) <= budget.longest_summary:
            return None
        if not limits.affords(self.session):
            self._why_no_summary = UNAFFORDABLE
            return None
        try:
            # With what the person said before and since: else nobody would know what all that was for.
            since = [item for item in self.items[kept.until :] if isinstance(item, UserMessage)]
            said = await self._said([*self.items[: kept.until], *since], budget, hint)
        except NoSummary as failure:
            self._why_no_summary = str(failure)
            return None
        return kept.with_summary("summary", summary_text(said, kept.quotes, self._facts(), budget))

    async def _said(self, material: Sequence[Item], budget: Budget, hint: str) -> str:
        session = self.session
        self._begun = f"Compacting the conversation, which has {in_words(self.now.tokens)} tokens…"
        session.emit(CompactionProgress(self._compaction_id, "in_progress"))
        session.emit(MessageDelta(self._notice_id, "text", self._begun))
        is_done = False
        try:
            plan = plan_in_words(session.transcript.plan)
            task = Task(Material(material, results_in(session.entries), plan), budget.summary, hint)
            said = await summed_up(session, task, model=self.summarised_by, learnt=self.learnt)
            is_done = True
        except NoSummary:
            is_done = True
            raise
        finally:
            if not is_done:
                self._tell("Stopped; nothing was left out.")
                session.emit(CompactionProgress(self._compaction_id, "cancelled"))
        return said

    def _cut(self, where: Where) -> Plan | None:
        """Keep the end and what the person said, as much of it as fits; None if that is no less."""
        cuts: list[Plan] = []
        for share in _SHARES:
            budget = budget_of(self.now, share)
            kept = what_stays(self.items, budget, where)
            text = ""
            if gone := kept.gone(self.items):
                said = list_of_steps(gone, budget.summary) if share else ""
                text = summary_text(said, kept.quotes if share else (), self._facts(), budget)
            cuts.append(kept.with_summary("cut", text))
        less = [cut for cut in cuts if self._is_less(cut, must=True)]
        fitting = [cut for cut in less if not self._after(cut).is_full]
        return (fitting or less[::-1] or [None])[0]

    # ---------------------------------------------------------------- measuring

    def _after(self, plan: Plan) -> Gauge:
        return replace(self.now, weight=weight(plan.of(self.items)))

    def _is_enough(self, plan: Plan) -> bool:
        return self._after(plan).tokens <= self.now.fixed + _ENOUGH * self.now.room

    def _is_less(self, plan: Plan, *, must: bool) -> bool:
        """Tell whether it is worth doing, or, where something must be done, whether it is worth asking anew."""
        after = self._after(plan)
        if must:
            return after.weight <= _LESS * self.now.weight
        return is_worth_it(self.now, self.now.weight - after.weight)

    # ---------------------------------------------------------------- what stays true

    def _facts(self) -> Facts:
        place = ""
        if self._output is not None:
            place = (
                f"All of it, word for word, is in the files history-*.txt in {self.session.outputs}: search them with "
                "grep, or view parts of them, where this leaves something open."
            )
        files = tuple(changed_files(self.session.entries))
        return Facts(plan_in_words(self.session.transcript.plan), files, place)

    async def _keep_what_was(self) -> None:
        entries = self.session.entries
        parts = parts_of(entries)
        text = told_whole(parts[-1], numbers_in(entries))
        self._output = await self.session.keep_output(_name(len(parts)), text)

    def _where(self) -> Where:
        """Say of each call where its whole result is: in a file of its own, or in one of those with all."""
        entries, folder = self.session.entries, self.session.outputs
        places: dict[str, str] = {}
        numbers = numbers_in(entries)
        parts = parts_of(entries)
        for at, part in enumerate(parts, 1):
            for entry in part:
                match entry.event:
                    case ObservationEvent(tool_call_id=key, output=KeptOutput(path)):
                        places[key] = f"all of it is in {path}"
                    case ObservationEvent(tool_call_id=key) if at < len(parts) or self._output is not None:
                        number = numbers.get(key)
                        places[key] = f'all of it is in {folder}/{_name(at)} at "=== result of call {number}:"'
                    case _:
                        pass
        return lambda key: places.get(key, "make the call again if you need it")

    # ---------------------------------------------------------------- telling

    def _do(self, plan: Plan) -> bool:
        before, after = self.now.tokens, self._after(plan).tokens
        steps = sum(isinstance(item, Step) for item in self.items[: plan.until])
        event = Condensation(
            self._compaction_id,
            plan.stage,
            before,
            after,
            plan.until,
            plan.kept,
            plan.summary,
            plan.shortened,
            self._output,
            self.learnt,
        )
        what = _what(plan, steps, self._why_no_summary)
        self._tell(f"Compacted the conversation: {in_words(before)} → {in_words(after)} tokens ({what}).")
        self.session.emit(event)
        return True

    def _failed(self, why: str) -> None:
        if self._begun:
            self._tell(f"Nothing was left out: {why}.")
            self.session.emit(CompactionProgress(self._compaction_id, "failed", why))

    def _tell(self, text: str) -> None:
        begun = f"{self._begun}\n\n" if self._begun else ""
        self.session.emit(NoticeEvent(self._notice_id, "text", begun + text))


def _name(part: int) -> str:
    return f"history-{part}.txt"


def _what(plan: Plan, steps: int, why_cut: str) -> str:
    earlier = f"{steps} earlier step{'' if steps == 1 else 's'}"
    shortened = ["output that is too long is shortened"] if plan.shortened else []
    match plan.stage:
        case "outputs":
            what = "output of"
            if any(each.arguments is not None for each in plan.shortened):
                what = "output of, and long texts in,"
            return f"the {what} {len(plan.shortened)} older calls is left out"
        case "summary":
            return "; ".join([f"a summary replaces {earlier}", *shortened])
        case "cut":
            why = f" because {why_cut}" if why_cut else ""
            return "; ".join([*([f"{earlier} left out{why}"] if steps or not shortened else []), *shortened])

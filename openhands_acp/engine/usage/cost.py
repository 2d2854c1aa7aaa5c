"""What models used and cost, as a fold of events: by model and purpose, of the session and of its last turn.

Pure. Knows no limits (`budget`) but for what the person raised them to, which is told by events like the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from openhands_acp.engine.events import (
    ActionEvent,
    Condensation,
    ConversationErrorEvent,
    Event,
    MessageDelta,
    MessageEvent,
    PermissionDecided,
    ResponseDropped,
    ThoughtEvent,
    TurnEnded,
    TurnStarted,
    Usage,
    UsageEvent,
)

BROKEN_OFF = "broken off"
"""The purpose of what was paid for answers that did not come to their end, as it is estimated."""

Scope: TypeAlias = Literal["turn", "session"]

_RAISED, _LIFTED = "limit", "off"
"""A rule about a limit is `limit:<scope>:<what>:<number>`, or `off` in place of the number."""


@dataclass(slots=True)
class Used:
    """Some calls together."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    """Of `input_tokens`, as `cache_write_tokens` are."""
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """Of `output_tokens`."""
    known_cost: float = 0.0
    """Dollars; only of those calls whose price is known."""
    unpriced: int = 0
    """Calls whose price is not."""

    @property
    def cost_usd(self) -> float | None:
        """None once the price of one call was unknown, which is never zero."""
        return None if self.unpriced else self.known_cost

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def add(self, usage: Usage) -> None:
        self.calls += 1
        self.input_tokens += usage.input_tokens
        self.cached_tokens += usage.cached_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.output_tokens += usage.output_tokens
        self.reasoning_tokens += usage.reasoning_tokens
        if usage.cost_usd is None:
            self.unpriced += 1
        else:
            self.known_cost += usage.cost_usd


@dataclass(frozen=True, slots=True)
class Caller:
    """Which model was asked, and what for."""

    model: str
    purpose: str


@dataclass(slots=True)
class Bill:
    """What a turn, or a session, came to."""

    callers: dict[Caller, Used] = field(default_factory=dict[Caller, Used])
    whole: Used = field(default_factory=Used)
    steps: int = 0
    """Answers of the session's own model, those that failed half-way too."""
    untold: int = 0
    """Answers that came without figures: what they cost is unknown."""
    cut: int = 0
    """Answers that did not come to their end, and so to no figures."""

    @property
    def cost_usd(self) -> float | None:
        return None if self.untold else self.whole.cost_usd

    @property
    def unpriced(self) -> list[str]:
        """Models whose price is unknown."""
        return list(dict.fromkeys(caller.model for caller, used in self.callers.items() if used.unpriced))

    def add(self, caller: Caller, usage: Usage) -> None:
        self.callers.setdefault(caller, Used()).add(usage)
        self.whole.add(usage)


@dataclass(slots=True)
class Spending:
    session: Bill = field(default_factory=Bill)
    turn: Bill = field(default_factory=Bill)
    """Of the turn that runs, or of the last one."""
    context: int | None = None
    """Tokens of the conversation, as they were last counted."""
    window: int | None = None
    """Tokens that the model can read, as was last known."""
    raised: dict[tuple[Scope, str], float | None] = field(default_factory=dict[tuple[Scope, str], float | None])
    """Limits that the person raised: to what, or lifted (None)."""
    _open: str | None = None
    """An answer of which there are no figures yet."""
    _last: str | None = None
    """The answer that came last."""

    def apply(self, event: Event) -> None:
        match event:
            case MessageDelta():
                # By far the most of all events: passed over first.
                pass
            case UsageEvent():
                self._pay(event)
            case ThoughtEvent() | ActionEvent() | MessageEvent(role="assistant"):
                self._begin_answer(event.response_id)
            case Condensation():
                self.context, self.window = event.tokens_after, event.window or self.window
            case ResponseDropped() | ConversationErrorEvent():
                self._close_answer(is_cut=True)
            case TurnEnded():
                self._close_answer(is_cut=event.stop_reason == "cancelled")
            case TurnStarted():
                self.turn = Bill()
                self.raised = {key: to for key, to in self.raised.items() if key[0] == "session" or to is None}
            case PermissionDecided(rule=str(rule)):
                self._raise(rule)
            case _:
                pass

    def _pay(self, event: UsageEvent) -> None:
        if event.purpose in ("agent", BROKEN_OFF):
            self._open = None
        if event.purpose == "agent":
            self.context = event.usage.input_tokens + event.usage.output_tokens
            self.window = event.context_window
        else:
            self.window = event.context_window or self.window
        for bill in (self.turn, self.session):
            bill.add(Caller(event.model, event.purpose), event.usage)

    def _begin_answer(self, response_id: str | None) -> None:
        if response_id is None or response_id == self._last:
            return
        self._close_answer(is_cut=False)
        self._open = self._last = response_id
        for bill in (self.turn, self.session):
            bill.steps += 1

    def _close_answer(self, *, is_cut: bool) -> None:
        if self._open is None:
            return
        self._open = None
        for bill in (self.turn, self.session):
            bill.cut += is_cut
            bill.untold += not is_cut

    def _raise(self, rule: str) -> None:
        match rule.split(":"):
            case [kind, ("turn" | "session") as scope, what, to] if kind == _RAISED:
                self.raised[scope, what] = None if to == _LIFTED else float(to)
            case _:
                pass


def rule_to_raise(scope: Scope, what: str, to: float | None) -> str:
    """Spell what the person allowed as a rule, which `PermissionDecided` carries; None lifts the limit."""
    return f"{_RAISED}:{scope}:{what}:{_LIFTED if to is None else to}"


def dollars(amount: float) -> str:
    """Write an amount with as many digits as matter: cents, and fractions of them where it is small."""
    if amount >= 1 or not amount:
        return f"${amount:,.2f}"
    whole, _, fraction = f"{amount:.4f}".partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}" if amount >= 0.0001 else "under $0.0001"

"""Whatever models cost, and whatever the person allows: nothing goes over by more than the call that reached it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openhands_acp.engine.events import (
    ActionEvent,
    Entry,
    MessageEvent,
    PermissionDecided,
    TurnStarted,
    Usage,
    UsageEvent,
)
from openhands_acp.engine.ports import Finish
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage.budget import Limit, Limits
from openhands_acp.engine.waiting import Persistence
from tests.harness.check import TestBackend, agent
from tests.harness.editor import allowed
from tests.harness.model import Answer, ScriptedModel, call, say

CHOICES = {"once": "deliberate_allow_once", "always": "deliberate_allow_always", "stop": "reject_once"}
USAGES = st.builds(
    Usage,
    st.integers(1, 400),
    st.integers(0, 100),
    cost_usd=st.none() | st.integers(0, 40).map(lambda hundredths: hundredths / 1000),
)
LIMITS = st.builds(
    Limit,
    st.none() | st.integers(1, 80).map(lambda thousandths: thousandths / 1000),
    st.none() | st.integers(1, 1500),
    st.none() | st.integers(1, 6),
)


def _broken(spent: Usage) -> TurnError:
    return TurnError("network", "The connection broke. Check the network.", can_retry=True, spent=spent)


@dataclass(slots=True)
class Allowed:
    """What is in force, as the person was told it: none of the engine's own arithmetic."""

    limit: Limit
    cost: float = 0
    tokens: int = 0
    steps: int = 0
    unpriced: int = 0

    def take(self, event: UsageEvent) -> None:
        self.cost += event.usage.cost_usd or 0
        self.unpriced += event.usage.cost_usd is None
        self.tokens += event.usage.input_tokens + event.usage.output_tokens

    def problems(self) -> list[str]:
        limit = self.limit
        reached = {
            "cost": limit.max_cost is not None and self.cost >= limit.max_cost,
            "price": limit.max_cost is not None and self.unpriced > 0,
            "tokens": limit.max_tokens is not None and self.tokens >= limit.max_tokens,
            "steps": limit.max_steps is not None and self.steps >= limit.max_steps,
        }
        return [what for what, is_reached in reached.items() if is_reached]


def calls_over_a_limit(entries: Sequence[Entry], limits: Limits) -> list[str]:
    """Find model calls made where a limit was reached and the person had said nothing since the turn began."""
    session, turn = Allowed(limits.session), Allowed(limits.turn)
    found: list[str] = []
    has_allowed = False
    begun: set[str | None] = set()

    def asked(purpose: str) -> None:
        if not has_allowed:
            found.extend(f"{purpose}: {what}" for what in (*session.problems(), *turn.problems()))

    for entry in entries:
        match entry.event:
            case TurnStarted():
                turn = Allowed(limits.turn)
            case PermissionDecided(option="allow_once" | "allow_always"):
                has_allowed = True
            case ActionEvent(response_id=answer) | MessageEvent(role="assistant", response_id=answer):
                if answer not in begun:
                    # Whether it came to its end or broke off.
                    asked("agent")
                    begun.add(answer)
                    session.steps, turn.steps = session.steps + 1, turn.steps + 1
            case UsageEvent() as event:
                if event.purpose not in ("agent", "broken off"):
                    asked(event.purpose)
                session.take(event)
                turn.take(event)
            case _:
                pass
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(["calls", "calls", "ends", "breaks off"]), USAGES), min_size=1, max_size=8),
    st.lists(USAGES, min_size=1, max_size=4),
    st.builds(Limits, LIMITS, LIMITS),
    st.lists(st.sampled_from(["once", "always"]), max_size=2),
)
def test_no_budget_is_exceeded_by_more_than_one_call(
    steps: list[tuple[str, Usage]], judgements: list[Usage], limits: Limits, choices: list[str]
) -> None:
    answers: list[Answer] = [
        [
            *(call("think", thought=f"Thought {number}.") if what == "calls" else say(f"{number}.")),
            *([_broken(usage)] if what == "breaks off" else []),
            Finish("stop", usage),
        ]
        for number, (what, usage) in enumerate(steps)
    ]
    verdicts: list[Answer] = [
        [say('{"complete": false, "missing": "all"}'), Finish("stop", usage)] for usage in judgements
    ]
    verdicts.append([say('{"complete": true}')])
    person = iter(choices)

    def decided() -> Any:
        return allowed(CHOICES[next(person, "stop")])

    async def run() -> None:
        backend = TestBackend(ScriptedModel(answers[::2]), limits=limits, titles=True)
        backend.by_name["fake/other"] = ScriptedModel(answers[1::2], model="fake/other")
        backend.persistence = Persistence(1, ("fake/other",))
        backend.by_purpose["goal"] = ScriptedModel(verdicts, model="fake/judge")
        folder = Path(tempfile.mkdtemp(dir=parent))
        async with agent(folder, backend=backend, permission=lambda _params: decided()) as running:
            await running.prompt("/goal all of it")
            await running.prompt("and more")
            assert calls_over_a_limit(running.entries, limits) == []

    with tempfile.TemporaryDirectory() as parent:
        anyio.run(run)

"""How free a sub-agent may be, of what its definition says and what its session may do."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.permission.policy import Allow, Deny, Effect, Execute, Read, Verdict, Write, decide
from openhands_acp.engine.subagents.bounds import narrowed

ROOTS = (AbsPath("/w"),)
EFFECTS: tuple[Effect, ...] = (
    Read(AbsPath("/w/a")),
    Read(AbsPath("/etc/passwd")),
    Write(AbsPath("/w/a")),
    Write(AbsPath("/w/.git/config")),
    Write(AbsPath("/etc/hosts")),
    Execute("ls"),
    Execute("rm -rf /"),
)
MODES: tuple[Mode, ...] = get_args(Mode)


def freedom(verdict: Verdict) -> int:
    return 0 if isinstance(verdict, Deny) else 2 if isinstance(verdict, Allow) else 1


@pytest.mark.parametrize(("mode", "limit"), [*product(MODES, MODES)])
def test_it_is_never_freer_than_either(mode: Mode, limit: Mode) -> None:
    for effect, risk in product(EFFECTS, ("LOW", "HIGH")):
        verdicts = [
            freedom(decide(each, effect, risk=risk, roots=ROOTS)) for each in (narrowed(mode, limit), mode, limit)
        ]
        assert verdicts[0] <= min(verdicts[1:]), (effect, risk)


@pytest.mark.parametrize("mode", MODES)
def test_alike_or_unlimited_it_is_what_it_is(mode: Mode) -> None:
    assert (narrowed(mode, mode), narrowed(mode, "always-approve"), narrowed("always-approve", mode)) == (mode,) * 3

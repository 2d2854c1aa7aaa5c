"""Seconds without a sign of life: they begin anew with each, and stand still while a person is asked."""

from __future__ import annotations

import math

import anyio
import pytest

from openhands_acp.mcp.patience import Patience, Patiences

pytestmark = pytest.mark.anyio


async def test_nobody_waits_longer_than_was_said() -> None:
    patience = Patience(0.01)
    with patience.scope:
        await anyio.sleep_forever()
    assert patience.is_over


async def test_a_sign_of_life_begins_it_anew() -> None:
    patience = Patience(50)
    first = patience.scope.deadline
    await anyio.sleep(0.001)
    patience.renew()
    assert patience.scope.deadline > first


async def test_no_time_passes_while_somebody_is_asked_for_those_who_begin_to_wait_then_too() -> None:
    patiences = Patiences()
    with patiences.waiting(50) as first:
        with patiences.hold(), patiences.waiting(60) as second:
            with patiences.hold():
                first.renew()
            assert [patience.scope.deadline for patience in (first, second)] == [math.inf, math.inf]
        assert first.scope.deadline < math.inf
        with patiences.waiting(60) as third:
            assert third.scope.deadline < math.inf

"""Seconds without a sign of life: they begin anew with each, and stand still while a person is asked."""

from __future__ import annotations

import math

import anyio
import pytest

from openhands_acp.mcp.patience import Patience, hold_all

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


async def test_no_time_passes_while_somebody_is_asked() -> None:
    patiences = [Patience(50), Patience(60)]
    with hold_all(patiences), patiences[0].hold():
        patiences[0].renew()
        assert [patience.scope.deadline for patience in patiences] == [math.inf, math.inf]
    assert all(patience.scope.deadline < math.inf for patience in patiences)

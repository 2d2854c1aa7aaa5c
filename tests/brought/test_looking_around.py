"""Looks at what people wrote down: a session's announcement and its first prompt may want one at the same time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from openhands_acp.brought import Brought, SessionHooks
from openhands_acp.engine.guidance.inventory import NOTHING, Inventory
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


class SlowReader:
    """Says what was trusted when a look began; the first takes long."""

    def __init__(self) -> None:
        self.begun = 0
        self.second = anyio.Event()

    async def look(self, _covers: object) -> Inventory:
        self.begun += 1
        if self.begun == 1:
            with anyio.move_on_after(0.2):
                await self.second.wait()
        else:
            self.second.set()
        return NOTHING


async def test_a_look_from_before_the_trust_does_not_come_in_after_one_from_behind_it(tmp_path: Path) -> None:
    around = SimpleNamespace(home=tmp_path, roots=(), covers=None)
    servers = SimpleNamespace(configure=list)
    reader, over = SlowReader(), list[int]()
    hooks = SessionHooks(cast("Any", None))
    brought = Brought(cast("Any", around), cast("Any", servers), hooks, cast("Any", None), lambda: cast("Any", reader))

    async def look(number: int) -> None:
        await brought.look_around()
        over.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look, 1)
        with anyio.fail_after(PATIENCE):
            await until(lambda: reader.begun > 0)
        tasks.start_soon(look, 2)
    assert over == [1, 2]

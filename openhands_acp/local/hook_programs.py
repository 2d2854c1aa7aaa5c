"""Hooks as processes of this machine: a line of the shell each, ended with all that it started.

Does not know when a hook is run, nor what is made of what it says.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field

import anyio

from openhands_acp.engine.hooks.definitions import Hook, Ran, variables
from openhands_acp.engine.messages import JsonObject
from openhands_acp.local.programs import LocalProgram, LocalPrograms

_LONGEST = 50_000
"""Bytes of its stdout that are read."""
_LAST_WORDS = 0.2
"""Seconds for what it printed to come, once it is gone: what it left running may hold its stdout for ever."""


@dataclass(frozen=True, slots=True)
class HookPrograms:
    """Runs hooks on this machine (`Runner`)."""

    programs: LocalPrograms

    async def run(self, hook: Hook, payload: JsonObject) -> Ran:
        command, *args = _shell(hook.command)
        try:
            program = await self.programs.start(command, args, variables(hook, payload), str(payload["cwd"]))
        except (OSError, ValueError) as error:
            # A line may have a character in it that no program can be given.
            reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
            return Ran(None, failure=f"cannot be started ({reason})")
        code, printed = None, _Printed()
        try:
            with anyio.move_on_after(hook.timeout):
                code = await _talk(program, json.dumps(payload).encode(), printed)
        finally:
            await program.end()
        stdout = printed.data.decode("utf-8", "replace")
        if code is None:
            return Ran(None, stdout, program.said(), f"did not end in {hook.timeout:g} s, and was ended")
        return Ran(code, stdout, program.said())


@dataclass(slots=True)
class _Printed:
    data: bytearray = field(default_factory=bytearray)
    is_all: anyio.Event = field(default_factory=anyio.Event)


def _shell(line: str) -> list[str]:
    if sys.platform == "win32":
        return [os.environ.get("COMSPEC", "cmd.exe"), "/d", "/s", "/c", line]
    return ["/bin/sh", "-c", line]


async def _talk(program: LocalProgram, told: bytes, printed: _Printed) -> int:
    code = -1
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_tell, program, told)
        tasks.start_soon(_hear, program, printed)
        code = await program.exited()
        with anyio.move_on_after(_LAST_WORDS):
            await printed.is_all.wait()
        tasks.cancel_scope.cancel()
    return code


async def _tell(program: LocalProgram, told: bytes) -> None:
    try:
        await program.send(told)
    except OSError:
        # It need not read it.
        return
    program.hang_up()


async def _hear(program: LocalProgram, printed: _Printed) -> None:
    while block := await program.receive():
        # All of it is taken, so that it never waits for us.
        printed.data += block[: _LONGEST - len(printed.data)]
    printed.is_all.set()

"""Commands for a shell that somebody else starts on this machine, such as the editor's: where they go on, and stop.

The shell's state travels as it does here (`shell_state`). Knows nothing of who runs them.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Command, ShellChanged, Spelt
from openhands_acp.local.output_log import OutputLog
from openhands_acp.local.terminals import QUIETENED

if sys.platform != "win32":
    from openhands_acp.local.shell_state import ShellState, is_bash_here

logger = logging.getLogger(__name__)

# A terminal that a person looks at draws what it can.
_VARIABLES: Mapping[str, str] = {name: value for name, value in QUIETENED.items() if name != "TERM"}


class Elsewhere:
    """Spells the commands of one session; `spool` is the folder for long outputs, if they are kept."""

    def __init__(self, state: ShellState, spool: Path | None) -> None:
        self._state = state
        self._spool = spool

    def spell(self, command: Command) -> Spelt:
        """Have bash run it, whatever shell is asked to, for only bash carries all of the state.

        Raises OSError if the folder that the shell was left in is gone; the next command begins anew. Raises
        ShellChanged where it is not permitted as the shell is now.
        """
        if command.redefined not in (None, self._state.redefined()):
            raise ShellChanged
        cwd = self._cwd(command)
        mark = uuid4().hex
        if sys.platform == "win32" or not is_bash_here():
            return Spelt(command.line, cwd, _VARIABLES, lambda output: self._kept(mark, output))
        # The shell round it may be a bash that reads the same file, and must leave it to this one.
        first = f'[ "$BASH_EXECUTION_STRING" = {shlex.quote(command.line)} ] || return 0'
        try:
            # What the other shell is started with is much like ours: whoever started it started us.
            file = self._state.begin(mark, os.environ, {}, first=first)
        except OSError as error:
            logger.warning("the state of the shell cannot be kept: %s", error)
            return Spelt(command.line, cwd, _VARIABLES, lambda output: self._kept(mark, output))

        def ended(output: str) -> KeptOutput | None:
            self._state.take_up(file)
            return self._kept(mark, output)

        # The line in quotes, and nothing else: it is what the editor shows a person.
        line = f"bash -c {shlex.quote(command.line)}"
        return Spelt(line, cwd, {**_VARIABLES, **self._state.entrance(file)}, ended)

    def _cwd(self, command: Command) -> AbsPath:
        left = self._state.left
        if left is None or os.path.isdir(left.cwd):
            return command.cwd if left is None else AbsPath(left.cwd)
        self._state.left = replace(left, cwd=command.cwd)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), left.cwd)

    def _kept(self, mark: str, output: str) -> KeptOutput | None:
        log = OutputLog(self._spool / f"{mark}.txt" if self._spool is not None else None)
        log.add(output)
        log.close()
        return log.kept

"""A shell of a few hundred kB beside this process kills what it started when it is gone, however it ended.

It waits for a pipe of ours to close, which the system does even where we are killed. Knows nothing of what it kills
but a group, or a mark in the environment.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass

logger = logging.getLogger(__name__)

_WATCH = """
read _
[ "$1" ] && kill -s KILL -- "-$1"
for look in 1 2 3; do
  for found in $(grep -ls "$2" /proc/[0-9]*/environ); do
    found=${found#/proc/}
    kill -s KILL "${found%/environ}"
  done
done
"""
"""Kills the group, and on Linux what carries the mark, with what that starts meanwhile. It does not carry it itself."""
ENVIRONMENT = {"LC_ALL": "C"}
"""Not empty: that is how a process looks which has yet to become its program, and whose mark would be waited for."""


@dataclass(slots=True)
class Watch:
    """Over all that have `mark` in their environment, on Linux, and over a process group."""

    mark: str
    group: int | None = None
    _shell: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Watch from now on, if that is not so already and anybody can."""
        is_possible = sys.platform == "linux" or (sys.platform != "win32" and self.group is not None)
        if self._shell is not None or not is_possible:
            return
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, "sh", str(self.group or ""), self.mark],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            logger.warning("nothing watches over what is started here: %s", error)

    def call_off(self) -> None:
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.kill()
            shell.wait()
            assert shell.stdin is not None
            shell.stdin.close()

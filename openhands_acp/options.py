"""What the command line says to the server. Light: the process answers `initialize` before it reads anything else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openhands_acp.engine.modes import Mode


@dataclass(frozen=True, slots=True)
class Options:
    """None is "nothing was said"."""

    model: str | None = None
    mode: Mode | None = None
    wire_file: Path | None = None
    log_file: Path | None = None
    resume: str | None = None
    """The session that the next `session/new` continues: its id, or "last"."""

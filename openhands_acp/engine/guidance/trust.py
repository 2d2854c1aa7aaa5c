"""The door to what a person trusts of a project, and what it is without one. Light: each session has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from openhands_acp.engine.paths import AbsPath

if TYPE_CHECKING:
    from openhands_acp.engine.guidance.inventory import Withheld


class Trust(Protocol):
    """What the person trusts, by folders."""

    def covers(self, thing: Withheld) -> bool:
        """Tell whether it may run."""
        ...

    def extend(self, things: Sequence[Withheld], *, for_good: bool) -> str:
        """Trust these as they are, in this process or `for_good`; return in words what of it did not work."""
        ...

    def extended(self, folders: Sequence[AbsPath]) -> int:
        """Count what the person said to trust in these folders."""
        ...

    def forget(self, folders: Sequence[AbsPath]) -> str:
        """Trust nothing of these any more, but what settings say; return in words what of it did not work."""
        ...


class TrustsEverything:
    """For a session that is given nothing of a project's."""

    def covers(self, thing: Withheld) -> bool:
        return True

    def extend(self, things: Sequence[Withheld], *, for_good: bool) -> str:
        return ""

    def extended(self, folders: Sequence[AbsPath]) -> int:
        return 0

    def forget(self, folders: Sequence[AbsPath]) -> str:
        return ""

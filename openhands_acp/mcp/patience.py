"""How long somebody who may be busy is waited for: seconds without a sign of life, none while a person is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio


class Patience:
    """A cancel scope (`scope`) whose deadline begins anew with each sign of life."""

    def __init__(self, seconds: float, is_held: Callable[[], bool] = lambda: False) -> None:
        self.seconds = seconds
        self.scope = anyio.CancelScope()
        self._is_held = is_held
        self.renew()

    @property
    def is_over(self) -> bool:
        return self.scope.cancelled_caught

    def renew(self) -> None:
        self.scope.deadline = math.inf if self._is_held() else anyio.current_time() + self.seconds


@dataclass(slots=True)
class Patiences:
    """All that wait for one server, which may do one thing after the other."""

    _waiting: set[Patience] = field(default_factory=set[Patience])
    _holds: int = 0

    @contextmanager
    def waiting(self, seconds: float) -> Generator[Patience]:
        patience = Patience(seconds, lambda: self._holds > 0)
        self._waiting.add(patience)
        try:
            yield patience
        finally:
            self._waiting.discard(patience)

    @contextmanager
    def hold(self) -> Generator[None]:
        """Let no time pass, for who begins to wait meanwhile, too: what keeps the server is not its doing."""
        self._turn(1)
        try:
            yield
        finally:
            self._turn(-1)

    def _turn(self, by: int) -> None:
        self._holds += by
        for patience in self._waiting:
            patience.renew()

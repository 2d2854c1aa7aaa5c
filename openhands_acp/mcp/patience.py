"""How long somebody who may be busy is waited for: seconds without a sign of life, none while a person is asked."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager

import anyio


class Patience:
    """A cancel scope (`scope`) whose deadline begins anew with each sign of life."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.scope = anyio.CancelScope()
        self._holds = 0
        self.renew()

    @property
    def is_over(self) -> bool:
        return self.scope.cancelled_caught

    def renew(self) -> None:
        self.scope.deadline = math.inf if self._holds else anyio.current_time() + self.seconds

    @contextmanager
    def hold(self) -> Generator[None]:
        """Let no time pass: what keeps the other is not their doing."""
        self._holds += 1
        self.renew()
        try:
            yield
        finally:
            self._holds -= 1
            self.renew()


@contextmanager
def hold_all(patiences: Iterable[Patience]) -> Generator[None]:
    with ExitStack() as held:
        for patience in tuple(patiences):
            held.enter_context(patience.hold())
        yield

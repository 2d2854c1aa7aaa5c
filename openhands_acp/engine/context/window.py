"""How full a model's window is, and when that is too full. Pure: counts what a provider counted, and tokenises nothing.

A provider's last count, and what was sent then, give the bytes of a token; all else follows from the bytes
there are now. A count that cannot be is not believed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from openhands_acp.engine.items import weight_of
from openhands_acp.engine.messages import SystemMessage
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.transcript import Counted

_USUAL = 3.5
"""Bytes of a token, where nobody counted."""
_FEWEST, _MOST = 1.2, 10.0
"""What they can be: between noise and blank lines."""
_FULL = 0.8
"""Of the window; models get worse before it is full."""
_ANSWER = 20_000
"""Tokens that an answer may need, in a large window."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """What is in the window, in tokens, estimated."""

    fixed: int
    """Prompt and tools: what no compaction touches."""
    weight: int
    """Of the conversation, in bytes."""
    rate: float
    """Bytes of a token."""
    window: int | None
    """None: nobody knows."""
    is_doubtful: bool = False
    """The provider counts what cannot be."""
    most: int | None = None
    """Tokens beyond which room has to be made, whatever the window is; None: it says."""

    @property
    def tokens(self) -> int:
        return self.fixed + self.tokens_of(self.weight)

    @property
    def limit(self) -> int | None:
        """From so many tokens on room has to be made."""
        if self.window is None and self.most is None:
            return None
        limit = limit_of(self.window) if self.window is not None else self.most or 0
        limit = limit if self.most is None else min(limit, self.most)
        # Prompt and tools can fill a small window by themselves; then the conversation has what is left.
        limit = max(limit, self.fixed + limit // 5)
        return limit if self.window is None else min(limit, self.window)

    @property
    def room(self) -> int:
        """Tokens that the conversation may have."""
        limit = self.limit if self.limit is not None else self.tokens
        return max(limit - self.fixed, limit // 20)

    @property
    def is_full(self) -> bool:
        return self.limit is not None and self.tokens > self.limit

    @property
    def is_over(self) -> bool:
        """Tell whether a provider would refuse it, or silently read only a part. In doubt it may say so itself."""
        return self.window is not None and self.tokens > self.window and not self.is_doubtful

    def tokens_of(self, weight: int) -> int:
        return round(weight / self.rate)

    def bytes_of(self, tokens: float) -> int:
        return int(tokens * self.rate)


def gauge(counted: Counted | None, weight: int, fixed: int, window: int | None, most: int | None = None) -> Gauge:
    """Measure a conversation of `weight` bytes, with a prompt and tools of `fixed` bytes."""
    said = (counted.weight + fixed) / counted.tokens if counted is not None and counted.tokens > 0 else _USUAL
    is_doubtful = not _FEWEST <= said <= _MOST
    rate = _USUAL if is_doubtful else said
    return Gauge(round(fixed / rate), weight, rate, window, is_doubtful, most)


def limit_of(window: int) -> int:
    return int(min(window * _FULL, window - min(_ANSWER, window // 4)))


def window_after_refusal(known: int | None, refused: int) -> int:
    """Return the window to go by after a refusal of `refused` tokens, as they are estimated here.

    `known` is what the refusal said or what was known before, whichever is less. Where the estimate is below it, the
    estimate is what is wrong, and all that is compared with the window is estimated; but far below it, the refusal was
    about something else: the length of an answer, say.
    """
    return refused if known is None else min(known, max(refused, known // 2))


class Prompt:
    """Weighs what stands in front of a session's conversation, anew only when it is something else."""

    def __init__(self) -> None:
        self._of: tuple[SystemMessage | None, tuple[ToolSpec, ...]] = None, ()
        self._weight = 0

    def weight(self, system: SystemMessage | None, tools: Iterable[ToolSpec]) -> int:
        now = system, tuple(tools)
        if now != self._of:
            halves = (system.static, system.dynamic) if system is not None else ()
            self._of, self._weight = now, sum(map(weight_of, halves)) + sum(map(weight_of_tool, now[1]))
        return self._weight


def weight_of_tool(spec: ToolSpec) -> int:
    return weight_of(spec.name) + weight_of(spec.description) + len(json.dumps(spec.parameters))


def in_words(tokens: int) -> str:
    """Spell a number of tokens as people say it: 950, 1.2k, 151k, 1.5M."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if tokens >= unit * 0.9995:
            amount = tokens / unit
            return f"{round(amount, 1):g}{name}" if amount < 9.95 else f"{amount:.0f}{name}"
    return str(tokens)

"""Output on its way to a client that draws a terminal, control sequences and all. Pure.

A terminal draws what a person can see: of a flood between two looks, its beginning and its end are enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD, TAIL = 8_000, 24_000
"""Characters that one look may hold: more than fits on any screen."""
_CUT = "\x1b[0m[… too fast to draw …]\n"


@dataclass(slots=True)
class Undrawn:
    """What was printed since the last `take`, bounded."""

    _head: str = ""
    _tail: list[str] = field(default_factory=list[str])
    _held: int = 0
    _is_cut: bool = False

    def add(self, text: str) -> None:
        room = HEAD - len(self._head)
        self._head += text[:room]
        if rest := text[room:]:
            self._tail.append(rest)
            self._held += len(rest)
        if self._held > 2 * TAIL:
            joined = "".join(self._tail)
            self._tail = [joined[-TAIL:]]
            self._is_cut = True
            self._held = TAIL

    def take(self) -> str:
        """Return it, and begin anew."""
        head, tail, is_cut = self._head, "".join(self._tail), self._is_cut or self._held > TAIL
        self._head, self._tail, self._held, self._is_cut = "", [], 0, False
        if not is_cut:
            return head + tail
        tail = tail[-TAIL:]
        # Cut where a line ends, so that no control sequence is torn; a line that long is torn anyway.
        head = head[: head.rfind("\n") + 1] or f"{head}\n"
        return f"{head}{_CUT}{tail[tail.find(chr(10)) + 1 :]}"

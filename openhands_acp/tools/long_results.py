"""Results that are too long to be read at once: head and tail are told, and all of it is kept in a file."""

from __future__ import annotations

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.ports import SHOWN
from openhands_acp.engine.tool import Hands
from openhands_acp.tools.bounds import Bounded
from openhands_acp.tools.terminal_words import where_it_is


async def told(text: str, hands: Hands) -> tuple[str, KeptOutput | None]:
    """Return what a model is told of `text`, and where all of it is, if that is more."""
    if len(text) <= SHOWN:
        return text, None
    kept = await hands.keep(text)
    bounded = Bounded(SHOWN // 2, SHOWN // 2)
    bounded.add(text)
    return "\n".join([bounded.text(), *where_it_is(kept)]), kept

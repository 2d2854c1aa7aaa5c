"""A session's title in the model's words, in place of the first prompt's."""

from __future__ import annotations

import logging
from typing import Protocol

from openhands_acp.engine import consulting
from openhands_acp.engine.consulting import consulted
from openhands_acp.engine.events import (
    ConversationErrorEvent,
    ConversationStateUpdateEvent,
    Entry,
    TurnEnded,
)
from openhands_acp.engine.messages import SystemMessage, Text, UserMessage, plain_text
from openhands_acp.engine.titles import cleaned, title_of
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.usage.limits import Payer, affords

logger = logging.getLogger(__name__)

_ASKED_ABOUT = 2_000
"""Characters of the prompt that a title is made of."""
_PATIENCE = 400
"""Characters of an answer that are listened to: a model that does not stop is not asked for an essay."""
_TASK = (
    "Write a title for a conversation that begins with the message you are given: what it is about, in at most eight "
    "words, in the language of the message. Answer with the title alone, without quotes or a full stop."
)


class Session(consulting.Session, Payer, Protocol):
    entries: list[Entry]


async def entitle(session: Session) -> None:
    """Ask the model for a better title than the first prompt's, after the first turn. Never fails."""
    transcript = session.transcript
    first = transcript.first_prompt
    if first is None or transcript.title != title_of(first.parts) or not _has_had_one_good_turn(session.entries):
        return
    if not affords(session):
        return
    try:
        about = UserMessage((Text(plain_text(first.parts)[:_ASKED_ABOUT]),))
        title = cleaned(await consulted(session, "title", [SystemMessage(_TASK, ""), about], longest=_PATIENCE))
    except TurnError as error:
        logger.info("no title: %s", error)
        return
    if title and transcript.title == title_of(first.parts):
        session.emit(ConversationStateUpdateEvent("title", title))


def _has_had_one_good_turn(entries: list[Entry]) -> bool:
    events = [entry.event for entry in entries]
    ends = [event for event in events if isinstance(event, TurnEnded)]
    has_failed = any(isinstance(event, ConversationErrorEvent) for event in events)
    return len(ends) == 1 and ends[0].stop_reason == "end_turn" and not has_failed

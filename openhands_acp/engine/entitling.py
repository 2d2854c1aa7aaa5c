"""A session's title in the model's words, in place of the first prompt's."""

from __future__ import annotations

import logging
import re
from typing import Protocol

from openhands_acp.engine import consulting
from openhands_acp.engine.consulting import consulted
from openhands_acp.engine.events import (
    ActionEvent,
    ConversationErrorEvent,
    ConversationStateUpdateEvent,
    Entry,
    MessageEvent,
    TurnEnded,
    TurnStarted,
    UsageEvent,
)
from openhands_acp.engine.messages import SystemMessage, Text, UserMessage, plain_text
from openhands_acp.engine.titles import cleaned, title_of, words_of
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


_LABEL = re.compile(r"^\W*title\W*:\W*", re.IGNORECASE)


class Session(consulting.Session, Payer, Protocol):
    entries: list[Entry]


async def entitle(session: Session, *, is_put_off: bool = False) -> None:
    """Ask the model for a better title than the first prompt's, after the first turn that went well. Never fails.

    `is_put_off` says that this was begun before and not ended: then any later turn will do.
    """
    transcript = session.transcript
    first = transcript.first_prompt
    if first is None or transcript.title != title_of(first.parts):
        return
    answers = _first_answers(session.entries, is_put_off=is_put_off)
    if answers is None or not affords(session):
        return
    # Of what was only attached, the answer says more.
    about = words_of(first.parts) or "\n".join(answers)
    if not about:
        return
    try:
        message = UserMessage((Text(about[:_ASKED_ABOUT]),))
        title = _without_label(
            await consulted(session, "title", [SystemMessage(_TASK, ""), message], longest=_PATIENCE)
        )
    except TurnError as error:
        logger.info("no title: %s", error)
        return
    if title and transcript.title == title_of(first.parts):
        session.emit(ConversationStateUpdateEvent("title", title))


def _first_answers(entries: list[Entry], *, is_put_off: bool) -> list[str] | None:
    """Return what the model said in the turn that has just ended, if it is the first in which it did its work.

    None otherwise, and if a title was asked for before.
    """
    answers: list[str] = []
    has_worked, has_failed, good_turns = False, False, 0
    for entry in entries:
        match entry.event:
            case TurnStarted():
                answers, has_worked, has_failed = [], False, False
            case MessageEvent(role="assistant", content=content):
                answers.append(plain_text(content))
                has_worked = True
            case ActionEvent():
                has_worked = True
            case ConversationErrorEvent():
                has_failed = True
            case TurnEnded(stop_reason=reason):
                has_failed = has_failed or reason != "end_turn"
                good_turns += has_worked and not has_failed
            case UsageEvent(purpose="title"):
                return None
            case _:
                pass
    return answers if has_worked and not has_failed and (good_turns == 1 or is_put_off) else None


def _without_label(answer: str) -> str:
    """Clean a title that a small model may have thought aloud about, or called one."""
    return cleaned(_LABEL.sub("", answer.rpartition("</think>")[2]))

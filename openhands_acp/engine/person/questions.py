"""Questions to the person about how a turn is to go on, which no call of the model asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.events import CallDelta, Event, PermissionDecided, QuestionAnswered
from openhands_acp.engine.ports import Answer, Option, Permissions, Question


class Session(Protocol):
    @property
    def permissions(self) -> Permissions: ...

    def emit(self, event: Event) -> str: ...

    def new_id(self) -> str: ...


_NO_RULES: Mapping[str, str] = {}


async def ask(
    session: Session, title: str, why: str, options: tuple[Option, ...], rules: Mapping[str, str] = _NO_RULES
) -> Answer:
    """Show a card with the question, and wait. "cancelled" is a person who did not want to say.

    `rules` says of an answer what it allows from now on.
    """
    tool_call_id = session.new_id()
    card = Card(title, "other", (), (ShownText(why),))
    session.emit(CallDelta(tool_call_id, "question", card))
    answer = await session.permissions.ask(Question(tool_call_id, card, {}, options))
    names: Mapping[str, str] = {option.id: option.name for option in options}
    session.emit(PermissionDecided(tool_call_id, answer, rules.get(answer)))
    session.emit(QuestionAnswered(tool_call_id, card, names.get(answer, "Not answered")))
    return answer

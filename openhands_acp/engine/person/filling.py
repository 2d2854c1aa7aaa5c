"""Has a form filled in by whatever the client has: its own form, else buttons where it is one choice."""

from __future__ import annotations

from typing import assert_never

from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.person.door import Button, Filled, Form, Person, Pick, Picked, Reply
from openhands_acp.engine.person.forms import Choice, only_choice

MOST_BUTTONS = 6
_NO_ANSWER = "none"


async def filled(person: Person, form: Form) -> Reply:
    """Show the form, or as buttons if the client has no forms and it is one choice of a few."""
    reply = await person.fill(form)
    return await chosen(person, form) if reply == "unable" else reply


async def chosen(person: Person, form: Form) -> Reply:
    """Show as buttons what is one choice of a few.

    Buttons need the call that they belong to; dismissed there means that the person wants the turn to stop.
    """
    found = only_choice(form.schema)
    if found is None or form.tool_call_id is None or len(found[1]) > MOST_BUTTONS:
        return "unable"
    name, offered = found
    answer = await person.pick(Pick(form.tool_call_id, _card(form, offered), _buttons(offered)))
    match answer:
        case Picked(button) if button == _NO_ANSWER:
            return "declined"
        case Picked(button):
            return Filled({name: offered[int(button)].value})
        case "dismissed" | "unable":
            return answer
        case _:
            assert_never(answer)


def _card(form: Form, offered: tuple[Choice, ...]) -> Card:
    said = f"{form.asker} asks: {form.message}" if form.asker else form.message
    described = [f"- **{choice.name}**: {choice.description}" for choice in offered if choice.description]
    # Some clients show nothing but the title.
    title = said.strip().partition("\n")[0]
    return Card(title, "other", (), (ShownText("\n".join([said, *([""] if described else []), *described])),))


def _buttons(offered: tuple[Choice, ...]) -> tuple[Button, ...]:
    # First what clients choose that answer by themselves: an answer that the person never gave helps nobody.
    none = Button(_NO_ANSWER, "Do not answer", "reject_once")
    return none, *(Button(str(at), choice.name) for at, choice in enumerate(offered))

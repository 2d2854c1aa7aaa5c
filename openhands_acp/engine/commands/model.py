"""The slash command `/model`: which models there are, and the choice of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from openhands_acp.engine.choices import Choice, Choices, Refused, meant

_SHOWN = 100


class Session(Protocol):
    @property
    def model(self) -> str: ...

    @property
    def choices(self) -> Choices: ...

    def set_option(self, key: str, value: str) -> None: ...


async def model(session: Session, argument: str) -> str:
    choices = await session.choices.found()
    if not argument:
        return _table(choices, session.model)
    candidates = meant(argument, choices)
    value = candidates[0].value if len(candidates) == 1 else argument
    try:
        chosen = await session.choices.look_up(value)
    except Refused as refused:
        if len(candidates) > 1:
            return f"`{argument}` could be {_names(candidates)}. Write more of it."
        return f"The model stays `{session.model}`. `{value}` cannot be chosen: {refused}"
    if len(candidates) > 1 and not chosen.is_listed:
        return f"`{argument}` could be {_names(candidates)}. Write more of it."
    session.set_option("model", chosen.value)
    doubt = "" if chosen.is_listed else " It is on no list that is known here: its provider will say whether it has it."
    return f"The model is now `{chosen.value}`, from its next call on.{doubt}"


def _table(choices: Sequence[Choice], current: str) -> str:
    rows = [_row(choice, current) for choice in choices[:_SHOWN]]
    more = [f"| and {len(choices) - _SHOWN:,} more | | |"] if len(choices) > _SHOWN else []
    return "\n".join(
        [
            f"The model is `{current}`. `/model NAME` chooses another: a part of a name that only one has will do, "
            "and so will any PROVIDER/NAME for which there is a key.",
            "",
            "| model | tokens it reads | per million tokens |",
            "| --- | --- | --- |",
            *rows,
            *more,
        ]
    )


def _row(choice: Choice, current: str) -> str:
    name = f"`{choice.value}`" + (f" {choice.note}" if choice.note else "")
    mark = f"**{name}**" if choice.value == current else name
    price = choice.price.removesuffix(" per million")
    return f"| {mark} | {f'{choice.window:,}' if choice.window else ''} | {price} |"


def _names(choices: Sequence[Choice]) -> str:
    named = ", ".join(f"`{choice.value}`" for choice in choices[:10])
    return f"{named} or others" if len(choices) > 10 else named

"""Prompts of servers, as what a person types after their names fills them in."""

from __future__ import annotations

import shlex
from typing import Protocol

from openhands_acp.engine.messages import Part
from openhands_acp.engine.servers.door import RemoteFailure, RemotePrompt, Servers


class Session(Protocol):
    @property
    def servers(self) -> Servers: ...


async def prompt_in_words(session: Session, prompt: RemotePrompt, argument: str) -> tuple[Part, ...]:
    """Return what a model is told where a person types `argument` after the prompt's name. Raises RemoteFailure."""
    given = arguments_in(argument, prompt)
    if missing := [name for name, must in prompt.arguments if must and name not in given]:
        usage = " ".join(name.upper() if must else f"[{name.upper()}]" for name, must in prompt.arguments)
        raise RemoteFailure(
            f"it needs {' and '.join(f'`{name}`' for name in missing)}. Write {usage} after it; what has blanks goes "
            "in quotes, and `name=value` says which is meant"
        )
    return await session.servers.prompt(prompt, given)


def arguments_in(typed: str, prompt: RemotePrompt) -> dict[str, str]:
    """Read `name=value` wherever it stands; other words in the arguments' order, of which the last takes the rest."""
    names = [name for name, _ in prompt.arguments]
    given: dict[str, str] = {}
    words: list[str] = []
    for word in _words(typed):
        name, equals, value = word.partition("=")
        if equals and name in names:
            given[name] = value
        else:
            words.append(word)
    free = [name for name in names if name not in given]
    for name in free[:-1]:
        if words:
            given[name] = words.pop(0)
    if words and free:
        # As it was typed, where there is nothing else to read.
        given[free[-1]] = typed.strip() if len(names) == 1 and len(words) > 1 else " ".join(words)
    return given


def _words(typed: str) -> list[str]:
    try:
        return shlex.split(typed)
    except ValueError:
        # A lone apostrophe is one.
        return typed.split()

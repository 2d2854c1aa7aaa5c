"""A person's own slash commands: their text with what was typed behind the name filled in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

from openhands_acp.engine import inline_commands
from openhands_acp.engine.inventory import OwnCommand

_PLACE = re.compile(r"\$(?:\{ARGUMENTS\}|ARGUMENTS\b|([1-9])(?!\d))")


def takes_arguments(text: str) -> bool:
    return _PLACE.search(text) is not None


def filled_in(text: str, argument: str) -> str:
    """Put all of the argument for `$ARGUMENTS` and its words for `$1` to `$9`; what has no place comes last.

    What is put in is not looked through again.
    """
    if not takes_arguments(text):
        return f"{text}\n\nARGUMENTS: {argument}" if argument else text
    return _filled_in(text, argument, lambda value: value)


async def expanded(session: inline_commands.Session, own: OwnCommand, argument: str) -> str:
    """Return what the model reads: the commands in the text are run, and their output stands in their place.

    Only those that are written in the file: what was typed is one word of theirs, or several, and never a command.
    """
    pieces = inline_commands.split(own.text)
    if len(pieces) == 1:
        return filled_in(own.text, argument)
    has_place = takes_arguments(own.text)
    texts: list[str] = []
    for number, piece in enumerate(pieces):
        if number % 2:
            line = _filled_in(piece, " ".join(map(_quoted, _words(argument))), _quoted)
            texts.append(await inline_commands.filled(session, f"!`{line}`"))
        else:
            texts.append(_filled_in(piece, argument, lambda value: value))
    return filled_in("".join(texts), argument) if not has_place else "".join(texts)


def _filled_in(text: str, whole: str, spelt: Callable[[str], str]) -> str:
    words = _words(whole)

    def value(place: re.Match[str]) -> str:
        if place[1] is None:
            return whole
        number = int(place[1])
        return spelt(words[number - 1]) if number <= len(words) else ""

    return _PLACE.sub(value, text)


def _quoted(word: str) -> str:
    # On one line and without what ends a command in the text: nothing that is typed can begin another.
    return shlex.quote(" ".join(word.replace("`", "").split()))


def _words(argument: str) -> list[str]:
    try:
        return shlex.split(argument)
    except ValueError:
        # An apostrophe is no quote that somebody forgot to close.
        return argument.split()

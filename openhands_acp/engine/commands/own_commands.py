"""A person's own slash commands: their text with what was typed behind the name filled in."""

from __future__ import annotations

import re
import shlex

from openhands_acp.engine.guidance import inline_commands
from openhands_acp.engine.guidance.inventory import OwnCommand

_SPECIAL = re.compile(r'[\\"$]')
"""In double quotes."""
_PLACE = re.compile(r"\$(?:\{ARGUMENTS\}|ARGUMENTS\b|([1-9])(?!\d))")


def takes_arguments(text: str) -> bool:
    return _PLACE.search(text) is not None


def filled_in(text: str, argument: str) -> str:
    """Put all of the argument for `$ARGUMENTS` and its words for `$1` to `$9`; what has no place comes last.

    What is put in is not looked through again.
    """
    if not takes_arguments(text):
        return f"{text}\n\nARGUMENTS: {argument}" if argument else text
    return _filled_in(text, argument)


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
            texts.append(await inline_commands.filled(session, f"!`{line_filled_in(piece, argument)}`"))
        else:
            texts.append(_filled_in(piece, argument))
    return filled_in("".join(texts), argument) if not has_place else "".join(texts)


def line_filled_in(line: str, argument: str) -> str:
    """Put what was typed into a command line, as words of it and never as more, also where it stands in quotes."""
    words = _words(argument)

    def value(place: re.Match[str]) -> str:
        quote = _open_quote(line[: place.start()])
        if place[1] is not None:
            number = int(place[1])
            return _spelt(words[number - 1], quote) if number <= len(words) else ""
        return _spelt(argument, quote) if quote else " ".join([_spelt(word, "") for word in words])

    return _PLACE.sub(value, line)


def _open_quote(beginning: str) -> str:
    """Return the quote that is open where the beginning of a command line ends; empty if none is."""
    quotes = [""]
    """Of the line, and of each substitution in it that is open."""
    characters = iter(enumerate(beginning))
    for at, character in characters:
        match quotes[-1], character:
            case ("'", _):
                quotes[-1] = "" if character == "'" else "'"
            case (_, "\\"):
                next(characters, None)
            case (_, "$") if beginning.startswith("(", at + 1):
                quotes.append("")
            case ("", ")") if len(quotes) > 1:
                quotes.pop()
            case ("", '"' | "'"):
                quotes[-1] = character
            case ('"', '"'):
                quotes[-1] = ""
            case _:
                pass
    return quotes[-1]


def _spelt(text: str, quote: str) -> str:
    # On one line and without what ends a command in the text: nothing that is typed can begin another.
    text = " ".join(text.replace("`", "").split())
    match quote:
        case "'":
            return text.replace("'", "'\\''")
        case '"':
            return _SPECIAL.sub(r"\\\g<0>", text)
        case _:
            return shlex.quote(text)


def _filled_in(text: str, argument: str) -> str:
    words = _words(argument)

    def value(place: re.Match[str]) -> str:
        if place[1] is None:
            return argument
        number = int(place[1])
        return words[number - 1] if number <= len(words) else ""

    return _PLACE.sub(value, text)


def _words(argument: str) -> list[str]:
    try:
        return shlex.split(argument)
    except ValueError:
        # An apostrophe is no quote that somebody forgot to close.
        return argument.split()

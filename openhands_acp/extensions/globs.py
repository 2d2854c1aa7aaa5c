"""Globs as regular expressions. The one door of wcmatch, loaded late."""

from __future__ import annotations

from wcmatch import glob

_FLAGS = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.FORCEUNIX | glob.MATCHBASE


def patterns(globs: tuple[str, ...]) -> tuple[str, ...]:
    """Return expressions for paths relative to the project; a glob without a slash is for files anywhere in it."""
    spelt = [each.removeprefix("./").removeprefix("/") for each in globs]
    whole = [f"{each}**" if each.endswith("/") else each for each in spelt]
    return tuple(glob.translate(whole, flags=_FLAGS)[0]) if whole else ()

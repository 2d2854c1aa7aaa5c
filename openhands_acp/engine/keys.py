"""What a keyboard sends: the names of keys, what a program gets of them, and how a person reads that. Pure."""

from __future__ import annotations

import re

ENTER = "\r"
INTERRUPT = "\x03"
"""Ctrl-C."""

_NAMED = {
    "UP": "\x1b[A",
    "DOWN": "\x1b[B",
    "RIGHT": "\x1b[C",
    "LEFT": "\x1b[D",
    "HOME": "\x1b[H",
    "END": "\x1b[F",
    "PGUP": "\x1b[5~",
    "PGDN": "\x1b[6~",
    "TAB": "\t",
    "ESC": "\x1b",
    "BS": "\x7f",
    "ENTER": ENTER,
}
_CONTROL = re.compile(r"(?:C-|c-|Ctrl-|ctrl-|CTRL-|\^)([A-Za-z\[\\\]^_])")


def keys_of(text: str) -> str:
    """Return what typing `text` sends: one key if it is a key's name, else the text and Enter."""
    name = text.strip()
    if match := _CONTROL.fullmatch(name):
        return chr(ord(match[1].upper()) & 0x1F)
    if name in _NAMED:
        return _NAMED[name]
    return "\r".join(text.removesuffix("\n").splitlines() or [""]) + ENTER


def spelled(keys: str) -> str:
    """Write keys so that a person reads exactly what is typed: `y and Enter`, `C-d`, `UP`."""
    for name, sequence in _NAMED.items():
        if keys == sequence:
            return name
    text = keys.removesuffix(ENTER)
    shown = "".join(_visible(char) for char in text)
    return f"{shown} and Enter" if text != keys else shown


def _visible(char: str) -> str:
    if char == ENTER:
        return "⏎"
    if char < "\x20":
        return f"C-{chr(ord(char) | 0x40).lower()}"
    return char if char.isprintable() else "�"

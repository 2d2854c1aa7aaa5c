"""Bytes of a text file and back, exactly: `encode(decode(data)) == data` for all that is accepted.

Knows Unicode and what binary looks like; guessing older charsets is `charsets`' business.
"""

from __future__ import annotations

import codecs

from openhands_acp.engine.ports import TextFile, UnreadableFile

_BOMS = {
    "utf-8": codecs.BOM_UTF8,
    # Before UTF-16, whose little-endian mark is the beginning of this one.
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}
_LAST_RESORT = "latin-1"
"""Gives every byte a character, so it is never wrong about what to write back."""
_BINARY = "File appears to be binary: it cannot be read or edited as text"

# Control characters that text contains: bell, backspace, tab, line ends, form feed, escape.
_NOT_TEXT = bytes(code for code in range(0x20) if code not in b"\a\b\t\n\v\f\r\x1b") + b"\x7f"
_MOST = 0.3
_MORE_THAN_LEGACY_TEXT_HAS = 0.02


def decode(data: bytes) -> TextFile | None:
    """Decode UTF-8, or what a byte order mark announces; None if it is neither.

    Raises UnreadableFile for what is not text at all.
    """
    for encoding, bom in _BOMS.items():
        if data.startswith(bom):
            text = _decoded(data[len(bom) :], encoding)
            if text is not None and "\0" not in text:
                return TextFile(text, encoding, bom=True)
    if b"\0" in data or _controls(data) > _MOST:
        raise UnreadableFile(_BINARY)
    text = _decoded(data, "utf-8")
    return None if text is None else TextFile(text)


def decode_as(data: bytes, guess: str | None) -> TextFile:
    """Decode what `decode` could not, in the guessed charset if that can give the bytes back.

    Raises UnreadableFile for what is not text at all.
    """
    if _controls(data) > _MORE_THAN_LEGACY_TEXT_HAS:
        raise UnreadableFile(_BINARY)
    text = None if guess is None else _decoded(data, guess)
    if guess is None or text is None or _encoded(text, guess) != data:
        return TextFile(data.decode(_LAST_RESORT), _LAST_RESORT)
    return TextFile(text, guess)


def encode(file: TextFile) -> bytes:
    """Spell the file in its own encoding. Raises UnreadableFile if that lacks a character."""
    try:
        data = file.text.encode(file.encoding)
    except UnicodeEncodeError as error:
        character = file.text[error.start]
        raise UnreadableFile(
            f"the file's encoding is {file.encoding}, which cannot hold {character!r} (U+{ord(character):04X})"
        ) from error
    return _BOMS[file.encoding] + data if file.bom else data


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _encoded(text: str, encoding: str) -> bytes | None:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return None


def _controls(data: bytes) -> float:
    """Tell what share of the bytes no text contains."""
    return 1 - len(data.translate(None, _NOT_TEXT)) / len(data) if data else 0.0

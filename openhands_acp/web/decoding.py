"""The bytes of a page as text, whatever they are and whatever they are said to be. Pure."""

from __future__ import annotations

import codecs

from charset_normalizer import from_bytes

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NO_CHARSETS = frozenset(("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"))
"""What Python can decode besides, and no page is in; some of it takes minutes for a long one."""
_SAMPLE = 100_000
_LONGEST_CHARACTER = 4


def decoded(body: bytes, charset: str | None) -> str:
    """Decode as a mark at the beginning says, as `charset` does, or as it looks; it may end within a character."""
    marked = next((name for mark, name in _MARKS if body.startswith(mark)), None)
    for name in filter(None, (marked, charset, "utf-8")):
        try:
            if codecs.lookup(name).name not in _NO_CHARSETS:
                return _decoded(body, name)
        except (LookupError, ValueError):  # no codec of texts, or not that of these bytes
            continue
    best = from_bytes(body[:_SAMPLE]).best()
    return body.decode(best.encoding if best else "latin-1", "replace")


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        if error.start < len(body) - _LONGEST_CHARACTER:
            raise
        return body[: error.start].decode(charset)

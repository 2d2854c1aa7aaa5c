"""Guess the charset of text that is not Unicode. Slow; call it in a worker thread."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

_CANDIDATES = (
    "cp1252",
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "euc_kr",
    "cp1251",
    "koi8_r",
    "cp1250",
    "cp1253",
    "cp1255",
    "cp1256",
    "latin_1",
)
"""What source code is really written in. With all of Python's charsets, short text becomes Baltic or Farsi."""
_SAMPLE = 256 * 1024


class _Match(Protocol):
    @property
    def encoding(self) -> str: ...

    @property
    def coherence(self) -> float: ...


class _Matches(Protocol):
    def best(self) -> _Match | None: ...


class _Detector(Protocol):
    def from_bytes(self, sequences: bytes, *, cp_isolation: list[str]) -> _Matches: ...


def guess(data: bytes) -> str | None:
    """Name the likeliest charset, or None."""
    # Late, because it costs 60 ms and most people never open such a file.
    detector = cast(_Detector, importlib.import_module("charset_normalizer"))
    best = detector.from_bytes(_sample(data), cp_isolation=list(_CANDIDATES)).best()
    if best is None:
        return None
    # A tie between Western and Central European goes to the latter by the alphabet alone.
    return "cp1252" if best.encoding == "cp1250" and not best.coherence else best.encoding


def _sample(data: bytes) -> bytes:
    """Cut at the end of a line, never inside a character of several bytes."""
    end = data.rfind(b"\n", 0, _SAMPLE) + 1
    return data if len(data) <= _SAMPLE else data[: end or _SAMPLE]

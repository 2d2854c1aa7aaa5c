"""What a refusal says in numbers: how long to wait, and how much the model can read.

Pure: headers and text in the spellings of OpenAI, Anthropic, Google, OpenRouter, Groq, llama.cpp,
vLLM and those who imitate them; it does not judge what a refusal was for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_IN_MILLISECONDS: Final = 1e11
"""A number of seconds since 1970 is below this, one of milliseconds above."""
_SINCE_1970: Final = 1e9
"""A number of seconds to wait is below this."""
_SMALLEST_WINDOW: Final = 256

_UNITS: Final = {"ms": 0.001, "mi": 60, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PIECE = re.compile(r"([\d.]+) ?(ms|mi|s|m|h|d)", re.IGNORECASE)
_DURATION = r"(?:[\d.]+ ?(?:ms|milliseconds?|s|sec\w*|m|min\w*|h|hours?|d|days?)\b ?|[\d.]+[hms](?=[\d.]))+"
_DELAY = re.compile(
    rf'(?:"retryDelay": ?"|(?:try again|retry|resets?|available)(?: again)? (?:in|after):? )({_DURATION})',
    re.IGNORECASE,
)
_DAY = r"\d{4}-\d\d-\d\d(?:T| at | )\d\d:\d\d(?::\d\d)?"
_MOMENT = re.compile(
    rf'(?:regain access|resets?|try again|available) (?:on|at) ({_DAY})|"X-RateLimit-Reset": ?"?(\d+)', re.IGNORECASE
)
_RESET = re.compile(r"(?:x-)?ratelimit-reset.*|anthropic-ratelimit-.+-reset")

_WINDOW = re.compile(
    r"""
      (?: maximum\ (?:context|prompt|input|model)\ length\ (?:is|of)
        | maximum\ number\ of\ tokens\ allowed
        | context\ (?:length|window)\ (?:is|of)(?:\ only)?
        | available\ context\ size
        | (?:configured\ limit|exceeds\ the\ limit)\ of
        | model\ token\ limit:
        | tokens\ per\ min.*?\ limit
        | while\ limit\ is
        | length\ should\ be\ \[1,
        | must\ be\ <=
        | "n_ctx":
        | \ >
      )
      \ ?\(?([\d,]+)
    | too\ large\ for\ model\ with\ ([\d,]+)\ maximum
    """,
    re.VERBOSE | re.IGNORECASE,
)


def wait_in(headers: Mapping[str, str], text: str, now: datetime) -> float | None:
    """Return the seconds that a refusal asks to wait; None if it does not say. Header names are in lower case.

    What is said of this request counts more than the state of a limit that was perhaps not the one.
    """
    return next(_waits(headers, text, now), None)


def window_in(text: str) -> int | None:
    """Return the tokens that the model can read, by the words of an overflow; None if they do not say."""
    for found in _WINDOW.finditer(text):
        digits = (found[1] or found[2]).replace(",", "")
        if digits and int(digits) >= _SMALLEST_WINDOW:
            return int(digits)
    return None


def _waits(headers: Mapping[str, str], text: str, now: datetime) -> Iterator[float]:
    with suppress(KeyError, ValueError):
        yield float(headers["retry-after-ms"]) / 1000
    asked = [headers.get("retry-after", ""), *(_either(found) for found in _MOMENT.finditer(text))]
    yield from (seconds for value in asked if (seconds := _until(value, now)) is not None)
    yield from (_seconds(found[1]) for found in _DELAY.finditer(text))
    resets = [
        _until(value, now) for name, value in headers.items() if _RESET.fullmatch(name) and _is_spent(headers, name)
    ]
    if known := [seconds for seconds in resets if seconds is not None]:
        yield max(known)


def _either(found: re.Match[str]) -> str:
    return (found[1] or found[2]).replace(" at ", " ")


def _is_spent(headers: Mapping[str, str], reset: str) -> bool:
    """Tell whether nothing remains of the limit that `reset` is about, as far as is said."""
    return headers.get(reset.replace("reset", "remaining"), "0").strip() == "0"


def _until(value: str, now: datetime) -> float | None:
    """Read seconds, a duration, a date or a moment since 1970, as servers spell what is to come."""
    with suppress(ValueError):
        number = float(value)
        moment = number / 1000 if number > _IN_MILLISECONDS else number
        return moment if moment < _SINCE_1970 else max(0.0, moment - now.timestamp())
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError):
            at = read(value)
            return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())
    return _seconds(value) if _PIECE.match(value) else None


def _seconds(duration: str) -> float:
    """Read `6m0s`, `2.5s`, `12ms`, `1 hour`."""
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in _PIECE.findall(duration))

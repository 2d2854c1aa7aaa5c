"""Keys out of text: known values and whatever looks like a key, before a line reaches a file.

Knows nothing of where the text goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MASK = "[secret]"


@dataclass(frozen=True, slots=True)
class Secret:
    """Text that is not shown by accident: `repr` and `str` are masked, so logs and tracebacks are too."""

    value: str = field(repr=False)

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK


_SHORTEST = 6
"""Shorter values ("1", "test") are words of ordinary text; replacing them would destroy what is logged."""

_LOOKS_LIKE_A_KEY = re.compile(
    r"""(?x)
    (?: (?<![A-Za-z0-9]) | (?<=\\[nrtbf]) )   # also behind the \n of text inside JSON
    (?:
        sk-[A-Za-z0-9_-]{12,}                   # OpenAI, Anthropic, OpenRouter, LiteLLM and many after them
      | AIza[A-Za-z0-9_-]{30,}                  # Google
      | (?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}
      | xox[a-z]-[A-Za-z0-9-]{10,}              # Slack
      | (?:gsk_|xai-|hf_|nvapi-|r8_|pplx-|csk-|dapi)[A-Za-z0-9_-]{20,}
      | A[KS]IA[A-Z0-9]{16}                     # AWS
      | eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}     # a JSON Web Token
    )
    """
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[A-Za-z0-9+/=:,. -]|\s|\\[rn])+?-----END [A-Z ]*PRIVATE KEY-----"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/-]{8,}=*")


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that masks `secrets`, each also as JSON spells it, and anything that looks like a key."""
    spellings = {spelling for secret in secrets if len(secret) >= _SHORTEST for spelling in _spellings(secret)}
    # Longest first: a secret that begins with another one must go as a whole.
    known = re.compile("|".join(map(re.escape, sorted(spellings, key=len, reverse=True)))) if spellings else None

    def redact(text: str) -> str:
        masked = known.sub(MASK, text) if known else text
        masked = _PRIVATE_KEY.sub(MASK, masked) if "PRIVATE KEY" in masked else masked
        return _LOOKS_LIKE_A_KEY.sub(MASK, _BEARER.sub(rf"\g<1>{MASK}", masked))

    return redact


def _spellings(secret: str) -> tuple[str, ...]:
    # A wire line is JSON, where a quote or backslash in a value is escaped; `json` would also do, but escapes more.
    escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
    return (secret, escaped) if escaped != secret else (secret,)

"""Where a key that is not written down is to be asked for, as data. Who asks there is `keys`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class KeyCommand:
    words: tuple[str, ...]
    """The program and its arguments; no shell reads them."""


@dataclass(frozen=True, slots=True)
class KeyringEntry:
    service: str
    user: str


LateKey: TypeAlias = KeyCommand | KeyringEntry

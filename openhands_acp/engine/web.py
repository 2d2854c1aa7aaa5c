"""The door to pages on the web."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from openhands_acp.engine.messages import Image


@dataclass(frozen=True, slots=True)
class Page:
    url: str
    """Where it came from in the end."""
    status: int
    title: str
    text: str
    """Readable, as Markdown; bounded by the caller."""
    image: Image | None = None
    is_cut: bool = False
    """There was more than is ever taken."""


class Unreachable(Exception):
    """The page could not be had; the message says why and what to do, for the model. Lower case, no full stop."""


class MovedElsewhere(Exception):
    """The page is on another host now, which has to be permitted first."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class Web(Protocol):
    async def fetch(self, url: str) -> Page:
        """Get a page; follows redirects on its own host. Raises Unreachable, MovedElsewhere."""
        ...


class NoWeb:
    async def fetch(self, url: str) -> Page:
        raise Unreachable("this session has no way to the web")

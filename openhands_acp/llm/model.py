"""Which model, where, and how long to wait for it. Light: imports no vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from openhands_acp.engine.messages import JsonValue


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait for a model, in seconds."""

    connect: float = 30
    """Until the connection stands. Not until it answers: local servers send nothing before the first token."""
    first_token: float = 120
    """From the request to the first chunk of the answer."""
    between_chunks: float = 60


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """One model as a person configures it."""

    model: str
    """As LiteLLM spells it: `provider/name`, or a name it knows."""
    api_key: str | None = field(default=None, repr=False)
    """None: the provider's own variable, as LiteLLM names it."""
    base_url: str | None = None
    deadlines: Deadlines | None = None
    """None: `default_deadlines(base_url)`."""
    context_window: int | None = None
    """Tokens; None: what LiteLLM knows."""
    thought_level: str = "default"
    """One of `thinking.LEVELS`; "default" leaves it to the provider."""
    extra: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """More arguments of a completion, as LiteLLM names them (`temperature`, `reasoning_effort`)."""


def default_deadlines(base_url: str | None) -> Deadlines:
    """Give a server on this machine ten minutes: without a graphics card, reading a prompt takes that."""
    return Deadlines(first_token=600, between_chunks=600) if is_loopback(base_url) else Deadlines()


def is_loopback(base_url: str | None) -> bool:
    host = urlsplit(base_url or "").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

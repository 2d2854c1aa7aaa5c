"""Which model, where, and how long to wait for it. Light: imports no vendor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from openhands_acp.engine.messages import JsonValue

Api: TypeAlias = Literal["auto", "chat", "responses"]
"""Which of OpenAI's protocols to speak, for models and servers that know both."""
ToolCalls: TypeAlias = Literal["auto", "native", "prompted"]
"""How a model calls tools: as its provider has it for that, or as its prompt tells it. Auto: by itself the second."""

_BILLIONS = re.compile(r"(?<![a-z0-9.])(?:[ae]|(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z0-9])")
"""The number of parameters in the name of a model: `1.5b`, `8x7b`, `e4b`."""
_MILLIONS = re.compile(r"(?<![a-z0-9.])\d{2,4}m(?![a-z0-9])")
_SMALL = 8


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait for a model, in seconds."""

    connect: float = 30
    """Until the connection stands. Not until it answers: local servers send nothing before the first token."""
    first_token: float = 120
    """From the request to the first chunk of the answer."""
    between_chunks: float = 60
    whole: float = 1800
    """From the request to the end of the answer: a model that repeats itself never comes to it."""


@dataclass(slots=True)
class Told:
    """What a model's provider has told of it, in tokens. It is asked beside the first request; nobody waits for it."""

    window: int | None = None
    longest_answer: int | None = None


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
    """Tokens; None: what its provider told, or else LiteLLM knows."""
    thought_level: str = "default"
    """One of `thinking.LEVELS`; "default" leaves it to the provider."""
    api: Api = "auto"
    tool_calls: ToolCalls = "auto"
    vision: bool | None = None
    """Whether it sees images; None: what LiteLLM knows."""
    extra: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """More arguments of a completion, as LiteLLM names them (`temperature`, `reasoning_effort`)."""
    told: Told = field(default_factory=Told, repr=False, compare=False)
    """Shared by all who ask this model."""


def default_deadlines(base_url: str | None) -> Deadlines:
    """Give a server on this machine ten minutes: without a graphics card, reading a prompt takes that."""
    return Deadlines(first_token=600, between_chunks=600, whole=7200) if is_loopback(base_url) else Deadlines()


def is_small(model: str) -> bool:
    """Tell by its name whether a model has at most eight billion parameters."""
    sizes = [float(number) * int(times or 1) for times, number in _BILLIONS.findall(model.lower())]
    # The largest: of `qwen3-30b-a3b` three work at a time, but it reads as a model of thirty.
    return max(sizes) <= _SMALL if sizes else bool(_MILLIONS.search(model.lower()))


def is_loopback(base_url: str | None) -> bool:
    host = urlsplit(base_url or "").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False

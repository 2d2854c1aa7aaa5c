"""How much a model is to think before it answers: which levels it offers, and how each is asked for.

Light, because a session's options are told before LiteLLM is there: goes by the model's name, and
`via_litellm` leaves out what LiteLLM knows the provider would refuse. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LEVELS = ("default", "off", "low", "medium", "high")
"""Least first; "default" is what the provider does when it is told nothing."""

_ALWAYS = re.compile(r"(?:^|/)o[134](?:-|$)|gpt-oss|gemini-(?:2\.5-pro|3)")
"""Models that cannot be kept from thinking."""
_AT_WILL = re.compile(
    r"claude-(?:3-7|(?:opus|sonnet|haiku)-(?:[4-9]|\d\d))|gpt-5|gemini-2\.5|deepseek-(?:chat|reasoner|v[3-9])|qwen-?3"
)


def levels(model: str) -> tuple[str, ...]:
    """Return the levels to offer for a model as LiteLLM spells it; none if it is not known to think."""
    name = model.lower().replace("claude-sonnet-4.", "claude-sonnet-4-")
    if _ALWAYS.search(name):
        return tuple(level for level in LEVELS if level != "off")
    return LEVELS if _AT_WILL.search(name) else ()


def arguments(level: str, model: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return LiteLLM's arguments for a level other than "default"; `known` is LiteLLM's entry for the model."""
    name = model.lower()
    if level == "off":
        # The earlier GPT-5 cannot do without; "minimal" is their least.
        least = "minimal" if "gpt-5" in name and known.get("supports_none_reasoning_effort") is False else "none"
        return {"reasoning_effort": least}
    wanted: dict[str, Any] = {"reasoning_effort": level}
    if "claude" in name and (most := known.get("max_output_tokens")):
        # Else LiteLLM allows the thought and 4,096 tokens more, in which no longer file can be written.
        wanted["max_tokens"] = most
    return wanted

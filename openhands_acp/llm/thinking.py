"""How much a model is to think before it answers: which levels it offers, and how each is asked for.

Light, because a session's options are told before LiteLLM is there: goes by the model's name, and
`via_litellm` leaves out what LiteLLM knows the provider would refuse. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from openhands_acp.engine.messages import AssistantMessage, Message, UserMessage
from openhands_acp.llm.reasoning import CLAUDE, Owner, is_own

LEVELS = ("default", "off", "low", "medium", "high")
"""Least first; "default" is what the provider does when it is told nothing."""

_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""What LiteLLM calls them, and some that only few models know; least first."""
_ALWAYS = re.compile(
    r"(?:^|/)o[134](?:-|$)|gpt-oss|gpt-5(?:\.\d)?-(?:pro|codex)|gemini-(?:2\.5-pro|[3-9]|pro-latest)"
    r"|claude-(?:fable|mythos)|claude-(?:opus|sonnet)-5[.-][5-9]|grok-(?:3-mini|4\.[3-9])|kimi-k[3-9]"
)
"""Models that cannot be kept from thinking."""
_AT_WILL = re.compile(
    r"claude-(?:3-7|(?:opus|sonnet|haiku)-(?:[4-9]|\d\d))|gpt-(?:[5-9]|\d\d)"
    r"|gemini-(?:2\.5|flash-latest|flash-lite-latest)|qwen-?3"
)
_ON_OR_OFF = re.compile(r"deepseek-(?:chat|reasoner|flash|v[3-9])|glm-(?:4\.[5-9]|[5-9])|kimi-k2\.[5-9]")
_ONLY_ONE = re.compile(r"gpt-5(?:\.\d)?-chat|gpt-5-search|chat-latest")
"""Models that think as much as they please."""


def levels(model: str) -> tuple[str, ...]:
    """Return the levels to offer for a model as LiteLLM spells it; none if it is not known to think."""
    name = re.sub(r"claude-(opus|sonnet|haiku)-(\d)\.", r"claude-\1-\2-", model.lower())
    if _ONLY_ONE.search(name):
        return ()
    if _ON_OR_OFF.search(name):
        return ("default", "off", "high")
    if _ALWAYS.search(name):
        return tuple(level for level in LEVELS if level != "off")
    return LEVELS if _AT_WILL.search(name) else ()


def arguments(level: str, model: str, known: Mapping[str, Any], taken: Collection[str]) -> dict[str, Any]:
    """Return LiteLLM's arguments for a level other than "default".

    `known` is LiteLLM's entry for the model, `taken` the arguments that its provider takes.
    """
    name = model.lower()
    if "reasoning_effort" not in taken or (_ON_OR_OFF.search(name) and "thinking" in taken):
        is_off = level == "off"
        return {"thinking": {"type": "disabled" if is_off else "enabled"}} if "thinking" in taken else {}
    wanted: dict[str, Any] = {"reasoning_effort": _nearest("none" if level == "off" else level, name, known)}
    if "claude" in name and level != "off" and (most := known.get("max_output_tokens")):
        # Else LiteLLM allows the thought and 4,096 tokens more, in which no longer file can be written.
        wanted["max_tokens"] = most
    return wanted


def _nearest(effort: str, name: str, known: Mapping[str, Any]) -> str:
    """Return the effort if the model knows it, else the next one above, else the next below."""
    listed: Collection[str] = known.get("reasoning_effort_levels") or ()

    def is_known(each: str) -> bool:
        if listed:
            return each in listed
        said = known.get(f"supports_{each}_reasoning_effort")
        if isinstance(said, bool):
            return said
        # What a catalogue does not say: the middle ones are everybody's, and only OpenAI's have no "none".
        return each in {"low", "medium", "high"} or (each == "none" and not _ALWAYS.search(name))

    at = _EFFORTS.index(effort)
    return next(filter(is_known, (*_EFFORTS[at:], *reversed(_EFFORTS[:at]))), effort)


def claude_in(
    messages: Iterable[Message], level: str, asked: Mapping[str, Any], known: Mapping[str, Any], more: Mapping[str, Any]
) -> tuple[Owner | None, Mapping[str, Any]]:
    """Choose whether to send Claude's reasoning back, and whether to ask for more of it.

    Both or neither. What it thought is refused where it is not to think; and where it is to think, an
    answer in the running round that another model gave, without a thought, is refused: then it thinks
    again from the next round on. The later models, which think as they see fit, are not so strict.
    """
    is_told = bool({"thinking", "reasoning_effort"} & set(more))
    if known.get("supports_adaptive_thinking"):
        is_off = level == "off" and not is_told and not known.get("thinking_always_on")
        return (None if is_off else CLAUDE), asked
    if level == "default" and not is_told:
        # Behind a proxy nobody knows what it does by itself.
        return (None if known else CLAUDE), asked
    if level == "off" and not is_told:
        return None, asked
    if _has_strangers(messages):
        return None, {name: value for name, value in asked.items() if name != "reasoning_effort"}
    return CLAUDE, asked


def _has_strangers(messages: Iterable[Message]) -> bool:
    """Tell whether an answer in the running round is another model's.

    What the person says behind results of calls, in the middle of a turn or after one that was cut short, is sent in
    one message with them: the round goes on. An answer that was cut off in its thought is not sent at all.
    """
    found = waits_for_answer = False
    for message in messages:
        if isinstance(message, AssistantMessage) and (message.calls or message.text.strip()):
            waits_for_answer = bool(message.calls)
            found = found or (waits_for_answer and not is_own(message.blocks, CLAUDE))
        elif isinstance(message, UserMessage) and not waits_for_answer:
            found = False
    return found

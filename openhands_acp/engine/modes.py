"""The modes a session can be in, and what people are told of them; `policy` says what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["always-ask", "accept-edits", "llm-approve", "always-approve", "plan"]

MODES: Mapping[Mode, tuple[str, str]] = {
    "always-ask": ("Always ask", "Ask before every change and every command"),
    "accept-edits": ("Accept edits", "Change files of the project without asking, ask before commands"),
    "llm-approve": ("Model decides", "Ask only for what the model itself calls risky"),
    "always-approve": ("Always approve", "Never ask"),
    "plan": ("Plan", "Read only: look around and make a plan"),
}
"""A name and a sentence of each, in the order in which they are offered."""

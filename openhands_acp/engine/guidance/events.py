"""What a session tells of the guidance that a model is given: a part of `events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WITHDRAWN = "(This no longer holds: it is not there any more. Do not follow what you were told of it.)"
"""The text of what was told and is gone: it stands where the newest of it would."""


@dataclass(frozen=True, slots=True)
class SkillActivated:
    """A skill, or a folder's rules, counts from now on: the model has its text once, and keeps it."""

    name: str
    """Of a skill; of a folder's rules, their path from the root."""
    text: str
    cause: Literal["prompt", "path", "command", "model", "change"]
    """What made it count: a word in a prompt, a file that was touched, the person, a call of the model.

    Or it is another than the model was told before, or gone (`WITHDRAWN`).
    """
    about: str = ""
    """The word, the path or the command."""

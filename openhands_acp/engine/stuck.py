"""Whether a model goes in circles: judged by what it does and what comes of it, never by its thoughts.

Pure: sees the steps since the person last spoke, and knows neither the session nor what is done about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Literal, TypeAlias

from openhands_acp.engine.messages import JsonObject

REMEMBERED = 40
"""Steps that are looked back upon."""
_SAME, _FAILED, _CYCLES, _LONGEST_CYCLE = 4, 3, 3, 3
"""Times: a call with one result; a call that fails; a round of two or three steps."""
_PATIENCE = 4
"""Times as many for what waits on purpose."""
_EMPTY, _MALFORMED = 3, 3

Said: TypeAlias = Literal["something", "nothing", "thoughts", "refrain", "cut", "plan", "malformed"]


@dataclass(frozen=True, slots=True)
class Made:
    """A call and what came of it, without what is different each time for no reason."""

    tool: str
    arguments: str
    result: str
    has_failed: bool = False
    waits: bool = False
    """It is there to wait: nobody expects news each time."""


@dataclass(frozen=True, slots=True)
class Step:
    """One answer of the model, and what its calls came to."""

    calls: tuple[Made, ...] = ()
    said: Said = "something"
    """Without calls: "plan" only announces what it would do; "cut" ended at the limit of tokens, "refrain" was ended
    because it repeated itself. "malformed": no call in it could be run as it was written."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What to do about it, from the mildest on: ask again, tell the model, ask the person, end the turn."""

    remedy: Literal["again", "nudge", "ask", "end"]
    what: str
    """For the person, as a sentence without its full stop."""
    advice: str = ""
    """For the model."""


def judged(steps: Sequence[Step]) -> Finding | None:
    """Look at the last step in the light of those before it."""
    step = steps[-1]
    match step.said:
        case "nothing" | "thoughts":
            return _empty(steps)
        case "refrain":
            return _refrain(steps)
        case "cut" if not step.calls:
            return None if len(steps) > 1 and steps[-2].said == "cut" else _CUT
        case "plan" if all(each.said != "plan" for each in steps[:-1]):
            return _PLAN
        case "malformed":
            return _malformed(steps)
        case _:
            return _circle(steps) if step.calls else None


# ---------------------------------------------------------------- answers without a call

_CUT = Finding(
    "nudge",
    "The answer reached the model's limit of tokens; it was asked to go on",
    "Your answer was cut off at the limit of tokens. Go on exactly where it ended, without repeating anything.",
)
_PLAN = Finding(
    "nudge",
    "The model said what it would do, and did not do it; it was asked to",
    "You said what you would do next, but made no call. Make it now; or if you are done, say in a sentence what came "
    "of it.",
)


def _empty(steps: Sequence[Step]) -> Finding:
    times = _trailing(steps, lambda step: step.said in ("nothing", "thoughts"))
    thought = "thought, but said and did nothing" if steps[-1].said == "thoughts" else "answered with nothing"
    if times >= _EMPTY:
        return Finding("ask", f"The model {thought}, {times} times in a row")
    if times == 1 and steps[-1].said == "nothing":
        return Finding("again", f"The model {thought}")
    advice = (
        "Your last answer had neither text nor a call. Make the next call; or if you are done, say what came of it."
    )
    return Finding("nudge", f"The model {thought}; it was asked to say or do something", advice)


def _refrain(steps: Sequence[Step]) -> Finding:
    what = "The model said the same over and over; its answer was ended"
    if _trailing(steps, lambda step: step.said == "refrain") > 1:
        return Finding("ask", f"{what}, for the second time")
    advice = (
        "You repeated the same text over and over, so your answer was ended. Say what is new, once, or make a call."
    )
    return Finding("nudge", what, advice)


def _malformed(steps: Sequence[Step]) -> Finding | None:
    times = _trailing(steps, lambda step: step.said == "malformed")
    if times < _MALFORMED:
        return None
    last = steps[-1].calls[-1].tool
    what = f"The model made calls that cannot be run as they are written, {times} times in a row; the last: `{last}`"
    return Finding("end", what)


# ---------------------------------------------------------------- calls that lead nowhere


def _circle(steps: Sequence[Step]) -> Finding | None:
    """Find the shortest circle that the last steps go in; each step more than its limit is one too many."""
    calls = [step.calls for step in steps]
    patience = _PATIENCE if all(made.waits for made in calls[-1]) else 1
    for length in range(1, _LONGEST_CYCLE + 1):
        running = length + _trailing_pairs(calls, length)
        has_failed = length == 1 and all(made.has_failed for made in calls[-1])
        most = patience * (_FAILED if has_failed else _SAME if length == 1 else _CYCLES * length)
        if running >= most:
            return _round(steps[-1], length, running // length, is_new=running == most)
    return None


def _trailing_pairs(calls: Sequence[tuple[Made, ...]], length: int) -> int:
    """Count the steps at the end that are what the step `length` before them was."""
    return len(
        list(takewhile(lambda at: calls[at] and calls[at] == calls[at - length], range(len(calls) - 1, length - 1, -1)))
    )


def _round(step: Step, length: int, times: int, *, is_new: bool) -> Finding:
    made = step.calls[-1]
    outcome = "failed in the same way each time" if made.has_failed else "had the same result each time"
    named = f"`{made.tool}` {made.arguments[:_NAMED]}".removesuffix(" {}")
    if length == 1:
        what = f"The model made the same call {times} times, and it {outcome}: {named}"
    else:
        what = f"The model went through the same {length} steps {times} times with the same results, the last: {named}"
    if not is_new:
        return Finding("ask", what)
    advice = (
        f"You have now done the same {times} times, with the same result each time; once more will not change it. Find "
        "out why, try another way, or say what stands in the way and end your turn."
    )
    return Finding("nudge", f"{what}. It was told so", advice)


def _trailing(steps: Sequence[Step], is_one: Callable[[Step], bool]) -> int:
    return len(list(takewhile(is_one, reversed(steps))))


# ---------------------------------------------------------------- what is compared

_NAMED = 80
"""Characters of arguments by which a person knows a call."""
_REMARKS = frozenset(("security_risk", "summary", "thought", "explanation", "reason"))
"""Arguments that are said about a call."""
_WAITS = re.compile(r"(?:^|[\s;&|(])(?:sleep|wait|Start-Sleep|timeout /t|watch|tail -f)(?![\w.-])")
_TIME = re.compile(r"\b\d+(?:\.\d+)? ?(?:s|ms|min|h|seconds?|minutes?)\b")


def made(tool: str, arguments: JsonObject | None, written: str, result: str, *, has_failed: bool) -> Made:
    """Note a call and its result; `written` counts for a call whose arguments could not be read."""
    told = {key: value for key, value in (arguments or {}).items() if key not in _REMARKS}
    canonical = written if arguments is None else json.dumps(told, sort_keys=True, ensure_ascii=False)
    # How long something has been running says nothing about whether it comes to an end.
    return Made(tool, canonical, _TIME.sub("…", result), has_failed, _is_waiting(told))


def _is_waiting(arguments: JsonObject) -> bool:
    command = arguments.get("command")
    if not isinstance(command, str):
        return False
    looks_at_job = not command.strip() and not arguments.get("reset")
    return looks_at_job or _WAITS.search(command) is not None


# ---------------------------------------------------------------- text

_LOOKS = 1_000
"""Characters between two looks at a text that is growing."""
_TAIL = 4_000
_LONGEST_REFRAIN = 500
_SAMPLE = 40


@dataclass(slots=True)
class Refrain:
    """Follows a text as it grows, to tell whether its writer only repeats itself."""

    _pieces: list[str] = field(default_factory=list[str])
    _grown: int = 0

    def goes_on(self, piece: str) -> bool:
        """Take in more of the text; tell whether its last 4,000 characters are but one short text over and over."""
        self._pieces.append(piece)
        self._grown += len(piece)
        if self._grown < _LOOKS:
            return False
        self._grown = 0
        tail = "".join(self._pieces)[-_TAIL:]
        self._pieces = [tail]
        return len(tail) == _TAIL and _repeats(tail)


def _repeats(text: str) -> bool:
    """Tell whether `text` is a short one over and over, the last time perhaps not whole."""
    last, at = text[-_SAMPLE:], len(text) - _SAMPLE
    # Where the end of it occurs before is as far back as a repetition can be long.
    while (at := text.rfind(last, len(text) - _SAMPLE - _LONGEST_REFRAIN, at + _SAMPLE - 1)) >= 0:
        length = len(text) - _SAMPLE - at
        if text[length:] == text[:-length]:
            return True
    return False


_INTENT = re.compile(
    r"(?:^|[.!:]\s+)(?:(?:ok(?:ay)?|now|next|first|then|so|great|good),?\s+)*"
    r"(?:I'll|I\u2019ll|I will|I am going to|I'm going to|let me|let's)\s+(?:now\s+|first\s+|start by\s+|begin by\s+)*"
    r"(?:look|read|check|run|creat|writ|edit|updat|fix|open|search|view|examin|implement|add|install|test|inspect|explor"
    r"|apply|chang|replac|list|find|start|mak)\w*\b(?P<rest>(?:[^.!?\n]|\.(?=\S))*)[.:\u2026]*\s*$",
    re.IGNORECASE,
)
_FOR_THE_PERSON = re.compile(r"\b(?:you|your|when|once|if|later|after|until|unless|again)\b", re.IGNORECASE)
_SENTENCE = 300


def only_announces(text: str) -> bool:
    """Tell whether a text ends in saying what comes next, as if a call were to follow.

    Careful, for a real answer must not be doubted: what is conditional, or said to the person, is none.
    """
    last = text.strip().rsplit("\n", 1)[-1][-_SENTENCE:]
    found = _INTENT.search(last)
    return found is not None and not _FOR_THE_PERSON.search(found["rest"])

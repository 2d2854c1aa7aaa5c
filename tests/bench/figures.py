"""A figure, and how it is told: ratios and medians, because the machine is shared and noisy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

REPEATS = 7
"""Times that each thing is measured."""


@dataclass(frozen=True, slots=True)
class Figure:
    what: str
    measured: str
    budget: str = ""
    """Empty: told for orientation, nothing is promised."""
    verdict: Literal["ok", "over", "broken", ""] = ""


def at_most(what: str, value: float, most: float, unit: str, spread: str = "") -> Figure:
    digits = 2 if unit == "x" else 1
    measured = f"{value:.{digits}f} {unit}{f'  ({spread})' if spread else ''}"
    return Figure(what, measured, f"<= {most:g} {unit}", "ok" if value <= most else "over")


def milliseconds(what: str, seconds: Sequence[float], most: float) -> Figure:
    """Hold the median to `most` milliseconds."""
    return at_most(what, median(seconds) * 1e3, most, "ms", spread_of(seconds))


def at_least(what: str, value: float, least: float, unit: str, spread: str = "") -> Figure:
    measured = f"{value:.2f} {unit}{f'  ({spread})' if spread else ''}"
    return Figure(what, measured, f">= {least:g} {unit}", "ok" if value >= least else "over")


def holds(what: str, measured: str, budget: str, *, is_so: bool) -> Figure:
    """Tell a fact that is not a matter of speed: where it does not hold, something is broken."""
    return Figure(what, measured, budget, "ok" if is_so else "broken")


def told(what: str, measured: str) -> Figure:
    return Figure(what, measured)


def spread_of(seconds: Sequence[float]) -> str:
    return f"best {min(seconds) * 1e3:.1f}, worst {max(seconds) * 1e3:.1f}, of {len(seconds)}"

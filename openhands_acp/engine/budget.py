"""What a session may cost: judged before each call of a model, so never over by more than one. Pure."""

from __future__ import annotations


def is_spent(cost: float | None, limit: float | None) -> bool:
    """Tell whether `cost` reaches the limit, both in dollars; None is an unknown cost, and no limit."""
    return limit is not None and cost is not None and cost >= limit


def spent_in_words(cost: float | None, limit: float | None) -> str:
    return (
        f"This session has cost ${cost or 0:.2f}, which reaches its limit of ${limit or 0:.2f}. To go on, raise "
        "`max_cost` in acp.toml and send the prompt again, or begin a new session."
    )

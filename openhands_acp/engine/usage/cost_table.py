"""`/cost`: what a session's models used and cost, as a table for the person. Pure."""

from __future__ import annotations

from openhands_acp.engine.usage.cost import BROKEN_OFF, Bill, Caller, Used, dollars

_HEAD = (
    "| model | for | calls | read | of it cached | put into cache | written | of it thought | cost |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def in_words(bill: Bill) -> str:
    """Return a sentence with the sum, the table, and what is not in it."""
    parts = [_headline(bill)]
    if bill.callers:
        rows = [_row(caller, used) for caller, used in bill.callers.items()]
        whole = [_row(Caller("**all**", ""), bill.whole)] if len(rows) > 1 else []
        parts.append("\n".join([_HEAD, *rows, *whole]))
    parts += _missing(bill)
    return "\n\n".join(parts)


def _headline(bill: Bill) -> str:
    if not bill.callers:
        return "No call of a model has been counted in this session."
    if bill.cost_usd is not None:
        return f"**This session has cost {dollars(bill.cost_usd)}.**"
    known = f"; what is known comes to {dollars(bill.whole.known_cost)}" if bill.whole.known_cost else ""
    return f"**What this session has cost is not known**{known}."


def _row(caller: Caller, used: Used) -> str:
    model = caller.model if caller.model.startswith("**") else f"`{caller.model}`"
    cells = (
        model,
        caller.purpose,
        f"{used.calls:,}",
        f"{used.input_tokens:,}",
        _share(used.cached_tokens, used.input_tokens),
        f"{used.cache_write_tokens:,}",
        f"{used.output_tokens:,}",
        _share(used.reasoning_tokens, used.output_tokens),
        _cost(used),
    )
    return f"| {' | '.join(cells)} |"


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.0%})" if part and whole else f"{part:,}"


def _cost(used: Used) -> str:
    if used.cost_usd is not None:
        return dollars(used.cost_usd)
    return f"{dollars(used.known_cost)} and unknown" if used.known_cost else "unknown"


def _missing(bill: Bill) -> list[str]:
    missing: list[str] = []
    if models := bill.unpriced:
        missing.append(f"The price of {' and of '.join(f'`{model}`' for model in models)} is not known.")
    if any(caller.purpose == BROKEN_OFF for caller in bill.callers):
        missing.append("What answers cost that broke off is estimated, by their length.")
    if bill.untold:
        missing.append(f"{_answers(bill.untold)} came without figures, and {_is(bill.untold)} not in the table.")
    if bill.cut:
        missing.append(
            f"{_answers(bill.cut)} {_is(bill.cut)} not in the table: cut short, they came without figures, "
            "and the provider may charge for them."
        )
    return missing


def _answers(count: int) -> str:
    return "One answer" if count == 1 else f"{count:,} answers"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"

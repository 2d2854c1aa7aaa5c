"""The `exit_plan_mode` tool: the model puts its plan to the person, whose answer decides what comes next."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools.define import define

DESCRIPTION = """\
In plan mode: show the person your plan and ask whether to carry it out. Only when the plan is whole, for work that \
changes something, never beside other calls."""

_CARD = Card("Carry out this plan?", "switch_mode")
_KEEP = "The person wants to keep planning"


class ExitPlanModeArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    plan: str = Field(
        description="Markdown for the person: the steps with the files they touch, how you will check them, "
        "and what you assume. Short."
    )


def exit_plan_mode() -> Tool:
    return define(
        name="exit_plan_mode",
        description=DESCRIPTION,
        args=ExitPlanModeArgs,
        run=_run,
        card=lambda _args, _root: _CARD,
        announce=_CARD,
    )


async def _run(args: ExitPlanModeArgs, hands: Hands) -> ToolResult:
    if not args.plan.strip():
        raise ToolError("`plan` is empty: write down what you would do")
    # In the chat and not on the card: some clients show nothing of a card but its title.
    hands.say(args.plan)
    decision = await hands.leave_plan_mode(_CARD.title)
    if decision.mode is not None:
        who = "The person approved the plan" if decision.was_asked else "The session was not in plan mode"
        text = f"{who}; it is in {decision.mode} mode now. Carry the plan out."
        return ToolResult(text, (ShownText(f"Carried out in `{decision.mode}` mode."),))
    if decision.wish:
        text = f"{_KEEP}, with this changed: {decision.wish}\nRevise the plan and present it again."
        return ToolResult(text, (ShownText(f"Not yet: {decision.wish}"),))
    why = f"{_KEEP}" if decision.was_asked else "The person could not be asked"
    text = f"{why}. The plan is in the chat; the turn ends here, so that they can say more."
    return ToolResult(text, (ShownText("Not yet."),), ends_turn=True)

"""The `finish` tool: the model's way to end the turn with a last word to the person."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.tool import Hands, Tool, ToolResult
from openhands_acp.tools.define import define

DESCRIPTION = """\
End your turn when the task is done and checked, or when you cannot go on without the person. Not for progress \
reports, and never beside other calls."""


class FinishArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    message: str = Field(
        description="For the person: the result, what you checked and what is open, in a few sentences. "
        "Empty if you have just said it."
    )


def finish() -> Tool:
    return define(
        name="finish",
        description=DESCRIPTION,
        args=FinishArgs,
        run=_run,
        # The message itself is what is shown.
        card=lambda _args, _root: None,
    )


async def _run(args: FinishArgs, hands: Hands) -> ToolResult:
    if args.message.strip():
        hands.say(args.message)
    return ToolResult("The turn has ended.", ends_turn=True)

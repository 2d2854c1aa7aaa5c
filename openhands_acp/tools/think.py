"""The `think` tool: room for reasoning that a model without its own does not otherwise have."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from openhands_acp.engine.tool import Hands, Tool, ToolResult
from openhands_acp.tools.define import define

DESCRIPTION = """\
Think aloud: weigh causes of a bug, compare designs, plan a risky change. Runs nothing and finds out nothing; \
not for plain steps, and not for talking to the person."""


class ThinkArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    thought: str


def think() -> Tool:
    return define(
        name="think",
        description=DESCRIPTION,
        args=ThinkArgs,
        run=_run,
        # The thought itself is what is shown.
        card=lambda _args, _root: None,
    )


async def _run(args: ThinkArgs, hands: Hands) -> ToolResult:
    hands.think(args.thought)
    return ToolResult("Your thought has been logged.")

"""The `invoke_skill` tool: the text of a skill, of which a model knows only name and description beforehand.

Knows no skill: the session has them, and keeps in view what was asked for.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.cards import Card
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import Hands, Tool, ToolResult
from openhands_acp.tools.define import define, settled

DESCRIPTION = "Get the text of a skill from <available_skills>, to follow it. It stays in view: once is enough."


class InvokeSkillArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    name: str = Field(description="As listed.")


def invoke_skill() -> Tool:
    return define(
        name="invoke_skill",
        description=DESCRIPTION,
        args=InvokeSkillArgs,
        run=_run,
        card=lambda args, _root: _card(args.name),
        announce=Card("Use a skill", "read"),
        sketch=_sketch,
    )


def _card(name: str) -> Card:
    return Card(f"Use the skill {name}", "read")


def _sketch(partial: JsonObject, _root: AbsPath) -> Card | None:
    name = settled(partial).get("name")
    return _card(name) if isinstance(name, str) else None


async def _run(args: InvokeSkillArgs, hands: Hands) -> ToolResult:
    return ToolResult(await hands.follow(args.name))

"""The `task` tool: hands a piece of work to a sub-agent and waits for its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, field_validator

from openhands_acp.engine.cards import Card, ShownText
from openhands_acp.engine.guidance.inventory import AgentDefinition
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.builtin import named, only_looks
from openhands_acp.engine.tool import Errand, Hands, Tool, ToolResult
from openhands_acp.tools.define import define, settled
from openhands_acp.tools.long_results import told

DESCRIPTION = """\
Hand a piece of work to a sub-agent, which does it on its own in this project and reports back. It has a conversation \
of its own: what it reads and prints fills its window and not yours, so use one for what takes many steps of which you \
need only the outcome. Not for what one or two calls of yours would do, and not for edits that you already know.
- It knows nothing of this conversation: put into `prompt` all that it needs (paths, names, messages, what was tried), \
whether it is to change anything, and what to report.
- Sub-agents that only look run side by side: for independent questions make several calls in one answer.
- The person does not read its report: tell them what matters of it.
- `resume` goes on with an earlier task, which remembers what was said in it.
`subagent_type` is one of:
{agents}"""

_GENERAL = "general-purpose"
_TITLE = 100
_LISTED = 30
"""Definitions that are described; of more, the rest is named."""
_BRIEF = 300
"""Characters of one description."""


class TaskArgs(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True)

    description: str = Field(default="", description="The task in three to five words, for the person.")
    prompt: str = Field(description="The task, with all that is needed to do it.")
    subagent_type: str = _GENERAL
    resume: str | None = Field(default=None, description="ID of an earlier task to go on with.")

    @field_validator("prompt")
    @classmethod
    def _says_something(cls, prompt: str) -> str:
        if not prompt.strip():
            raise ValueError("must say what is to be done")
        return prompt

    @field_validator("resume")
    @classmethod
    def _or_none(cls, resume: str | None) -> str | None:
        # Models fill in what they need not.
        return resume or None


def task(agents: Sequence[AgentDefinition]) -> Tool:
    """Make the tool for a session in which these definitions count."""

    def is_read_only(args: TaskArgs) -> bool:
        # Which sub-agent a task goes on with, only the session knows.
        definition = named(args.subagent_type, agents) if args.resume is None else None
        return definition is not None and only_looks(definition)

    return define(
        name="task",
        description=DESCRIPTION.format(agents=_listed(agents)),
        args=TaskArgs,
        run=_run,
        card=_card,
        announce=Card("Starting a sub-agent", "other"),
        sketch=_sketch,
        is_read_only=is_read_only,
    )


async def _run(args: TaskArgs, hands: Hands) -> ToolResult:
    result = await hands.delegate(Errand(args.subagent_type, args.prompt, args.description, args.resume))
    text, kept = await told(result.text, hands)
    return ToolResult(text, result.shown, raw_output=result.raw_output, is_error=result.is_error, output=kept)


def _card(args: TaskArgs, _root: AbsPath) -> Card:
    who = args.resume or args.subagent_type
    return Card(_title(who, args.description or args.prompt), "other", (), (ShownText(args.prompt),))


def _sketch(arguments: JsonObject, _root: AbsPath) -> Card | None:
    done = settled(arguments)
    description, who = done.get("description"), done.get("subagent_type", _GENERAL)
    return Card(_title(str(who), str(description)), "other") if description else None


def _title(who: str, what: str) -> str:
    line = what.strip().partition("\n")[0]
    return f"{who}: {line if len(line) <= _TITLE else f'{line[:_TITLE]}…'}"


def _listed(agents: Sequence[AgentDefinition]) -> str:
    lines = [f"- {each.name}: {_brief(each)}" for each in agents[:_LISTED]]
    rest = ", ".join(each.name for each in agents[_LISTED:])
    return "\n".join([*lines, *([f"- and {rest}"] if rest else [])])


def _brief(definition: AgentDefinition) -> str:
    text = definition.description or "(not described)"
    text = text if len(text) <= _BRIEF else f"{text[:_BRIEF]}…"
    tools = "" if definition.tools is None else f" Tools: {_named(definition.tools)}."
    return f"{text}{tools}"


def _named(tools: Sequence[str]) -> str:
    groups: Mapping[str, None] = dict.fromkeys("browser" if tool.startswith("browser_") else tool for tool in tools)
    return ", ".join(groups) or "none"

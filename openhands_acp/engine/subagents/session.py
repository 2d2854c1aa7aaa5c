"""A sub-agent's session: a conversation of its own, through the doors of the one that it works for.

They share files, servers, person and what earlier states of files are kept; what it may do, spend and
use is narrowed. Knows neither where its conversation is kept nor what is seen of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.checkpoints.keeping import CheckpointedFiles, CheckpointedTerminals
from openhands_acp.engine.events import ConversationStarted, SystemPromptEvent
from openhands_acp.engine.guidance.inventory import AgentDefinition, Inventory
from openhands_acp.engine.hands import World
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import LLM, Terminals
from openhands_acp.engine.servers.door import Servers
from openhands_acp.engine.session import Session
from openhands_acp.engine.session_ports import Beginning, KeptSubagent, Ports
from openhands_acp.engine.subagents.bounds import Bounds, narrowed
from openhands_acp.engine.subagents.view import NamedPermissions, NamedPerson, View
from openhands_acp.engine.tool import ToolError
from openhands_acp.engine.usage.budget import Limit, Limits, in_words, reached
from openhands_acp.engine.usage.cost import dollars

Keep: TypeAlias = Callable[[AbsPath, str, str], Awaitable[KeptOutput | None]]

_ALWAYS = frozenset({"think", "finish"})
_ONLY_NAMED = frozenset({"task", "exit_plan_mode"})
"""Not among all tools: who hands on what it was given may never end, and the plan is the person's with the session."""

_ROLE = """\
# You are a sub-agent
You are `{name}` and work for another agent, which gave you one task and waits for it. The person watches, but does \
not talk to you. Your last message is all that the other agent gets: make it complete and short, with the result, how \
it was checked and what is open. Do not ask back: where something is unclear, take the likeliest and say so. Of the \
tools that are named above you have only those that you are given."""


@dataclass(frozen=True, slots=True)
class Assignment:
    task_id: str
    definition: AgentDefinition
    model: str
    depth: int
    """How many sessions there are above it."""
    servers: Servers
    """The session's, and those that the definition brings."""

    def may_have(self, tool: str) -> bool:
        """Tell whether it may have a tool of this name."""
        tools = self.definition.tools
        if tools is None:
            return tool not in _ONLY_NAMED
        # A server's name stands for all of its tools, and one that the definition brings is named by that.
        is_named = any(tool == name or tool.startswith(f"{name}__") for name in tools)
        return tool in _ALWAYS or is_named or tool in self._brought()

    def _brought(self) -> set[str]:
        return {tool.spec.name for tool in self.servers.tools() if tool.server in self.definition.servers}


def opened(session: Session, assignment: Assignment, kept: KeptSubagent, view: View, terminals: Terminals) -> Session:
    """Open the session of a sub-agent, anew or with what was said in it. Raises ToolError."""
    definition = assignment.definition
    role = _role(session, definition)
    started = ConversationStarted(
        f"{session.id}/{assignment.task_id}",
        session.roots,
        # The freest: what the one that it works for may do narrows it.
        definition.mode or "always-approve",
        assignment.model,
        session.thought_level,
    )
    most = definition.max_steps or session.limits.turn.max_steps

    def exhausted() -> str | None:
        return _exhausted(session, child, most, definition.max_cost)

    bounds = Bounds(
        assignment.depth,
        lambda mode: narrowed(mode, session.mode),
        lambda: session.rules,
        exhausted,
        assignment.may_have,
        lambda hook, complaint: hooking.complain(session, hook, complaint),
        definition.compacts,
        definition.most_tokens,
    )
    ports = replace(
        _ports(session, definition, kept, view),
        open_servers=lambda: assignment.servers,
        open_world=lambda: _world(session, view, terminals),
        bounds=bounds,
        describe=_describing(session, role),
        keep=_keeping(session, assignment.task_id),
    )
    beginning = Beginning(Limits(Limit(max_steps=most)), kept.history, session.persistence)
    child = Session(started, ports, lambda _inventory: tuple(session.toolbox.own()), beginning)
    child.set_option("model", assignment.model)
    if definition.tools and not _is_able(child, bounds):
        raise ToolError(f"none of its tools ({', '.join(definition.tools)}) is there in this session")
    return child


def _ports(session: Session, definition: AgentDefinition, kept: KeptSubagent, view: View) -> Ports:
    async def open_llm(choice: str, thought_level: str, purpose: str) -> LLM:
        # Unless its definition names one, it is the model that is set for sub-agents.
        is_named = purpose != "agent" or definition.model is not None
        return await session.ports.open_llm(choice, thought_level, purpose if is_named else "subagent")

    async def look_around() -> Inventory:
        # Those that it is to have are in its prompt; nobody types commands to it, or is told twice what is wrong.
        skills = () if definition.skills else session.inventory.skills
        # The session's look at what it does in the project, and not at how the two of them talk.
        theirs = [hook for hook in session.inventory.hooks if hook.event in ("PreToolUse", "PostToolUse")]
        hooks = (*theirs, *definition.hooks)
        return replace(session.inventory, skills=skills, commands=(), hooks=hooks, problems=(), withheld=())

    person = NamedPerson(session.person, view)
    return replace(
        session.ports,
        open_llm=open_llm,
        permissions=NamedPermissions(session.permissions, view),
        journal=kept.journal,
        publish=view.take,
        open_snapshots=None,
        open_person=lambda: person,
        look_around=look_around,
        offer=lambda: None,
        open_subagent=kept.open_subagent,
    )


def _world(session: Session, view: View, terminals: Terminals) -> World:
    """Return the session's world with another shell: what changes there is the session's turn's, and undone with it."""
    files = CheckpointedFiles(session.world.files, session.checkpoints, view.tool_call_id)
    commands = CheckpointedTerminals(terminals, session.checkpoints, view.tool_call_id)
    return replace(session.world, files=files, terminals=commands)


def _keeping(session: Session, task_id: str) -> Keep | None:
    """Return what keeps its long texts beside the session's own, and under other names."""
    keep = session.ports.keep

    async def kept(folder: AbsPath, name: str, text: str) -> KeptOutput | None:
        return None if keep is None else await keep(folder, f"{task_id}-{name}", text)

    return None if keep is None else kept


# ---------------------------------------------------------------- what it is told


def _describing(session: Session, role: str) -> Callable[[], Awaitable[SystemPromptEvent]]:
    async def describe() -> SystemPromptEvent:
        prompt = await session.ports.describe()
        # The static part stays the session's own: a provider's cache has it already.
        return replace(prompt, dynamic="\n\n".join([part for part in (prompt.dynamic, role) if part]))

    return describe


def _role(session: Session, definition: AgentDefinition) -> str:
    skills = {skill.name: skill for skill in session.inventory.skills}
    lacking = [name for name in definition.skills if name not in skills]
    if lacking:
        raise ToolError(f"it is to have skills that there are not: {', '.join(lacking)}")
    texts = [f"# Skill: {name}\n{skills[name].text}" for name in definition.skills]
    return "\n\n".join([part for part in (_ROLE.format(name=definition.name), definition.prompt, *texts) if part])


# ---------------------------------------------------------------- what it may do


def _is_able(child: Session, bounds: Bounds) -> bool:
    remote = [tool.spec.name for tool in child.servers.tools() if bounds.tools(tool.spec.name)]
    return not _ALWAYS.issuperset([*child.tools, *remote])


def _exhausted(session: Session, child: Session, max_steps: int | None, max_cost: float | None) -> str | None:
    if (why := session.exhausted()) is not None:
        return why
    # How often the session's own model is asked is not its business.
    limits = Limits(replace(session.limits.turn, max_steps=None), replace(session.limits.session, max_steps=None))
    if (it := reached(limits, session.transcript.spending)) is not None:
        return _lowered(in_words(it))
    bill = child.transcript.spending.turn
    if max_steps is not None and bill.steps >= max_steps:
        return f"it has asked its model {bill.steps:,} times, and its limit is {max_steps:,}"
    if max_cost is not None and bill.cost_usd is None:
        return f"what its model costs is not known, so its limit of {dollars(max_cost)} cannot be kept"
    if max_cost is not None and bill.whole.known_cost >= max_cost:
        return f"it has cost {dollars(bill.whole.known_cost)}, and its limit is {dollars(max_cost)}"
    return None


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]

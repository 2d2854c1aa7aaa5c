"""The tools that come with the program: one word each in `BUILTIN`, and which of them a session gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from openhands_acp.engine.guidance.inventory import NOTHING, Inventory
from openhands_acp.engine.guidance.skills import listing
from openhands_acp.engine.subagents.builtin import known
from openhands_acp.engine.tool import Tool
from openhands_acp.tools.apply_patch import apply_patch
from openhands_acp.tools.ask_user import ask_user
from openhands_acp.tools.exit_plan_mode import exit_plan_mode
from openhands_acp.tools.fetch import fetch
from openhands_acp.tools.file_editor import file_editor
from openhands_acp.tools.finish import finish
from openhands_acp.tools.glob import glob
from openhands_acp.tools.grep import grep
from openhands_acp.tools.invoke_skill import invoke_skill
from openhands_acp.tools.slim import SLIM, slimmed
from openhands_acp.tools.task import task
from openhands_acp.tools.task_tracker import task_tracker
from openhands_acp.tools.terminal import terminal
from openhands_acp.tools.think import think

BUILTIN: tuple[Callable[[], Tool], ...] = (
    *(terminal, file_editor, grep, glob, task_tracker, think, fetch, ask_user, exit_plan_mode, finish),
)
"""For every model."""

_NEEDED = frozenset({"terminal", "file_editor"})
_OF_SERVERS = frozenset({"tool_search", "read_resource"})
"""They join where there are servers, as all `server__tool` do (`engine.toolbox`)."""
_KNOWS_PATCHES = re.compile(r"(?:^|[/.:])(?:gpt-5(?![0-9])|o[1-9](?![0-9a-z])|[\w.-]*codex(?![a-z]))")
"""OpenAI's models that were taught its patches, as LiteLLM spells their names: `azure/gpt-5.1`, `o4-mini`."""


def tools_for(
    model: str,
    kept: Sequence[str] = (),
    *,
    slim: bool = False,
    inventory: Inventory = NOTHING,
    extra: Sequence[Tool] = (),
) -> tuple[Tool, ...]:
    """Make the tools of a session that begins with `model`.

    One that is taken up again has `kept` in its prompt, and keeps those that there are, in their order,
    whatever its model is now: tools that come and go confuse models, and spoil their providers' caches.
    But one that was somebody else's, with tools that do not suffice here, gets ours. `slim` is for small models,
    `extra` what this machine makes possible.
    """
    kept = [name for name in kept if "__" not in name and name not in _OF_SERVERS]
    tools = {tool.spec.name: tool for tool in (make() for make in BUILTIN)}
    is_kept = set(kept) >= _NEEDED
    if (is_kept and tuple(kept) == SLIM) or (slim and not is_kept):
        return slimmed(tools)
    delegating = task(known(inventory))
    tools[delegating.spec.name] = delegating
    tools |= {tool.spec.name: tool for tool in extra}
    order = list(tools)
    following = invoke_skill()
    tools[following.spec.name] = following
    if listing(inventory, (following.spec.name,)):
        order.append(following.spec.name)
    patching = apply_patch()
    tools[patching.spec.name] = patching
    if _KNOWS_PATCHES.search(model.lower()):
        # Beside the editor, which views files, and takes edits back.
        order.insert(order.index("file_editor") + 1, patching.spec.name)
    names = [name for name in dict.fromkeys(kept) if name in tools] if is_kept else order
    return tuple(tools[name] for name in names)

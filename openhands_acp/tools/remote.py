"""Makes a `Tool` of what a server offers: its own schema and words, our card, and arguments that were checked.

Knows no server: `hands.servers` calls it, after asking.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from anyio import to_thread

from openhands_acp.engine.cards import CallKind, Card, ShownText
from openhands_acp.engine.messages import Image, JsonObject
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.servers.door import RemoteFailure, RemoteResult, RemoteTool
from openhands_acp.engine.spelling import fenced
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.engine.toolbox import Unusable
from openhands_acp.tools.bounds import Bounded
from openhands_acp.tools.images import BadPicture, checked
from openhands_acp.tools.long_results import told as told_of
from openhands_acp.tools.remote_schemas import Arguments, BadSchema, as_json, told
from openhands_acp.tools.terminal_words import title

_DESCRIPTION = 8_000
"""Characters of a description: it is in every request."""


def remote_tool(tool: RemoteTool) -> Tool:
    """Raises Unusable."""
    try:
        arguments = Arguments(tool.spec.parameters)
    except BadSchema as error:
        raise Unusable(f"its schema is not valid ({error})") from error
    has_own_risk = arguments.has("security_risk")

    def parse(given: JsonObject) -> JsonObject:
        if not has_own_risk:
            given = {key: value for key, value in given.items() if key != "security_risk"}
        given = arguments.given(given)
        if faults := arguments.faults(given):
            raise ToolError("; ".join(faults))
        return given

    async def run(given: JsonObject, hands: Hands) -> ToolResult:
        async def progress(text: str) -> None:
            await hands.progress(*_card(tool, given).shown, ShownText(text))

        try:
            return await result_of(await hands.servers.call(tool, given, progress), hands)
        except RemoteFailure as failure:
            raise ToolError(str(failure)) from failure

    return Tool(
        spec=ToolSpec(tool.spec.name, _description(tool), told(tool.spec.parameters, risky=not tool.is_read_only)),
        parse=parse,
        run=run,
        card=lambda given, _root: _card(tool, given),
        announce=Card(title_of(tool), _kind(tool)),
        is_read_only=lambda _given: tool.is_read_only,
    )


async def result_of(result: RemoteResult, hands: Hands) -> ToolResult:
    """Make a result of a server's: what is too long is kept in a file, and what is no image is left out."""
    images, faults = await to_thread.run_sync(_seen, result.images) if result.images else ((), ())
    text, output = await told_of("\n".join((result.text, *faults)), hands)
    return ToolResult(text, result.shown, (), result.raw_output, is_error=result.is_error, images=images, output=output)


def _seen(images: Sequence[Image]) -> tuple[tuple[Image, ...], tuple[str, ...]]:
    """Tell those that a model can be shown from the others, of which it is told why not."""
    good, faults = list[Image](), list[str]()
    for image in images:
        try:
            good.append(checked(image))
        except BadPicture as error:
            faults.append(f"(an image cannot be shown: {error})")
    return tuple(good), tuple(faults)


def title_of(tool: RemoteTool) -> str:
    return f"{tool.server}: {tool.label}"


def _card(tool: RemoteTool, arguments: JsonObject) -> Card:
    if not arguments:
        return Card(title_of(tool), _kind(tool), (), (ShownText("Without arguments."),))
    # Some editors show the title of what they ask about, and no more.
    whole = f"{title_of(tool)} {title(json.dumps(arguments, ensure_ascii=False))}"
    return Card(whole, _kind(tool), (), (ShownText(fenced(as_json(arguments), "json")),))


def _kind(tool: RemoteTool) -> CallKind:
    """Choose an icon by what the server claims, which decides nothing."""
    if not tool.is_read_only:
        return "other"
    return "fetch" if tool.is_open_world else "read"


def _description(tool: RemoteTool) -> str:
    bounded = Bounded(_DESCRIPTION, 0)
    bounded.add(tool.spec.description)
    return bounded.text()

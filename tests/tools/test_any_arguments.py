"""Whatever a model gives a tool, it is answered with a sentence; nothing of it is a bug, and the turn goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from openhands_acp.engine.browser import NoBrowser
from openhands_acp.engine.events import AgentErrorEvent, ObservationEvent, UserRejectObservation
from openhands_acp.engine.ports import CallChunk, ToolSpec
from openhands_acp.tools import tools_for
from openhands_acp.tools.browser import browser_tools
from tests.harness.check import Running, TestBackend, agent
from tests.harness.model import ScriptedModel, say
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Hundreds of calls, of which none depends on the loop."""
    return "asyncio"


KNOWS_PATCHES = "openai/gpt-5"
SPECS = {tool.spec.name: tool.spec for tool in tools_for(KNOWS_PATCHES, extra=browser_tools())}
ODD: list[Any] = [None, True, -1, 10**30, "", "\0", "\ud800", "\udce9", "../..", "a\nb", [], [{}], {}]
GOOD: dict[str, Any] = {"string": "a.txt", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}


def arguments_for(spec: ToolSpec) -> Iterator[dict[str, Any]]:
    fields = cast("dict[str, dict[str, Any]]", spec.parameters.get("properties", {}))
    required = cast("Sequence[str]", spec.parameters.get("required", ()))
    good = {name: _good(fields[name]) for name in required}
    yield {}
    yield {"nonsense": 1}
    for value in ODD:
        yield dict.fromkeys(fields, value)
        for name in fields:
            yield {**good, name: value}


def _good(field: dict[str, Any]) -> Any:
    return field["enum"][0] if "enum" in field else GOOD[field.get("type", "string")]


def answers(running: Running) -> list[dict[str, Any]]:
    said = [message for way, message in running.editor.log if way == "out" and "method" not in message]
    return [{name: value for name, value in message.items() if name != "jsonrpc"} for message in said]


@pytest.mark.parametrize("name", SPECS)
async def test_it_is_answered_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    wrong = {json.dumps(arguments): arguments for arguments in arguments_for(SPECS[name])}
    calls = [[CallChunk(index, f"call_{index}", name, arguments)] for index, arguments in enumerate(wrong)]
    model = ScriptedModel([calls, [say("So be it.")]], model=KNOWS_PATCHES)
    backend = TestBackend(model, mode="always-approve", browser=NoBrowser())
    async with agent(tmp_path, backend=backend) as running:
        answer = running.ask_prompt("do it wrong")
        with anyio.fail_after(PATIENCE):
            await until(lambda: {"id": answer, "result": {"stopReason": "end_turn"}} in answers(running))
        kinds = (ObservationEvent, AgentErrorEvent, UserRejectObservation)
        results = [entry.event for entry in running.entries if isinstance(entry.event, kinds)]
    said = [event.error for event in results if isinstance(event, AgentErrorEvent)]
    assert len(results) == len(wrong)
    assert [error for error in said if "bug" in error] == []

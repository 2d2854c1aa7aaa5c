"""Every failure of one family of providers, as it is told: the sentences that the goldens of this folder hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TypeAlias, get_args

import anyio

from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import Deadlines, ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness.provider import Provider
from tests.harness.replies import Broken, Cut, Error, Kind, Refusal, Reply, Reset, Stall, Text
from tests.llm.asking import KEY, PATIENT, answer

Told: TypeAlias = tuple[str, dict[str, object], str]
"""The code, what else the engine is told, and the sentence."""

AGAIN = ", then send the prompt again."
STREAMS: dict[str, Reply] = {
    "overloaded in mid-stream": [Text("Once"), Broken("overloaded")],
    "failed in mid-stream": [Text("Once"), Broken("server")],
    "ended in mid-stream": [Text("Once"), Cut()],
    "reset in mid-stream": [Text("Once"), Reset()],
    "reset at once": [Reset()],
    "a portal's page": [Error(200, "<html><title>Sign in</title></html>", {"content-type": "text/html"})],
}
SILENT: dict[str, Reply] = {"silent": [Stall()]}
SILENT_LATER: dict[str, Reply] = {"silent in mid-stream": [Text("Once"), Stall()]}


async def told_of(model: str, reply: Reply, deadlines: Deadlines) -> Told:
    """Ask once, and return what is told; the sentence without what all have, who was asked and the last words."""
    with Provider(reply) as provider:
        settings = ModelSettings(model, KEY, provider.base_url(model), deadlines)
        try:
            chunks = await answer(LiteLLM(settings))
        except TurnError as error:
            told = _told(error)
        else:
            return "", {}, f"it went well: {chunks[-1]}"
        assert len(provider.requests) == 1
        host = provider.url.removeprefix("http://").removesuffix("/v1")
    assert KEY not in told[2]
    return told[0], told[1], told[2].replace(f"he server at {host}", "he SERVER")


def _told(error: TurnError) -> Told:
    more = {"can_retry": error.can_retry, "wait": error.wait, "window": error.window}
    return error.code, {name: value for name, value in more.items() if value}, error.detail.replace(AGAIN, " (AGAIN)")


async def family(model: str, *, without: Collection[Kind] = ()) -> dict[str, Told]:
    """Have each failure happen once, but those that these providers do not have."""
    waits = {"rate_limit": 7.0, "overloaded": 7.0}
    kinds = [kind for kind in get_args(Kind) if kind not in without]
    refused: dict[str, Reply] = {kind: [Refusal(kind, waits.get(kind))] for kind in kinds}
    told: dict[str, Told] = {}

    async def tell(name: str, reply: Reply, deadlines: Deadlines) -> None:
        told[name] = await told_of(model, reply, deadlines)

    for replies, deadlines in (
        ({**refused, **STREAMS}, PATIENT),
        (SILENT, replace(PATIENT, first_token=0.5)),
        (SILENT_LATER, replace(PATIENT, between_chunks=0.5)),
    ):
        async with anyio.create_task_group() as side_by_side:
            for name, reply in replies.items():
                side_by_side.start_soon(tell, name, reply, deadlines)
    return told

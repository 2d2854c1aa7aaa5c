"""Pages to visit: what the client is told of them, and what its answers mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from openhands_acp.acp.clients import Client, client_from
from openhands_acp.acp.eliciting import EditorPerson
from openhands_acp.engine.person.door import Filled, Form, Link, Reply
from openhands_acp.rpc.errors import RemoteError

pytestmark = pytest.mark.anyio

LINK = Link("Please log in.", "https://login.example/start?id=7", "link-7", "server x")
BOTH = Client(has_forms=True, has_links=True)


class Wire:
    def __init__(self, answer: Any = None) -> None:
        self.said: list[tuple[str, Any]] = []
        self._answer = answer

    async def ask(self, method: str, params: dict[str, Any]) -> Any:
        self.said.append((method, params))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self.said.append((method, params))

    def person(self, client: Client) -> EditorPerson:
        return EditorPerson("s", client, self.ask, self.tell)


async def test_a_page_is_shown_with_who_asks_and_told_when_it_is_done() -> None:
    wire = Wire({"action": "accept"})
    person = wire.person(BOTH)
    assert await person.visit(LINK) == Filled({})
    person.visited(LINK.id)
    assert wire.said == [
        (
            "elicitation/create",
            {
                "sessionId": "s",
                "mode": "url",
                "message": "server x asks: Please log in.",
                "elicitationId": "link-7",
                "url": "https://login.example/start?id=7",
            },
        ),
        ("elicitation/complete", {"elicitationId": "link-7"}),
    ]


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ({"action": "decline"}, "declined"),
        ({"action": "cancel"}, "dismissed"),
        ({"action": "postpone"}, "unable"),
        ({}, "unable"),
        (RemoteError(-32602, "no"), "unable"),
    ],
)
async def test_what_is_no_consent_is_none(answer: Any, reply: Reply) -> None:
    assert await Wire(answer).person(BOTH).visit(LINK) == reply


async def test_a_page_is_shown_with_the_call_that_it_belongs_to() -> None:
    wire = Wire({"action": "accept"})
    await wire.person(BOTH).visit(replace(LINK, tool_call_id="call-1"))
    assert wire.said[0][1]["toolCallId"] == "call-1"


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "javascript:alert(1)", "vscode://x", "no address", "https://", "https://a b.example"),
        *("https://[bad/x", "https://bank.example@evil.example/", "https://bank.example:x@evil.example/"),
    ],
)
async def test_only_pages_of_the_web_are_shown(url: str) -> None:
    wire = Wire({"action": "accept"})
    assert await wire.person(BOTH).visit(replace(LINK, url=url)) == "unable"
    assert wire.said == []


async def test_what_the_client_did_not_offer_is_not_asked_of_it() -> None:
    wire = Wire({"action": "accept"})
    person = wire.person(Client())
    assert (await person.visit(LINK), await person.fill(Form("?", {}))) == ("unable", "unable")
    person.visited(LINK.id)
    assert wire.said == []


@pytest.mark.parametrize(
    ("offered", "has"),
    [
        ({"form": {}, "url": {}}, (True, True)),
        ({"form": {}}, (True, False)),
        ({"form": None, "url": {}}, (False, True)),
        ({}, (False, False)),
        ({"form": True}, (False, False)),
        (None, (False, False)),
    ],
)
def test_each_kind_is_offered_by_itself(offered: Any, has: tuple[bool, bool]) -> None:
    client = client_from({"clientCapabilities": {"elicitation": offered}})
    assert (client.has_forms, client.has_links) == has

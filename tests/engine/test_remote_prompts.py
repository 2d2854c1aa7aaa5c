"""What a person types after the name of a server's prompt, as its arguments."""

from __future__ import annotations

import pytest

from openhands_acp.engine.messages import Text
from openhands_acp.engine.servers.door import RemoteFailure, RemotePrompt, Servers
from openhands_acp.engine.servers.remote_prompts import arguments_in, prompt_in_words
from tests.harness.servers import MemoryServers

pytestmark = pytest.mark.anyio

ONE = RemotePrompt("hub", "explain", arguments=(("topic", True),))
THREE = RemotePrompt("hub", "compare", arguments=(("left", True), ("right", True), ("how", False)))


@pytest.mark.parametrize(
    ("typed", "prompt", "given"),
    [
        ("", ONE, {}),
        ("rain", ONE, {"topic": "rain"}),
        ("why  'it' rains", ONE, {"topic": "why  'it' rains"}),
        ("it's raining", ONE, {"topic": "it's raining"}),
        ('"the rain"', ONE, {"topic": "the rain"}),
        ("topic=rain", ONE, {"topic": "rain"}),
        ("a=b", ONE, {"topic": "a=b"}),
        ("one two", THREE, {"left": "one", "right": "two"}),
        ("one two three four", THREE, {"left": "one", "right": "two", "how": "three four"}),
        ("'one two' three", THREE, {"left": "one two", "right": "three"}),
        ("how=quickly one two", THREE, {"left": "one", "right": "two", "how": "quickly"}),
        ("one", RemotePrompt("hub", "hello"), {}),
    ],
)
def test_what_is_typed_gives_the_arguments(typed: str, prompt: RemotePrompt, given: dict[str, str]) -> None:
    assert arguments_in(typed, prompt) == given


class Session:
    def __init__(self, **texts: str) -> None:
        self.servers: Servers = MemoryServers(texts=texts)


async def test_a_prompt_is_what_the_server_makes_of_the_arguments() -> None:
    session = Session(compare="Compare {left} with {right}.")
    assert await prompt_in_words(session, THREE, "tea coffee") == (Text("Compare tea with coffee."),)


async def test_what_a_prompt_needs_is_named_and_the_server_not_asked() -> None:
    with pytest.raises(RemoteFailure, match=r"it needs `right`. Write LEFT RIGHT \[HOW\] after it"):
        await prompt_in_words(Session(), THREE, "tea")

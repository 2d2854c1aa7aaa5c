"""The door to the person for more than yes and no: forms to fill in, buttons of any name, and pages to visit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from openhands_acp.engine.cards import Card
from openhands_acp.engine.messages import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Form:
    """Questions for the person. Never for secrets: the protocol forbids it, and the model reads the answers."""

    message: str
    schema: JsonObject
    """A flat object of strings, numbers, booleans and choices (protocol/v1/elicitation)."""
    asker: str = ""
    """Who wants to know, if not the agent itself: a server, a sub-agent."""
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A page that the person is to visit outside of the editor, for what nobody else may see."""

    message: str
    url: str
    id: str
    asker: str = ""
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    values: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Button:
    id: str
    name: str
    kind: Literal["allow_once", "allow_always", "reject_once"] | None = None
    """What a client that answers for the person takes it for; None: only a person may choose it."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A question with a few answers, for clients without forms: each has the buttons of a permission."""

    tool_call_id: str
    """Of a call that the client knows; the question is shown there."""
    card: Card
    """Alone tells the person everything, as that of a `Question`."""
    buttons: tuple[Button, ...]
    """First `allow_once`; where none allows, first `reject_once`: some clients choose the first unasked."""


@dataclass(frozen=True, slots=True)
class Picked:
    button: str
    """Its id; always one of the question's."""


Reply: TypeAlias = Filled | Literal["declined", "dismissed", "unable"]
"""Unable: this client has no such forms, or failed."""


class Person(Protocol):
    async def fill(self, form: Form) -> Reply:
        """Show a form and wait. What comes back fits the schema."""
        ...

    async def pick(self, pick: Pick) -> Picked | Literal["dismissed", "unable"]:
        """Show buttons and wait. Dismissed: the person wants the turn to stop."""
        ...

    async def visit(self, link: Link) -> Reply:
        """Ask the person to open a page; Filled means that they do, not that they are done there."""
        ...

    def visited(self, link_id: str) -> None:
        """Tell the client that what was to be done on the page is done."""
        ...


class Nobody:
    """A client that has neither."""

    async def fill(self, form: Form) -> Reply:
        return "unable"

    async def pick(self, pick: Pick) -> Picked | Literal["dismissed", "unable"]:
        return "unable"

    async def visit(self, link: Link) -> Reply:
        return "unable"

    def visited(self, link_id: str) -> None:
        pass

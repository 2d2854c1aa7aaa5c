"""A session that is open, and how this client sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio

from openhands_acp.acp.options import Options
from openhands_acp.acp.replay import Replay
from openhands_acp.acp.updates import Projector
from openhands_acp.engine.choices import Choice
from openhands_acp.engine.commands.table import SlashCommand
from openhands_acp.engine.session import Session


@dataclass(slots=True)
class Opened:
    """A session and how this client sees it."""

    session: Session
    goes_on_from: Callable[[Projector], None]
    """Has what is told live go on from a replay of everything."""
    models: tuple[Choice, ...]
    """Those that the client was told of."""
    titles: bool = False
    thought_levels: Callable[[str], tuple[str, ...]] = lambda _model: ()
    """Says what a model offers."""
    commands: tuple[SlashCommand, ...] = ()
    """Those that the client was told of."""
    is_announced: bool = False
    """The answer that names it, and what is told behind it, are out: from now on it is told what changes."""
    replay: Replay | None = None
    """Under way at this moment: nothing else is told in between."""
    entitling: anyio.CancelScope | None = None
    """Set while a title is being thought of."""
    is_title_put_off: bool = False
    """A prompt came while one was thought of."""
    closed: anyio.Event | None = None
    """Set to be waited for once the session is being closed: from then on no request finds it."""

    def options(self) -> Options:
        session = self.session
        return Options(
            session.mode, session.model, self.models, session.thought_level, self.thought_levels(session.model)
        )

    async def entitle(self) -> None:
        """Ask for a title in the model's words, if it is due. Never fails."""
        from openhands_acp.engine.entitling import entitle

        if self.entitling is not None or self.closed is not None:
            # Several prompts may have been answered with one turn.
            return
        with anyio.CancelScope() as self.entitling:
            await entitle(self.session, is_put_off=self.is_title_put_off)
        self.is_title_put_off = self.entitling.cancelled_caught
        self.entitling = None

    def put_title_off(self) -> None:
        """Stop thinking of a title: a model of this machine answers one at a time, and a prompt goes first."""
        if self.entitling is not None:
            self.entitling.cancel()

    def described(self) -> dict[str, Any]:
        """What the answers to new, load, resume and fork have in common."""
        options = self.options()
        return {"modes": options.modes(), "configOptions": options.config_options()}

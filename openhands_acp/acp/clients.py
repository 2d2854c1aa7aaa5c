"""What the client at the other end can do, and the quirks we know by its name: data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Client:
    """Read leniently from `initialize`: what is missing or of the wrong type is not offered."""

    name: str = ""
    version: str = ""
    reads_files: bool = False
    writes_files: bool = False
    has_terminals: bool = False
    """Runs commands in terminals of its own."""
    draws_terminals: bool = False
    """Displays terminals that we feed; said in `_meta`, for the protocol has no place for it yet."""
    has_terminal_auth: bool = False
    has_forms: bool = False
    """Shows a person questions to fill in (elicitation)."""
    has_links: bool = False
    """Takes a person to a page, and never shows us what they do there."""
    shows_compactions: bool = False
    """Has a place of its own for them (a draft of the protocol); else they are told in the chat alone."""
    reads_turn_usage: bool = False
    """Takes what a turn used in its answer; not stable in the protocol yet, so it has no capability."""
    nests_calls: bool = False
    """Shows what sub-agents call inside the call that they work for; said in `_meta`, as claude-agent-acp has it."""

    @property
    def may_hold_unsaved_files(self) -> bool:
        """Asking some clients for a file that is not there only shows the person an error."""
        return self.reads_files and self.name not in _HEADLESS


_HEADLESS = frozenset({"acpx"})
_READS_TURN_USAGE = frozenset({"acpx", "zed"})


def client_from(params: Mapping[str, Any]) -> Client:
    capabilities = _mapping(params.get("clientCapabilities"))
    info, fs, meta = (
        _mapping(params.get("clientInfo")),
        _mapping(capabilities.get("fs")),
        _mapping(capabilities.get("_meta")),
    )
    # Each kind by itself: unlike with MCP, an empty capability offers none.
    elicitation = _mapping(capabilities.get("elicitation"))
    name = str(info.get("name", ""))
    return Client(
        name=name,
        version=str(info.get("version", "")),
        reads_files=fs.get("readTextFile") is True,
        writes_files=fs.get("writeTextFile") is True,
        has_terminals=capabilities.get("terminal") is True,
        draws_terminals=meta.get("terminal_output") is True,
        # Zed said it in `_meta` before the protocol had a place for it.
        has_terminal_auth=_mapping(capabilities.get("auth")).get("terminal") is True
        or meta.get("terminal-auth") is True,
        has_forms=isinstance(elicitation.get("form"), Mapping),
        has_links=isinstance(elicitation.get("url"), Mapping),
        shows_compactions=isinstance(_mapping(capabilities.get("session")).get("compaction"), Mapping),
        reads_turn_usage=name in _READS_TURN_USAGE or meta.get("turn_usage") is True,
        nests_calls=meta.get("subagent-transcript") is True,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]

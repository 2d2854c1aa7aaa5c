"""The first moments of a connection: `initialize`, and the table of what can be called after it.

Light on purpose. An editor waits for `initialize` while it opens; what serves the other methods is
loaded right behind its answer, or with the first request that needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from openhands_acp.acp.clients import Client, client_from
from openhands_acp.rpc.errors import INVALID_PARAMS, INVALID_REQUEST, RpcError
from openhands_acp.rpc.json import JsonObject
from openhands_acp.rpc.peer import Call, Listener, Method, Peer, Reply, done

PROTOCOL_VERSION = 1


class Agent(Protocol):
    """What serves the methods of the table (`acp.agent`)."""

    def authenticate(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def new_session(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def load_session(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def resume_session(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def fork_session(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def list_sessions(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def delete_session(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def prompt(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def set_mode(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def set_config_option(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def close_session(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def mcp_message(self, call: Call, params: JsonObject, /) -> Awaitable[Reply]: ...
    def mcp_notification(self, params: JsonObject, /) -> None: ...
    def cancel(self, params: JsonObject, /) -> None: ...
    async def close(self) -> None: ...


METHODS: Mapping[str, Callable[[Agent], Method]] = {
    "authenticate": lambda agent: agent.authenticate,
    "session/new": lambda agent: agent.new_session,
    "session/load": lambda agent: agent.load_session,
    "session/resume": lambda agent: agent.resume_session,
    "session/fork": lambda agent: agent.fork_session,
    "session/list": lambda agent: agent.list_sessions,
    "session/delete": lambda agent: agent.delete_session,
    "session/prompt": lambda agent: agent.prompt,
    "session/set_mode": lambda agent: agent.set_mode,
    "session/set_config_option": lambda agent: agent.set_config_option,
    "session/close": lambda agent: agent.close_session,
    "mcp/message": lambda agent: agent.mcp_message,
}
LISTENERS: Mapping[str, Callable[[Agent], Listener]] = {
    "session/cancel": lambda agent: agent.cancel,
    "mcp/message": lambda agent: agent.mcp_notification,
}

_SESSION_CAPABILITIES = ("list", "resume", "close", "delete", "fork")


class Connection:
    """One client, from its first message on."""

    def __init__(self, version: str, load: Callable[[Peer, Client], Agent]) -> None:
        """`load` makes the agent for a client, once; it may take a while."""
        self._version = version
        self._load = load
        self._client: Client | None = None
        self._agent: Agent | None = None
        self.peer = Peer(
            {"initialize": self._initialize} | {name: self._method(find) for name, find in METHODS.items()},
            {name: self._listener(find) for name, find in LISTENERS.items()},
            self._admit,
            lasting=("session/prompt",),
        )

    async def close(self) -> None:
        """Free every session: the connection is over."""
        if self._agent is not None:
            await self._agent.close()

    def _initialize(self, _call: Call, params: JsonObject) -> Awaitable[Reply]:
        if "protocolVersion" not in params:
            raise RpcError(INVALID_PARAMS, "protocolVersion: field required")
        if self._client is None:
            self._client = client_from(params)
        result = {
            # One version is spoken here, whatever is asked for: the client decides whether that will do.
            "protocolVersion": PROTOCOL_VERSION,
            "agentCapabilities": capabilities(),
            "agentInfo": {"name": "openhands-acp", "title": "OpenHands", "version": self._version},
            "authMethods": auth_methods(self._client),
        }
        return done(result, self._ready)

    async def _ready(self) -> None:
        await self.peer.outbox.flushed()
        self._loaded()

    def _loaded(self) -> Agent:
        assert self._client is not None
        if self._agent is None:
            self._agent = self._load(self.peer, self._client)
        return self._agent

    def _admit(self, method: str) -> None:
        if self._client is None and method != "initialize":
            raise RpcError(INVALID_REQUEST, "the first request must be initialize")

    def _method(self, find: Callable[[Agent], Method]) -> Method:
        # Found anew at each call: what serves it may not be loaded yet.
        def method(call: Call, params: JsonObject) -> Awaitable[Reply]:
            return find(self._loaded())(call, params)

        return method

    def _listener(self, find: Callable[[Agent], Listener]) -> Listener:
        return lambda params: find(self._loaded())(params) if self._client else None


def capabilities() -> dict[str, Any]:
    """`AgentCapabilities`: what the method table serves, and what content a prompt may hold."""
    return {
        "loadSession": "session/load" in METHODS,
        "promptCapabilities": {"image": True, "audio": False, "embeddedContext": True},
        "mcpCapabilities": {"http": True, "sse": True, "acp": "mcp/message" in METHODS},
        "sessionCapabilities": {name: {} for name in _SESSION_CAPABILITIES if f"session/{name}" in METHODS}
        | {"additionalDirectories": {}},
    }


def auth_methods(client: Client) -> list[dict[str, Any]]:
    """Never empty: the registry's check and some clients want one even where a key is set."""
    methods: list[dict[str, Any]] = [
        {
            "id": "llm-api-key",
            "name": "Model and API key from the settings",
            "description": "Reads LLM_MODEL, LLM_API_KEY and the settings files again",
        }
    ]
    if client.has_terminal_auth:
        setup = {"label": "Set up OpenHands", "command": sys.executable, "args": ["-m", "openhands_acp", "setup"]}
        methods.append(
            {
                "type": "terminal",
                "id": "setup",
                "name": "Set up in a terminal",
                "description": "Asks for a model and its key, tests them and saves them",
                "args": ["setup"],
                "_meta": {"terminal-auth": setup},
            }
        )
    return methods

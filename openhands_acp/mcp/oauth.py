"""Logging in at http servers by OAuth: the person is given a link, and their browser comes back to a port of ours.

The protocol is the MCP library's, what is kept of it stands in a `TokenStore`. Does not know how the person is shown
a link. Nothing imports this before FastMCP has been imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, assert_never
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import uuid4

import anyio
import anyio.to_thread
import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
)
from pydantic import AnyUrl, BaseModel, ValidationError

from openhands_acp.engine.person.door import Filled, Link, Person
from openhands_acp.mcp.callback import Callback, Returned, address, usable_port, waiting_at
from openhands_acp.mcp.config import ClientAuthMethod, OAuth, ServerConfig
from openhands_acp.mcp.doors import Login, LoginNeeded
from openhands_acp.mcp.tokens import TokenStore

T = TypeVar("T")

_PATIENCE = 600.0
"""Seconds that a person may take to log in."""
_PREFLIGHT = 10.0
_UNLOCKING = 60.0
"""Seconds that the keyring gets: it may ask the person to unlock it."""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """Makes what logs in at a server (`doors.Authorize`)."""

    tokens: TokenStore
    person: Person
    learn: Callable[[str], None] = lambda _key: None
    """Told each token, to mask it."""
    patience: float = _PATIENCE

    async def __call__(self, config: ServerConfig, login: Login) -> httpx2.Auth | None:
        if any(name.lower() == "authorization" for name in config.headers):
            # Somebody said how to get in.
            return None
        oauth = config.oauth or OAuth()
        storage = _Storage(self.tokens, config.url, oauth, self.learn, login)
        port = usable_port(await storage.port())
        visit = _Visit(config, login, self.person, storage, port, self.patience)
        metadata = _metadata(oauth, port)
        provider = OAuthClientProvider(
            config.url, metadata, storage, visit.prepare, visit.make, oauth.client_metadata_url
        )
        storage.context = provider.context
        return provider


def _metadata(oauth: OAuth, port: int) -> OAuthClientMetadata:
    return OAuthClientMetadata(
        client_name=oauth.client_name or "OpenHands ACP",
        redirect_uris=[AnyUrl(address(port))],
        scope=" ".join(oauth.scopes) or None,
        token_endpoint_auth_method=_auth_method(oauth),
    )


def _auth_method(oauth: OAuth) -> ClientAuthMethod:
    return oauth.client_auth_method or ("client_secret_post" if oauth.client_secret else "none")


# ---------------------------------------------------------------- the person


@dataclass(slots=True)
class _Visit:
    """One login, in the two steps of the library's."""

    config: ServerConfig
    login: Login
    person: Person
    storage: _Storage
    port: int
    patience: float
    url: str = ""
    is_visiting: bool = False
    """The person said that they open the page."""

    async def prepare(self, url: str) -> None:
        """Take in the page to visit, if its server takes it, too. Raises ConnectionError."""
        self.url = _with_scopes(url, self.config.oauth)
        async with httpx2.AsyncClient(timeout=_PREFLIGHT) as client:
            response = await client.get(self.url, follow_redirects=False)
        if response.status_code in (httpx2.codes.BAD_REQUEST, httpx2.codes.UNAUTHORIZED):
            # It has forgotten whom it once registered: the next attempt registers anew.
            await self.storage.forget()
            raise ConnectionError(f"{urlsplit(url).hostname} does not know this program any more")

    async def make(self) -> AuthorizationCodeResult:
        """Send the person to the page, and wait for their browser to come back. Raises LoginNeeded."""
        state = parse_qs(urlsplit(self.url).query)["state"][0]
        with self.login.waiting(f"open {self.url} in a browser and log in"):
            returned = await self._returned(state)
        if returned.error:
            raise LoginNeeded(f"{returned.error}; `/mcp retry {self.config.name}` asks again")
        return AuthorizationCodeResult(code=returned.code, state=state, iss=returned.issuer)

    async def _returned(self, state: str) -> Returned:
        link = Link(f"Log in for the MCP server {self.config.name!r}.", self.url, str(uuid4()), self.config.name)
        returned = Returned(error="nobody logged in")
        with anyio.move_on_after(self.patience):
            async with waiting_at(self.port, state) as callback, anyio.create_task_group() as tasks:
                tasks.start_soon(self._ask, link, callback)
                returned = await callback.wait()
                tasks.cancel_scope.cancel()
        if self.is_visiting:
            self.person.visited(link.id)
        return returned

    async def _ask(self, link: Link, callback: Callback) -> None:
        reply = await self.person.visit(link)
        match reply:
            case Filled():
                self.is_visiting = True
            case "unable":
                # The server's state shows it to them.
                pass
            case "declined" | "dismissed":
                callback.give_up("the login was declined")
            case _:
                assert_never(reply)


def _with_scopes(url: str, oauth: OAuth | None) -> str:
    """Ask for what was configured: the library asks for all that the server names."""
    if oauth is None or not oauth.scopes:
        return url
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "scope"]
    return parts._replace(query=urlencode([*query, ("scope", " ".join(oauth.scopes))])).geturl()


# ---------------------------------------------------------------- what is kept


_SECRET = ("client", "tokens")
"""Of a `_Login`."""


class _Login(BaseModel):
    client: OAuthClientInformationFull | None = None
    tokens: OAuthToken | None = None
    expires_at: float | None = None
    metadata: OAuthMetadata | None = None
    """Of the server that gives tokens: it need not be the one that takes them."""


@dataclass(slots=True)
class _Storage:
    """`TokenStorage` of the library, with what else it needs to go on after a restart."""

    tokens: TokenStore
    server: str
    oauth: OAuth
    learn: Callable[[str], None]
    login: Login
    context: OAuthContext | None = None

    async def get_tokens(self) -> OAuthToken | None:
        kept = await self._kept()
        if self.context is not None and kept.tokens is not None:
            # The library keeps neither, and would take an old token for a good one, and ask the wrong server for
            # a new one.
            self.context.token_expiry_time = kept.expires_at
            self.context.oauth_metadata = kept.metadata
        self._learn(kept.tokens)
        return kept.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self._learn(tokens)
        context = self.context
        expires_at = None if tokens.expires_in is None else time.time() + tokens.expires_in
        metadata = context.oauth_metadata if context else None
        await self._change({"tokens": tokens, "expires_at": expires_at, "metadata": metadata})

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        if self.oauth.client_id is not None:
            return OAuthClientInformationFull(
                client_id=self.oauth.client_id,
                client_secret=self.oauth.client_secret,
                token_endpoint_auth_method=_auth_method(self.oauth),
            )
        return (await self._kept()).client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        if client_info.client_secret:
            self.learn(client_info.client_secret)
        await self._change({"client": client_info})

    async def port(self) -> int:
        """Return the port that the server was told of, 0 if none."""
        client = (await self._kept()).client
        addresses = (client.redirect_uris or []) if client else []
        return next((each.port for each in addresses if each.port), 0)

    async def forget(self) -> None:
        await self._in_thread(lambda: self.tokens.forget(self.server))

    async def _kept(self) -> _Login:
        return await self._in_thread(self._read)

    def _read(self) -> _Login:
        try:
            return _Login.model_validate(self.tokens.read(self.server))
        except ValidationError:
            # Of another release of the library: whoever was logged in logs in once more.
            return _Login()

    async def _change(self, change: dict[str, Any]) -> None:
        def write() -> None:
            login = self._read().model_copy(update=change)
            self.tokens.write(self.server, login.model_dump(mode="json", exclude_none=True), _SECRET)

        await self._in_thread(write)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Use the store, which may wait for the person to unlock their keyring."""
        with self.login.waiting(), anyio.move_on_after(_UNLOCKING):
            done = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
            if news := self.tokens.news():
                self.login.remark(news)
            return done
        raise LoginNeeded(f"the system's keyring did not answer within {_UNLOCKING:g} s; `/mcp retry` asks again")

    def _learn(self, tokens: OAuthToken | None) -> None:
        for token in (tokens.access_token, tokens.refresh_token) if tokens else ():
            if token:
                self.learn(token)

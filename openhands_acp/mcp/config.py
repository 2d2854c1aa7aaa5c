"""One server, as somebody configured it, with all variables filled in. Knows neither files nor the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

Transport: TypeAlias = Literal["stdio", "http", "sse", "acp"]
ClientAuthMethod: TypeAlias = Literal["none", "client_secret_post", "client_secret_basic", "private_key_jwt"]


_HIDDEN = "[secret]"


def shown_url(url: str) -> str:
    """Return an address as it may be shown, to a model, too: without what stands in it to get in."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # It is none, and where what is secret in it would begin nobody knows.
        return _HIDDEN
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=_HIDDEN if parts.query else "").geturl()


@dataclass(frozen=True, slots=True)
class OAuth:
    """How to log in at an http server: what is None is negotiated."""

    scopes: tuple[str, ...] = ()
    client_name: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    client_metadata_url: str | None = None
    """Where the client's description is, which stands for its id then."""
    client_auth_method: ClientAuthMethod | None = None


@dataclass(frozen=True, slots=True)
class ServerConfig:
    name: str
    source: str
    """In words: "the editor", or a file's path."""
    transport: Transport
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """On top of what commands of the session inherit."""
    cwd: str | None = None
    url: str = ""
    """Of "acp": the id by which the client knows the server."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    oauth: OAuth | None = None
    """None: logged in where the server asks for it (401), all the same; never for stdio."""
    connect_timeout: float = 30.0
    """Seconds."""
    call_timeout: float = 300.0
    """Seconds without a sign of life: progress begins them anew."""
    is_enabled: bool = True
    is_trusted: bool = True
    """False: a project names it that nobody has trusted yet; it is not connected, and shown as such."""
    problem: str = ""
    """Why it cannot be used, in words; it is shown as failed then."""
    line: int = field(default=0, compare=False)
    """Where it stands in its file; 0: in none. A server that only moved there is the same, and stays connected."""

"""Files that name MCP servers, as OpenHands and others write them: `mcp.json`, `.mcp.json`.

Knows their syntax, and how variables are filled in. Reads leniently: what is right counts, and each mistake is told
with file and line. Does not know which files there are, nor whom to trust.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from openhands_acp.engine.lined_json import Object, in_line, line_at, lined, twice_in
from openhands_acp.lenient import as_table, parse_json, read_text
from openhands_acp.mcp.config import ClientAuthMethod, OAuth, ServerConfig, Transport

_LENIENT = ConfigDict(
    defer_build=True, hide_input_in_errors=True, coerce_numbers_to_str=True, populate_by_name=True, frozen=True
)
"""Unknown names are ignored: other programs read the same files. What is wrong is never shown: it may be a key."""


_MANIFEST = "plugin.json"


class Authentication(BaseModel):
    """How to log in at an OAuth server."""

    model_config = _LENIENT
    scopes: str | list[str] | None = None
    client_name: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    client_metadata_url: str | None = None
    client_auth_method: ClientAuthMethod | None = None


class Auth(BaseModel):
    model_config = _LENIENT
    strategy: Literal["none", "api_key", "bearer", "basic", "header", "oauth2"]
    value: str = ""
    header_name: str = ""
    username: str = ""
    password: str = ""
    headers: dict[str, str] = {}
    authentication: Authentication | None = None


class Server(BaseModel):
    model_config = _LENIENT
    command: str = ""
    args: list[str] = []
    env: dict[str, str] = {}
    cwd: str | None = None
    url: str = ""
    transport: Literal["stdio", "http", "streamable-http", "shttp", "sse"] | None = Field(
        default=None, validation_alias=AliasChoices("transport", "type")
    )
    headers: dict[str, str] = {}
    auth: str | Auth | None = None
    authentication: Authentication | None = None
    timeout: float | None = Field(default=None, gt=0)
    enabled: bool = True
    disabled: bool = False
    """As other programs say that it is not enabled."""


@dataclass(frozen=True, slots=True)
class Found:
    servers: tuple[ServerConfig, ...] = ()
    problems: tuple[str, ...] = ()
    """Of the file as a whole: a server's own are in its config."""
    entries: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """As they are written, by the servers' names."""


def read_file(path: Path, environ: Mapping[str, str], folder: Path, source: str | None = None) -> Found:
    """Read a file that names servers; one that is not there names none.

    `environ` fills in `${VAR}` and `${VAR:-default}`; paths that do not begin at the root begin at `folder`.
    """
    text, problems = read_text(path)
    if problems or not text.strip():
        return Found(problems=tuple(problems))
    document, problems = parse_json(path, text)
    if problems:
        return Found(problems=tuple(problems))
    place = _Place(path, lined(text))
    problems = [
        f"{path}, line {line}: {name!r} is there twice (first in line {first}); this one counts"
        for name, first, line in twice_in(place.document)
    ]
    # Plugins leave out the table round them, but for their manifest, in which other things stand, too.
    inside = ("mcpServers",) if "mcpServers" in document or path.name == _MANIFEST else ()
    table: Any = document.get("mcpServers") if inside else document
    if not isinstance(place.document, Object):
        problems.append(f"{path}, line 1: must be a table of servers by their names")
    elif table is not None and not isinstance(table, dict):
        problems.append(f"{place.of(*inside)}: must be a table of servers by their names")
    entries = as_table(cast("object", table))
    servers: list[ServerConfig] = []
    for name, entry in entries.items():
        reading = _Reading(name, source or str(path), place.line(*inside, name), environ, folder)
        servers.append(_server(entry, place, (*inside, name), reading))
    return Found(tuple(servers), tuple(problems), entries)


def read_field(
    path: Path, line: int, entries: Mapping[str, Any], environ: Mapping[str, str], folder: Path
) -> tuple[ServerConfig, ...]:
    """Read the servers that a field of another kind of file has, which stands in this line."""
    place = _Place(path, in_line(entries, line))
    return tuple(
        [
            _server(entry, place, (name,), _Reading(name, str(path), line, environ, folder))
            for name, entry in entries.items()
        ]
    )


def _server(entry: object, place: _Place, at: tuple[str, ...], reading: _Reading) -> ServerConfig:
    try:
        server = Server.model_validate(entry)
    except ValidationError as error:
        said = [f"{place.of(*at, *loc)}: {_worded(message)}" for loc, message in _wrong(error)]
        return reading.unusable("; ".join(said))
    return reading.config(server, place.of(*at))


def merged(layers: Iterable[Iterable[ServerConfig]]) -> Found:
    """Put servers of several sources together, each name from the first source that has it."""
    found: dict[str, ServerConfig] = {}
    problems: list[str] = []
    for config in (config for layer in layers for config in layer):
        first = found.setdefault(config.name, config)
        if replace(first, source="", is_trusted=True) != replace(config, source="", is_trusted=True):
            problems.append(f"{_where(config)}: the server {config.name!r} is left out; {_where(first)} has one, too")
    return Found(tuple(found.values()), tuple(problems))


def _where(config: ServerConfig) -> str:
    return f"{config.source}, line {config.line}" if config.line else config.source


# ---------------------------------------------------------------- one file


@dataclass(frozen=True, slots=True)
class _Place:
    """Names places in a file, for a person to find them."""

    path: Path
    document: object

    def line(self, *place: int | str) -> int:
        return line_at(self.document, place)

    def of(self, *place: int | str) -> str:
        return f"{self.path}, line {self.line(*place)}, {'.'.join(map(str, place))}"


def _wrong(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Return what is wrong, and where. Of the two spellings of `auth`, the table has more to say."""
    wrong = error.errors(include_url=False, include_input=False, include_context=False)
    told = [each for each in wrong if each["loc"] != ("auth", "str")]
    return [(tuple(step for step in each["loc"] if step != Auth.__name__), each["msg"]) for each in told]


def _worded(message: str) -> str:
    plain = re.sub(r"a valid dictionary or (instance|object) of \w+|a valid dictionary", "a table", message)
    return plain.replace("Input should be", "must be").replace("a valid ", "a ")


# ---------------------------------------------------------------- one server

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_TRANSPORTS: Mapping[str, Transport] = {"streamable-http": "http", "shttp": "http", "http": "http", "sse": "sse"}
_LONGEST = 3600.0
"""A greater timeout is meant in milliseconds, as other programs write it."""


class _Unset(Exception):
    """A variable that is not set and has no default. Its name is the message."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the servers of one file are meant."""

    name: str
    source: str
    line: int
    environ: Mapping[str, str]
    folder: Path

    def unusable(self, problem: str) -> ServerConfig:
        return ServerConfig(self.name, self.source, "stdio", problem=problem, line=self.line)

    def config(self, server: Server, place: str) -> ServerConfig:
        is_enabled = server.enabled and not server.disabled
        try:
            config = self._stdio(server) if server.command else self._remote(server)
        except _Unset as unset:
            config = self.unusable(f"{place}: the variable {unset} is not set here")
        if not (server.command or server.url):
            config = self.unusable(f"{place}: has neither `command` nor `url`")
        if server.timeout is not None:
            seconds = server.timeout if server.timeout <= _LONGEST else server.timeout / 1000
            config = replace(config, call_timeout=seconds)
        return replace(config, is_enabled=is_enabled, line=self.line)

    def _stdio(self, server: Server) -> ServerConfig:
        return ServerConfig(
            self.name,
            self.source,
            "stdio",
            command=self._program(self._filled(server.command)),
            args=tuple([self._filled(arg) for arg in server.args]),
            env={name: self._filled(value) for name, value in server.env.items()},
            cwd=None if server.cwd is None else str(self.folder / Path(self._filled(server.cwd)).expanduser()),
        )

    def _remote(self, server: Server) -> ServerConfig:
        url = self._filled(server.url)
        is_sse = re.search(r"/sse(/|\?|&|$)", url) is not None
        headers = {name: self._filled(value) for name, value in server.headers.items()}
        return ServerConfig(
            self.name,
            self.source,
            # As FastMCP and OpenHands guess it where nothing is said.
            _TRANSPORTS.get(server.transport or "", "sse" if is_sse else "http"),
            url=url,
            headers=headers | self._auth_headers(server.auth),
            oauth=self._oauth(server),
        )

    def _auth_headers(self, auth: str | Auth | None) -> dict[str, str]:
        """Say how a key or a password is sent, if there is one."""
        match auth:
            case None | "oauth" | "":
                return {}
            case str():
                return {"Authorization": f"Bearer {self._filled(auth)}"}
            case Auth(strategy="none" | "oauth2"):
                return {}
            case Auth(strategy="api_key", header_name=str(name)) if name and auth.value:
                return {name: self._filled(auth.value)}
            case Auth(strategy="api_key" | "bearer"):
                return {"Authorization": f"Bearer {self._filled(auth.value)}"} if auth.value else {}
            case Auth(strategy="basic"):
                pair = f"{self._filled(auth.username)}:{self._filled(auth.password)}"
                return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
            case Auth(strategy="header"):
                return {name: self._filled(value) for name, value in auth.headers.items()}
            case _:
                raise AssertionError(auth)

    def _oauth(self, server: Server) -> OAuth | None:
        auth = server.auth
        if auth != "oauth" and not (isinstance(auth, Auth) and auth.strategy == "oauth2"):
            return None
        given = (auth.authentication if isinstance(auth, Auth) else None) or server.authentication or Authentication()
        scopes = given.scopes.split() if isinstance(given.scopes, str) else given.scopes or []
        return OAuth(
            scopes=tuple(scopes),
            client_name=given.client_name,
            client_id=given.client_id and self._filled(given.client_id),
            client_secret=given.client_secret and self._filled(given.client_secret),
            client_metadata_url=given.client_metadata_url,
            client_auth_method=given.client_auth_method,
        )

    def _program(self, command: str) -> str:
        """A program with a folder in its name begins where the file says; one without is looked for in PATH."""
        command = os.path.expanduser(command)
        return str(self.folder / command) if os.path.dirname(command) else command

    def _filled(self, text: str) -> str:
        """Fill in variables. Raises _Unset."""

        def value(match: re.Match[str]) -> str:
            name, default = match.groups()
            found = self.environ.get(name)
            if not found and default is not None:
                return default
            if found is None:
                raise _Unset(name)
            return found

        return _VARIABLE.sub(value, text)

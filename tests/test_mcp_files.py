"""Files that name MCP servers: what counts in them, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.mcp.config import OAuth, ServerConfig
from openhands_acp.mcp_files import merged, read_file

ENVIRON = {"TOKEN": "t0k3n", "EMPTY": ""}


def config(**given: object) -> ServerConfig:
    return ServerConfig(**{"name": "a", "source": "mcp.json", "transport": "stdio", **given})  # pyright: ignore[reportArgumentType]


def http(**given: object) -> ServerConfig:
    return config(**{"transport": "http", "url": "https://x/mcp", **given})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('{"command": "npx", "args": ["-y", "x"]}', config(command="npx", args=("-y", "x"))),
        ('{"command": "x", "env": {"A": "${TOKEN}", "N": 5}}', config(command="x", env={"A": "t0k3n", "N": "5"})),
        ('{"command": "x", "args": ["${NONE:-8080}", "$TOKEN"]}', config(command="x", args=("8080", "$TOKEN"))),
        ('{"command": "x", "args": ["${EMPTY:-full}", "${EMPTY}"]}', config(command="x", args=("full", ""))),
        ('{"command": "./serve", "cwd": "sub"}', config(command="/p/serve", cwd="/p/sub")),
        ('{"command": "x", "enabled": false}', config(command="x", is_enabled=False)),
        ('{"command": "x", "disabled": true}', config(command="x", is_enabled=False)),
        ('{"command": "x", "timeout": 60}', config(command="x", call_timeout=60)),
        ('{"command": "x", "timeout": 30000}', config(command="x", call_timeout=30)),
        ('{"command": "x", "description": "d", "icon": "i", "unheard_of": 1}', config(command="x")),
        ('{"url": "https://x/mcp"}', http()),
        ('{"url": "https://x/mcp", "type": "streamable-http"}', http()),
        ('{"url": "https://x/mcp", "transport": "shttp"}', http()),
        ('{"url": "https://x/sse"}', http(transport="sse", url="https://x/sse")),
        ('{"url": "https://x/sse", "transport": "http"}', http(url="https://x/sse")),
        ('{"url": "https://x/mcp", "headers": {"X": "${TOKEN}"}}', http(headers={"X": "t0k3n"})),
        ('{"url": "https://x/mcp", "auth": "oauth"}', http(oauth=OAuth())),
        ('{"url": "https://x/mcp", "auth": "${TOKEN}"}', http(headers={"Authorization": "Bearer t0k3n"})),
        ('{"url": "https://x/mcp", "auth": {"strategy": "none"}}', http()),
        (
            '{"url": "https://x/mcp", "auth": {"strategy": "bearer", "value": "b"}}',
            http(headers={"Authorization": "Bearer b"}),
        ),
        (
            '{"url": "https://x/mcp", "auth": {"strategy": "api_key", "value": "k"}}',
            http(headers={"Authorization": "Bearer k"}),
        ),
        (
            '{"url": "https://x/mcp", "auth": {"strategy": "api_key", "value": "k", "header_name": "X-Key"}}',
            http(headers={"X-Key": "k"}),
        ),
        (
            '{"url": "https://x/mcp", "auth": {"strategy": "basic", "username": "u", "password": "p"}}',
            http(headers={"Authorization": "Basic dTpw"}),
        ),
        (
            '{"url": "https://x/mcp", "auth": {"strategy": "header", "headers": {"A": "1", "B": "2"}}}',
            http(headers={"A": "1", "B": "2"}),
        ),
        (
            '{"url": "https://x/mcp", "auth": {"strategy": "oauth2", "authentication": {"type": "oauth", '
            '"scopes": "a b", "client_id": "me", "client_secret": "${TOKEN}"}}}',
            http(oauth=OAuth(("a", "b"), client_id="me", client_secret="t0k3n")),
        ),
    ],
)
def test_a_server_is_meant_as_openhands_means_it(tmp_path: Path, written: str, meant: ServerConfig) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(f'{{"mcpServers": {{"a": {written}}}}}')
    found = read_file(path, ENVIRON, Path("/p"), "mcp.json")
    assert (found.servers, found.problems) == ((meant,), ())


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('{"args": ["x"]}', "{path}, line 2, mcpServers.a: has neither `command` nor `url`"),
        ('{"command": "x", "args": "y"}', "{path}, line 2, mcpServers.a.args: must be a list"),
        ('{"command": "x",\n "env": ["y"]}', "{path}, line 3, mcpServers.a.env: must be a table"),
        ('"npx"', "{path}, line 2, mcpServers.a: must be a table"),
        ('{"command": "${NONE}"}', "{path}, line 2, mcpServers.a: the variable NONE is not set here"),
        (
            '{"url": "https://x", "transport": "pigeon"}',
            "{path}, line 2, mcpServers.a.transport: must be 'stdio', 'http', 'streamable-http', 'shttp' or 'sse'",
        ),
        # Not where another `args` stands, which is the name of a variable.
        (
            '{"env": {"args": "1"},\n"command": "x",\n"args": "y"}',
            "{path}, line 4, mcpServers.a.args: must be a list",
        ),
        (
            '{"url": "https://x", "auth": {\n"strategy": "guess"}}',
            "{path}, line 3, mcpServers.a.auth.strategy: "
            "must be 'none', 'api_key', 'bearer', 'basic', 'header' or 'oauth2'",
        ),
        ('{"url": "https://x", "auth": []}', "{path}, line 2, mcpServers.a.auth: must be a table"),
    ],
)
def test_a_server_that_is_wrong_is_named_with_its_line_and_the_rest_counts(
    tmp_path: Path, written: str, problem: str
) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(f'{{"mcpServers": {{\n"a": {written},\n"b": {{"command": "x"}}}}}}')
    a, b = read_file(path, ENVIRON, Path("/p")).servers
    assert a.problem.removesuffix(" object") == problem.format(path=path)
    assert (b.command, b.problem) == ("x", "")


@pytest.mark.parametrize(
    ("written", "problems"),
    [
        ("", ()),
        ("{}", ()),
        ('{"mcpServers": null}', ()),
        ('{"mcpServers":\n oops}', ("{path}, line 2: not JSON: Expecting value",)),
        ('{"mcpServers": []}', ("{path}, line 1, mcpServers: must be a table of servers by their names",)),
        ("[]", ("{path}, line 1: must be a table of servers by their names",)),
        ('"npx"', ("{path}, line 1: must be a table of servers by their names",)),
    ],
)
def test_what_is_wrong_with_a_file_is_told_once(tmp_path: Path, written: str, problems: tuple[str, ...]) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(written)
    assert read_file(path, {}, tmp_path).problems == tuple(problem.format(path=path) for problem in problems)


@pytest.mark.parametrize("name", ["mcp.json", ".mcp.json", "plugin.json"])
def test_a_server_that_is_named_twice_is_told_with_its_lines_and_the_rest_counts(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    servers = ['"a": {"command": "x"}', '"b": {"command": "z", "env": {"a": "1"}}', '"a": {"command": "y"}']
    path.write_text('{"mcpServers": {\n' + ",\n".join(servers) + "\n}}")
    found = read_file(path, {}, tmp_path)
    assert [(each.name, each.command, each.line) for each in found.servers] == [("a", "y", 4), ("b", "z", 3)]
    assert found.problems == (f"{path}, line 4: 'a' is there twice (first in line 2); this one counts",)


def test_a_plugin_leaves_out_the_table_round_its_servers_and_its_manifest_does_not(tmp_path: Path) -> None:
    bare, manifest = tmp_path / ".mcp.json", tmp_path / "plugin.json"
    bare.write_text('{"a": {"command": "x"}}')
    manifest.write_text('{"name": "p", "author": {"name": "me"}, "mcpServers": {"b": {"command": "x"}}}')
    assert [[each.name for each in read_file(path, {}, tmp_path).servers] for path in (bare, manifest)] == [
        ["a"],
        ["b"],
    ]


def test_the_first_source_counts_and_one_that_says_the_same_is_no_news() -> None:
    first, same = config(command="x", line=3), config(command="x", source="elsewhere", is_trusted=False)
    other = config(command="y", source="further off", line=5)
    found = merged([[first], [same, config(name="b")], [other]])
    assert found.servers == (first, config(name="b"))
    assert found.problems == ("further off, line 5: the server 'a' is left out; mcp.json, line 3 has one, too",)

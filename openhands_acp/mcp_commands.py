"""`openhands-acp mcp`: the MCP servers of the person's own file, in the words of OpenHands' command line.

Knows the file and the command line; whether a server works, `mcp_trial` finds out. Keys are shown as [secret].
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from openhands_acp.display import plain
from openhands_acp.engine.lined_json import lined, twice_in
from openhands_acp.lenient import as_table
from openhands_acp.mcp.config import ServerConfig, shown_url
from openhands_acp.mcp_files import Found, read_file
from openhands_acp.options import Options
from openhands_acp.redaction import MASK, redactor
from openhands_acp.settings import load_settings
from openhands_acp.subcommands import parser_of

OK, FAILED = 0, 1
_INTERRUPTED = 130
_EPILOG = """\
examples:
  openhands-acp mcp add tavily --transport stdio --env TAVILY_API_KEY=tvly-... npx -- -y tavily-mcp
  openhands-acp mcp add docs --transport http --header 'Authorization: Bearer ${DOCS_TOKEN}' https://example.com/mcp
  openhands-acp mcp add notes --transport http --auth oauth https://example.com/mcp
  openhands-acp mcp test docs

The servers are in ~/.openhands/mcp.json, which OpenHands reads, too. Open sessions take a change in with their next
prompt. Values may name variables as ${NAME} or ${NAME:-default}; they are filled in when the server is started.
"""


class Refused(Exception):
    """It cannot be done; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class ServersFile:
    """`mcp.json`, whose other contents are left as they are."""

    path: Path

    def entries(self) -> dict[str, Any]:
        """Raises Refused."""
        return as_table(self._document().get("mcpServers"))

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Raises Refused, also where something in the file would be lost."""
        document = self._document()
        for name, first, line in twice_in(lined(self.path.read_text(encoding="utf-8-sig"))) if document else ():
            reason = f"{self.path}, line {line}: {name!r} is there twice (first in line {first}); put that right first"
            raise Refused(reason)
        entries = as_table(document.get("mcpServers"))
        change(entries)
        self._write({**document, "mcpServers": entries})

    def _document(self) -> dict[str, Any]:
        try:
            document: Any = json.loads(self.path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            return {}
        except json.JSONDecodeError as error:
            reason = f"{self.path}, line {error.lineno}: not JSON: {error.msg}; put that right first"
            raise Refused(reason) from error
        except (OSError, ValueError) as error:
            raise Refused(f"{self.path} cannot be read: {error}") from error
        table = as_table(document)
        if table != document or as_table(table.get("mcpServers")) != table.get("mcpServers", {}):
            raise Refused(f"{self.path}: must be a table with a table `mcpServers`; put that right first")
        return table

    def _write(self, document: Mapping[str, Any]) -> None:
        # A link stays one: some keep such files in a repository of their own.
        path = self.path.resolve()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # There may be keys in it: nobody else reads it, and it is whole at every moment.
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".mcp")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=2, ensure_ascii=False)
                file.write("\n")
            os.replace(name, path)
        except OSError as error:
            raise Refused(f"{path} cannot be written: {error.strerror or error}") from error


def main(argv: Sequence[str]) -> int:
    """Run one command; 0 if it did what was asked, 1 if it could not, 2 if the command line makes no sense."""
    words, rest = _split(argv)
    given = _parser().parse_args(words)
    console = Console(highlight=False, soft_wrap=True)
    try:
        return _run(given, rest, console)
    except Refused as error:
        sys.stderr.write(f"openhands-acp mcp: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(given: argparse.Namespace, rest: list[str], console: Console) -> int:
    file = ServersFile(load_settings(Options()).home / "mcp.json")
    match given.command:
        case "add":
            name, entry = given.name, _entry(given, [*given.args, *rest])
            _add(file, name, entry)
            console.print(f"Added {name!r}. `openhands-acp mcp test {name}` tries it.", markup=False)
        case "remove":
            file.change(lambda entries: _known(entries, given.name, entries.pop))
            console.print(f"Removed {given.name!r}.", markup=False)
        case "enable" | "disable" as wish:
            is_enabled = wish == "enable"
            file.change(lambda entries: _known(entries, given.name, lambda name: _switch(entries[name], is_enabled)))
            console.print(f"{'Enabled' if is_enabled else 'Disabled'} {given.name!r}.", markup=False)
        case "list":
            return _list(file, console)
        case "get":
            entries = file.entries()
            _known(entries, given.name, lambda name: console.print(_shown(file, name, entries[name])))
        case _:
            return _test(file, given.name, console)
    return OK


# ---------------------------------------------------------------- changes


def _add(file: ServersFile, name: str, entry: Mapping[str, Any]) -> None:
    def add(entries: dict[str, Any]) -> None:
        if name in entries:
            raise Refused(f"there is a server {name!r} already; remove it first: openhands-acp mcp remove {name}")
        entries[name] = entry

    file.change(add)


def _entry(given: argparse.Namespace, args: list[str]) -> dict[str, Any]:
    """Spell a server as OpenHands does. Raises Refused."""
    is_stdio = given.transport == "stdio"
    odd = ["--header"] * bool(given.header) + ["--auth"] * bool(given.auth) if is_stdio else ["--env"] * bool(given.env)
    if odd:
        raise Refused(f"{odd[0]} is not for {given.transport}")
    if is_stdio:
        entry = {
            "transport": "stdio",
            "command": given.target,
            "args": args,
            "env": _pairs(given.env, "=", "KEY=value"),
        }
    else:
        if args:
            raise Refused(f"{args[0]!r} is one word too many: an address takes no arguments")
        if not re.match("https?://.", given.target):
            raise Refused(f"{given.target!r} is no address: it begins with http:// or https://")
        headers = _pairs(given.header, ":", "Name: value")
        entry = {"transport": given.transport, "url": given.target, "headers": headers, "auth": given.auth}
    return {name: value for name, value in entry.items() if value} | ({} if given.enabled else {"enabled": False})


def _pairs(written: Sequence[str], separator: str, form: str) -> dict[str, str]:
    pairs = [each.partition(separator) for each in written]
    for name, found, _ in pairs:
        if not found or not name.strip():
            # Not the whole of it: it may be a key.
            raise Refused(f"{name[:20]!r} must be written as {form!r}")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _switch(entry: Any, is_enabled: bool) -> None:
    table = as_table(entry)
    table.pop("disabled", None)
    table.pop("enabled", None)
    if not is_enabled:
        table["enabled"] = False


def _known(entries: Mapping[str, Any], name: str, then: Callable[[str], object]) -> None:
    if name not in entries:
        others = f"; there is: {', '.join(entries)}" if entries else " yet, nor any other"
        raise Refused(f"there is no server {name!r}{others}")
    then(name)


# ---------------------------------------------------------------- what there is


def _list(file: ServersFile, console: Console) -> int:
    entries = file.entries()
    if not entries:
        console.print("No MCP server yet; `openhands-acp mcp add --help` says how.", markup=False)
        return OK
    found = _read(file)
    states = {config.name: _state(config) for config in found.servers}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("NAME", "TRANSPORT", "STATE", "TARGET"):
        table.add_column(title, overflow="fold")
    for name, entry in entries.items():
        transport, target = _way(as_table(entry))
        table.add_row(*(Text(plain(cell)) for cell in (name, transport, states.get(name, ""), target)))
    console.print(table)
    for problem in (*found.problems, *(config.problem for config in found.servers if config.problem)):
        console.print(Text(plain(problem), "yellow"))
    return OK


def _shown(file: ServersFile, name: str, written: Any) -> Table:
    """Show everything that is written of a server, without its keys."""
    entry = as_table(written)
    transport, target = _way(entry)
    config = next(config for config in _read(file).servers if config.name == name)
    auth = entry.get("auth")
    rows = {
        "name": name,
        "transport": transport,
        "state": _state(config),
        "target": target,
        "auth": str(auth if isinstance(auth, str) and auth == "oauth" else as_table(auth).get("strategy") or ""),
        "env": _masked(entry.get("env")),
        "headers": _masked(entry.get("headers")),
        "problem": config.problem,
    }
    table = Table.grid(padding=(0, 2))
    for title, value in rows.items():
        if value:
            table.add_row(Text(title, "dim"), Text(plain(value)))
    return table


def _way(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Name the transport, and the command line or the address without what stands in it to log in."""
    if command := entry.get("command"):
        args = entry.get("args")
        words = [command, *cast("list[object]", args)] if isinstance(args, list) else [command]
        return "stdio", redactor(())(shlex.join(map(str, words)))
    return str(entry.get("transport") or entry.get("type") or "http"), shown_url(str(entry.get("url", "")))


def _state(config: ServerConfig) -> str:
    if not config.is_enabled:
        return "disabled"
    return "unusable" if config.problem else "enabled"


def _masked(pairs: object) -> str:
    """Show names, and values where they only name a variable."""
    lines = [f"{name}: {value if str(value).startswith('${') else MASK}" for name, value in as_table(pairs).items()]
    return "\n".join(lines)


def _read(file: ServersFile) -> Found:
    return read_file(file.path, os.environ, file.path.parent)


def _test(file: ServersFile, name: str, console: Console) -> int:
    configs = [config for config in _read(file).servers if config.name == name]
    if not configs:
        _known(file.entries(), name, lambda _name: None)
    # Late: it imports FastMCP.
    from openhands_acp.mcp_trial import try_server

    return OK if try_server(configs[0], file.path.parent, console) else FAILED


# ---------------------------------------------------------------- the command line


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part a server's own arguments off: behind `--` nothing is ours."""
    words = list(argv)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser, command = parser_of(
        "openhands-acp mcp",
        "MCP servers of your own, for every session: add, list, look at, remove, switch, test.",
        _EPILOG,
        "add|list|get|remove|enable|disable|test",
    )
    adding = command("add", "Add a server.")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("--transport", choices=["http", "sse", "stdio"], required=True)
    adding.add_argument("--header", metavar='"NAME: VALUE"', action="append", default=[], help="for http and sse")
    adding.add_argument("--env", metavar="KEY=VALUE", action="append", default=[], help="for stdio")
    adding.add_argument("--auth", choices=["oauth"], help="for http and sse: log in when it is first used")
    switch = adding.add_mutually_exclusive_group()
    switch.add_argument("--enabled", dest="enabled", action="store_true", default=True, help="from now on (usual)")
    switch.add_argument("--disabled", dest="enabled", action="store_false", help="not before you enable it")
    adding.add_argument("target", metavar="TARGET", help="the address, or the program")
    adding.add_argument("args", metavar="ARG", nargs="*", help="the program's own, behind --")

    command("list", "List your servers.")
    for name, description in (
        ("get", "Show what is written of a server."),
        ("remove", "Remove a server."),
        ("enable", "Use a server again."),
        ("disable", "Use a server no more, and keep what is written of it."),
        ("test", "Connect to a server, and show what it offers or why it does not work."),
    ):
        command(name, description).add_argument("name", metavar="NAME")
    return parser

"""The command lines of `openhands-acp mcp` and `openhands-acp sessions`: commands with a line of help each."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def parser_of(
    prog: str, description: str, epilog: str, names: str
) -> tuple[argparse.ArgumentParser, Callable[[str, str], argparse.ArgumentParser]]:
    """Return a parser, and what adds a command to it by name and description; `names` stands for them in its usage."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parts = parser.add_subparsers(dest="command", required=True, metavar=names)

    def command(name: str, description: str) -> argparse.ArgumentParser:
        return parts.add_parser(name, help=description, description=description, allow_abbrev=False)

    return parser, command

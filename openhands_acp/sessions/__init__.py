"""`openhands-acp sessions`: what was said and done, to list, read, hand on and delete."""

from __future__ import annotations

import argparse
import codecs
import os
import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from openhands_acp.display import spelt
from openhands_acp.sessions import commands
from openhands_acp.sessions.commands import Export, Prune
from openhands_acp.sessions.shelf import Refused, shelf
from openhands_acp.subcommands import parser_of

INTERRUPTED = 130
_PIPED_WIDTH = 120

_EPILOG = """\
options of the commands:
  list    --all, --cwd DIR, --json
  show    --json
  export  --output FILE, --format json|zip, --html FILE
  delete  --yes
  prune   --older-than 30d, --cwd DIR, --dry-run, --yes

ID is a session's id, its beginning as far as no other begins so, or `last`. Conversations of OpenHands itself are
listed, shown and exported too, and never deleted.

Keys are shown and exported as [secret]: those that are configured here, and whatever looks like one.

The exit code is 0 if it was done, 1 if it could not be (no such session, a file that cannot be written, your no),
2 if the command line makes no sense or nobody could be asked, and 130 after Ctrl-C.
"""
_AGE = re.compile(
    r"(\d{1,6})\s*(?:(mo)(?:nths?)?|(m)(?:in(?:ute)?s?)?|(h)(?:(?:ou)?rs?)?|(d)(?:ays?)?|(w)(?:eeks?)?|(y)(?:ears?)?)",
    re.IGNORECASE,
)
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "mo": timedelta(days=30),
    "y": timedelta(days=365),
}


def main(argv: Sequence[str]) -> int:
    """Run one command; 0 if it did what was asked, 1 if it could not, 2 if the command line makes no sense."""
    given = _parser().parse_args(argv)
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        # A terminal or file that cannot hold a check mark gets a letter for it; it is no reason to stop.
        codecs.register_error("openhands-acp", spelt)
        reconfigure(errors="openhands-acp")
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(highlight=False, width=_PIPED_WIDTH)
    try:
        code = _run(given, console)
        sys.stdout.flush()
    except Refused as error:
        sys.stderr.write(f"openhands-acp sessions: {error}\n")
        return commands.FAILED
    except BrokenPipeError:
        # Nobody reads any more (`| head`); nor may the interpreter try again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return commands.FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _run(given: argparse.Namespace, console: Console) -> int:
    sessions = shelf()
    match given.command:
        case "list":
            folder = None if given.all else given.cwd or str(Path.cwd())
            return commands.list_(sessions, console, folder, as_json=given.json)
        case "show":
            return commands.show(sessions, console, given.id, as_json=given.json)
        case "export":
            return commands.export(sessions, given.id, Export(given.output, given.format, given.html))
        case "delete":
            return commands.delete(sessions, console, given.id, says_yes=given.yes)
        case _:
            what = Prune(given.older_than, given.cwd, given.dry_run)
            return commands.prune(sessions, console, what, says_yes=given.yes)


def _parser() -> argparse.ArgumentParser:
    parser, command = parser_of(
        "openhands-acp sessions",
        "What was said and done in your sessions: list, read, hand on, delete.",
        _EPILOG,
        "list|show|export|delete|prune",
    )
    listing = command("list", "List the sessions of this folder, newest first.")
    which = listing.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="those of every folder")
    which.add_argument("--cwd", metavar="DIR", help="those of another folder")
    listing.add_argument("--json", action="store_true", help="as JSON")

    showing = command("show", "Show a session here in the terminal.")
    showing.add_argument("id", metavar="ID")
    showing.add_argument("--json", action="store_true", help="its events as JSON, as the journal spells them")

    exporting = command("export", "Write a session as a trajectory in OpenHands' shapes, or as a page to read.")
    exporting.add_argument("id", metavar="ID")
    exporting.add_argument(
        "--output",
        "-o",
        type=Path,
        metavar="FILE",
        help="instead of stdout, which is `-`; its suffix says in which form (.zip, .html, else JSON)",
    )
    exporting.add_argument(
        "--format", choices=["json", "zip"], help="one JSON list, or a zip with a file for each event"
    )
    exporting.add_argument("--html", type=Path, metavar="FILE", help="write one page that a browser shows on its own")
    exporting.description = f"{exporting.description} A file that is there already is replaced."

    deleting = command("delete", "Delete sessions, after a question.")
    deleting.add_argument("id", metavar="ID", nargs="+")
    deleting.add_argument("--yes", "-y", action="store_true", help="without a question")

    pruning = command("prune", "Delete sessions in which nothing happened for long, after a question.")
    pruning.add_argument(
        "--older-than", type=_age, required=True, metavar="AGE", help="as in 30d, 12h, 2w, 90m, 3mo, 1y"
    )
    pruning.add_argument("--cwd", metavar="DIR", help="only those of one folder")
    pruning.add_argument("--dry-run", "-n", action="store_true", help="list them and delete none")
    pruning.add_argument("--yes", "-y", action="store_true", help="without a question")
    return parser


def _age(written: str) -> timedelta:
    match = _AGE.fullmatch(written.strip())
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{written!r} is no age: write a number and m, h, d, w, mo (months) or y, as in 30d"
        )
    unit = next(filter(None, match.groups()[1:]))
    return int(match[1]) * _UNITS[unit.lower()]

"""`openhands-acp demo`: a small repair, watched in the terminal, through the real server and its protocol."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from openhands_acp.demo.run import Options, run

_NO_TERMINAL = """\
openhands-acp demo asks before anything is changed or run, so it needs a terminal on stdin and stdout.
Without one, run `openhands-acp demo --yes`: every question is then answered with yes, and shown.
"""
INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """Show the demo; 0 if the program is repaired at its end, 1 if not, 2 if it cannot ask, 130 after Ctrl-C."""
    options = _options(argv)
    if not options.says_yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write(_NO_TERMINAL)
        return 2
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        # A terminal or file that cannot hold a check mark shows a question mark; it is no reason to stop.
        reconfigure(errors="replace")
    try:
        return anyio.run(run, options)
    except KeyboardInterrupt:
        return INTERRUPTED


def _options(argv: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="openhands-acp demo",
        description="Watch the agent repair a small program in a throw-away folder. Without --model no key and no "
        "network are needed: the model is then a script, and everything else is real.",
        allow_abbrev=False,
    )
    parser.add_argument("--model", metavar="MODEL", help="a real model, as LiteLLM spells it, with your settings")
    parser.add_argument("-y", "--yes", action="store_true", help="answer each question with yes, this once")
    parser.add_argument("--keep", action="store_true", help="leave the folder in place afterwards")
    parser.add_argument("--wire", type=Path, metavar="FILE", help="keep the JSON-RPC lines of both directions")
    # For the picture in the README.
    parser.add_argument("--svg", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args(argv)
    return Options(model=words.model, says_yes=words.yes, keep=words.keep, wire_file=words.wire, svg_file=words.svg)

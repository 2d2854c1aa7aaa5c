"""The command line: which subcommand, and with which options.

Knows no subcommand from within: each is imported when it is called, because the others would cost
the editor's `initialize` their imports.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from openhands_acp import __version__
from openhands_acp.options import Options

if TYPE_CHECKING:
    import argparse

_EPILOG = """\
commands:
  acp       speak ACP on stdin and stdout (what happens without a command)
  demo      watch the agent repair a small program here in the terminal; needs no key
  setup     choose a model, test its key and save both
  doctor    look over the installation: settings, model, store, programs
  mcp       add, list, remove and test MCP servers of your own
  sessions  list, show, export and delete the sessions on this machine
  schemas   print, or write to a directory, the JSON Schemas of the settings file and the journal

Settings, highest first: these options; LLM_MODEL, LLM_API_KEY, LLM_BASE_URL and the provider's own key
variable (ANTHROPIC_API_KEY, ...); acp.toml and then agent_settings.json in ~/.openhands.
"""

_HINT = """\
openhands-acp speaks the Agent Client Protocol on stdin and stdout: an editor starts it (see README.md).
To see it work here, press Ctrl-D and run `openhands-acp demo`; to choose a model, `openhands-acp setup`.
"""

_SELDOM = 20_000
"""New containers between two runs of the collector while the server is imported."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; a command line that makes no sense exits with 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = _COMMANDS.get(words[0]) if words else None
    return command(words[1:]) if command else _acp(words)


def parse(words: list[str]) -> Options:
    """Read the options of `openhands-acp acp`; exits with 2 and says why if they make no sense."""
    if not words:
        return Options()
    parser = _parser()
    given = parser.parse_args(words)
    if given.last and given.resume is None:
        parser.error("--last goes with --resume: give --resume --last")
    if given.last and given.resume not in ("", "last"):
        parser.error("--resume takes an ID or --last, not both")
    if given.resume == "" and not given.last:
        parser.error("--resume needs an ID, as `openhands-acp sessions list` shows it, or --last")
    resume = "last" if given.last else given.resume
    return Options(
        model=given.model, mode=given.mode, wire_file=given.wire_file, log_file=given.log_file, resume=resume
    )


def _acp(words: list[str]) -> int:
    options = parse(words)
    # How an editor lets the person log in: it adds `--setup` to an agent's arguments, or replaces them.
    if "--setup" in words:
        return _setup([])
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None:
        sys.stderr.write(_HINT)
    # The collector would look through everything that is imported, again and again. Seldom is often enough: without it
    # the garbage of the imports stays in memory for good (0.8 MB). The server sets it back afterwards.
    gc.set_threshold(_SELDOM)
    _without_plugins()
    from openhands_acp.server import main as serve

    return serve(options)


def _demo(words: list[str]) -> int:
    from openhands_acp.demo import main as demo

    return demo(words)


def _setup(words: list[str]) -> int:
    _bare_parser("setup", "Choose a model, test its key with one small call and save both.").parse_args(words)
    from openhands_acp.setup import main as setup

    return setup()


def _doctor(words: list[str]) -> int:
    from openhands_acp.doctor import main as doctor

    return doctor(words)


def _mcp(words: list[str]) -> int:
    from openhands_acp.mcp_commands import main as mcp

    return mcp(words)


def _sessions(words: list[str]) -> int:
    _without_plugins()
    from openhands_acp.sessions import main as sessions

    return sessions(words)


def _schemas(words: list[str]) -> int:
    from openhands_acp.schemas import main as schemas

    return schemas(words)


def _without_plugins() -> None:
    # None of pydantic's is of use here, and looking for them in all that is installed takes longer than a new session.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


_COMMANDS: Mapping[str, Callable[[list[str]], int]] = {
    "acp": _acp,
    "demo": _demo,
    "setup": _setup,
    "doctor": _doctor,
    "mcp": _mcp,
    "sessions": _sessions,
    "schemas": _schemas,
}


def _parser() -> argparse.ArgumentParser:
    # Late: an editor mostly gives no options, and it costs as much memory as the engine.
    import argparse

    parser = argparse.ArgumentParser(
        prog="openhands-acp",
        usage="openhands-acp [acp] [options]\n"
        "       openhands-acp demo | setup | doctor | mcp | sessions | schemas [options]",
        description="A coding agent for editors that speak the Agent Client Protocol.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--model", metavar="MODEL", help="PROVIDER/NAME as LiteLLM spells it")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--always-approve",
        "--yolo",
        dest="mode",
        action="store_const",
        const="always-approve",
        help="start sessions in the mode that asks for nothing",
    )
    mode.add_argument(
        "--llm-approve",
        dest="mode",
        action="store_const",
        const="llm-approve",
        help="start sessions in the mode that asks for what the model itself calls risky",
    )
    parser.add_argument(
        "--override-with-envs",
        action="store_true",
        help="accepted for OpenHands' sake; here the environment always counts",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="ID",
        help="the first session that is started continues this one (as `openhands-acp sessions list` shows it)",
    )
    parser.add_argument("--last", action="store_true", help="with --resume: the latest session of its folder")
    parser.add_argument("--log-file", type=Path, metavar="FILE", help="write the log there instead of to stderr")
    parser.add_argument(
        "--wire", dest="wire_file", type=Path, metavar="FILE", help="keep every line sent and received, keys masked"
    )
    parser.add_argument("--setup", action="store_true", help="the same as the command `setup`")
    parser.add_argument("--version", action="version", version=f"openhands-acp {__version__}")
    return parser


def _bare_parser(command: str, description: str) -> argparse.ArgumentParser:
    import argparse

    return argparse.ArgumentParser(prog=f"openhands-acp {command}", description=description, allow_abbrev=False)

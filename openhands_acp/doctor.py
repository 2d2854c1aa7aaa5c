"""`openhands-acp doctor`, and the half of `/doctor` that is about this machine: what is there, and what is wrong.

Looks at settings, store and programs; asks no provider. It makes our own folder, and a file in it that it removes.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from openhands_acp import __version__
from openhands_acp.engine.upkeep import Finding, Verdict
from openhands_acp.options import Options
from openhands_acp.providers import missing
from openhands_acp.settings import Settings, load_settings

_LITTLE = 512 * 1024 * 1024
"""Bytes on the disk below which it is told: snapshots and long outputs are kept there."""
_STYLES: Mapping[Verdict, tuple[str, str]] = {
    "good": ("✓", "green"),
    "doubtful": ("!", "yellow"),
    "bad": ("✗", "red"),
}


def main(words: Sequence[str]) -> int:
    """Print what is found; 1 if something of it keeps sessions from working."""
    import argparse

    description = "Look over the installation: settings, model, store and programs. Asks no provider."
    argparse.ArgumentParser(prog="openhands-acp doctor", description=description, allow_abbrev=False).parse_args(words)
    from rich.console import Console
    from rich.text import Text

    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        # A terminal that cannot show a check mark shows a question mark.
        reconfigure(errors="replace")
    console = Console(highlight=False)
    findings = examine(load_settings(Options()), os.environ)
    for finding in findings:
        mark, style = _STYLES[finding.status]
        line = Text.assemble((mark, style), " ", (finding.what, "bold"), ": ", finding.said.replace("`", ""))
        console.print(line, soft_wrap=True)
    return 1 if any(finding.status == "bad" for finding in findings) else 0


def examine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Look at everything once. Takes a moment: it reads the disk."""
    return [
        Finding("good", "openhands-acp", f"{__version__}, Python {platform.python_version()}, {platform.platform()}"),
        *_of_settings(settings),
        *_of_model(settings, environ),
        *_of_folder(settings.home / "acp"),
        *_of_programs(environ),
    ]


def _of_settings(settings: Settings) -> Iterator[Finding]:
    file = settings.home / "acp.toml"
    said = f"`{file}`" if file.is_file() else f"`{file}` is not there: what is not set elsewhere is as it comes"
    yield Finding("good", "Settings", said)
    for problem in settings.problems:
        yield Finding("doubtful", "Settings", problem)
    for name, folders in (("Trusted", settings.trusted), ("Plugins", settings.plugins)):
        if folders:
            yield Finding("good", name, ", ".join(f"`{folder}`" for folder in folders))


def _of_model(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    if lacking := missing(settings, environ):
        yield Finding("bad", "Model", f"{lacking.reason}. {' '.join(lacking.details.split())}")
        return
    at = f" at `{settings.base_url}`" if settings.base_url else ""
    yield Finding("good", "Model", f"`{settings.choice}`{at}")
    if settings.late_key is not None:
        yield Finding("good", "Key", "is asked for when it is needed, from a program or the keyring")
    else:
        said = "is set; whether the provider takes it, the first prompt tells" if settings.api_key else "none is needed"
        yield Finding("good", "Key", said)


def _of_folder(folder: Path) -> Iterator[Finding]:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        said = f"`{folder}` cannot be written ({error.strerror or error}): sessions go on in memory only"
        yield Finding("bad", "Store", said)
        return
    if free < _LITTLE:
        yield Finding("doubtful", "Store", f"`{folder}` has {free / 1e6:,.0f} MB left on its disk")
    else:
        yield Finding("good", "Store", f"`{folder}`, {free / 1e9:,.0f} GB left on its disk")


def _of_programs(environ: Mapping[str, str]) -> Iterator[Finding]:
    path = environ.get("PATH")
    for name, without in (
        ("git", "the agent cannot look at changes and history"),
        ("rg", "searches work without it (ripgrep), but more slowly"),
    ):
        found = shutil.which(name, path=path)
        yield Finding("good", name, f"`{found}`") if found else Finding("doubtful", name, f"is not there: {without}")

"""Where a Chromium is on this machine, and whether it can be driven: both are optional."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "msedge")
_APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
_OF_PLAYWRIGHT = (
    (".cache/ms-playwright", "chromium-*/chrome-linux*/chrome"),
    ("Library/Caches/ms-playwright", "chromium-*/chrome-mac*/Chromium.app/Contents/MacOS/Chromium"),
    ("AppData/Local/ms-playwright", "chromium-*/chrome-win*/chrome.exe"),
)


def usable_chromium() -> str | None:
    """Return the program, if what drives it (the extra `browser`) is installed, too."""
    if find_spec("playwright") is None:
        return None
    named = next(filter(None, map(shutil.which, _NAMES)), None)
    return named or next((path for path in _APPS if Path(path).is_file()), None) or _of_playwright()


def _of_playwright() -> str | None:
    found = [path for folder, glob in _OF_PLAYWRIGHT for path in sorted((Path.home() / folder).glob(glob))]
    # The newest, which its releases number.
    return str(found[-1]) if found else None

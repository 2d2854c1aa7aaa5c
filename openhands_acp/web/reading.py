"""HTML read by a program of its own (`readable`): a page can be written so that reading it takes hours, or all memory.

It ends with whoever waits for it, and stops nobody else meanwhile.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from subprocess import DEVNULL

import anyio

import openhands_acp
from openhands_acp.engine.web import Unreachable

logger = logging.getLogger(__name__)

_SECONDS = 20.0
_STARTER = "import sys; sys.path.insert(0, {!r}); from openhands_acp.web.readable import main; main()"
_NEEDED = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What Python itself may not start without; nothing else is any business of a page's."""


async def read(html: bytes, url: str, charset: str | None) -> tuple[str, str]:
    """Return a page's title, and what it says as Markdown. Raises Unreachable."""
    home = str(Path(openhands_acp.__file__).parents[1])
    # Isolated: nothing of the folder that it is started in is imported.
    line = [sys.executable, "-I", "-c", _STARTER.format(home)]
    asked = json.dumps({"url": url, "charset": charset}).encode() + b"\n" + html
    environ = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    try:
        with anyio.move_on_after(_SECONDS):
            done = await anyio.run_process(line, input=asked, stderr=DEVNULL, check=False, env=environ)
            if done.returncode == 0:
                title, text = json.loads(done.stdout)
                return title, text
    except* (OSError, anyio.BrokenResourceError) as failed:  # it had ended before it was told anything
        logger.warning("reading %s: %s", url, failed.exceptions)
    raise Unreachable(f"{url} is too tangled to be read; download it in the terminal if you need it")

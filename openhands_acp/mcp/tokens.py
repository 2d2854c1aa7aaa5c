"""Where logins at MCP servers are kept: one file for each server, which nobody else may read.

Knows files; what is in them, `mcp.oauth` says.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TokenFolder:
    folder: Path

    def read(self, server: str) -> Mapping[str, Any]:
        """Return what is kept of a server by its address; empty if nothing is, or nothing that can be read."""
        path = self._path(server)
        try:
            kept: Any = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            # Whoever was logged in logs in once more.
            logger.warning("%s cannot be read: %s", path, error)
            return {}
        table = cast("dict[str, Any]", kept) if isinstance(kept, dict) else {}
        return table if table.get("server") == server else {}

    def write(self, server: str, kept: Mapping[str, Any]) -> None:
        """Keep this of a server in place of what was. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made for its owner alone from the first byte on, and whole at every moment.
        descriptor, name = tempfile.mkstemp(dir=self.folder, prefix=".")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({**kept, "server": server}, file)
            os.replace(name, self._path(server))
        except BaseException:
            os.unlink(name)
            raise

    def forget(self, server: str) -> bool:
        """Tell whether there was anything."""
        try:
            self._path(server).unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, server: str) -> Path:
        return self.folder / f"{sha256(server.encode()).hexdigest()[:32]}.json"

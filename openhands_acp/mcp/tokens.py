"""Where logins at MCP servers are kept: a file for each, which nobody else may read, or the system's keyring.

Where there is a keyring, it has what is secret, and the file the rest. What is in them, `mcp.oauth` says.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, cast

logger = logging.getLogger(__name__)

SERVICE = "openhands-acp"
"""Under which the keyring has them; the user there is the server's address."""
_ELSEWHERE = "in_keyring"
"""Set in a file whose secrets are there. So nobody is asked to unlock it for a server without a login."""
_LONGEST = 1_200
"""Characters that Windows takes for one entry."""


class Vault(Protocol):
    """A keyring (`keys.SystemKeyring`). It may wait for the person: call it in a thread. All of it raises OSError."""

    def read(self, service: str, user: str, /) -> str | None: ...

    def write(self, service: str, user: str, secret: str, /) -> None: ...

    def forget(self, service: str, user: str, /) -> None: ...


@dataclass(slots=True)
class TokenStore:
    """One for each session."""

    folder: Path
    vault: Vault | None = None
    """Left alone once it has failed: the files do as well."""
    _news: str = ""

    def read(self, server: str) -> Mapping[str, Any]:
        """Return what is kept of a server by its address; empty if nothing is, or nothing that can be read."""
        table = self._written(server)
        if not table.get(_ELSEWHERE):
            return table
        return {**table, **secrets} if (secrets := self._recalled(server)) else {}

    def write(self, server: str, kept: Mapping[str, Any], secret: Collection[str]) -> None:
        """Keep this of a server in place of what was; `secret` names what nobody may see. Raises OSError."""
        hidden = {name: value for name, value in kept.items() if name in secret}
        if self._hidden(server, hidden):
            kept = {**{name: value for name, value in kept.items() if name not in secret}, _ELSEWHERE: True}
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

    def forget(self, server: str) -> None:
        """Keep nothing of a server any more."""
        if self._written(server).get(_ELSEWHERE) and self.vault is not None:
            try:
                self.vault.forget(SERVICE, server)
            except OSError as error:
                self._give_up(str(error), "what is there of a login stays there")
        self._path(server).unlink(missing_ok=True)

    def news(self) -> str:
        """Return, once, what the person should know of where their logins are."""
        news, self._news = self._news, ""
        return news

    # ---------------------------------------------------------------- files

    def _written(self, server: str) -> Mapping[str, Any]:
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

    def _path(self, server: str) -> Path:
        return self.folder / f"{sha256(server.encode()).hexdigest()[:32]}.json"

    # ---------------------------------------------------------------- the keyring

    def _recalled(self, server: str) -> Mapping[str, Any]:
        if self.vault is None:
            return {}
        try:
            secrets: Any = json.loads(self.vault.read(SERVICE, server) or "{}")
        except OSError as error:
            self._give_up(str(error), "so you have to log in again")
            return {}
        except ValueError:
            self._give_up("what the system's keyring has of a login makes no sense", "so you have to log in again")
            return {}
        return cast("dict[str, Any]", secrets) if isinstance(secrets, dict) else {}

    def _hidden(self, server: str, secrets: Mapping[str, Any]) -> bool:
        """Put secrets into the keyring; tell whether they are there."""
        text = json.dumps(secrets)
        if self.vault is None or (sys.platform == "win32" and len(text) > _LONGEST):
            return False
        try:
            self.vault.write(SERVICE, server, text)
        except OSError as error:
            self._give_up(str(error), "the login is kept in a file that only you can read")
            return False
        return True

    def _give_up(self, problem: str, so: str) -> None:
        self.vault = None
        self._news = f"{problem}; {so}"
        logger.warning("%s", self._news)

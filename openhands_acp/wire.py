"""`--wire FILE`: every line sent and received, with its time, keys masked. What a bug report needs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

from openhands_acp.options import Options
from openhands_acp.providers import keys_in
from openhands_acp.redaction import redactor
from openhands_acp.settings import load_settings


class Wire:
    """Writes one JSON object a line: `time`, `dir` ("in" from the client, "out" to it), `message`."""

    def __init__(self, path: Path, secrets: Iterable[str]) -> None:
        self._file: TextIO = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        )
        self._secrets = list(secrets)
        self._redact = redactor(self._secrets)
        self._rest = {"in": b"", "out": b""}

    def learn(self, secret: str) -> None:
        """Mask another one from now on: a key that was asked for only when it was wanted."""
        self._secrets.append(secret)
        self._redact = redactor(self._secrets)

    def record(self, direction: Literal["in", "out"], data: bytes) -> None:
        *lines, self._rest[direction] = (self._rest[direction] + data).split(b"\n")
        now = datetime.now(UTC).isoformat()
        for line in lines:
            text = self._redact(line.decode("utf-8", "replace"))
            try:
                message = json.loads(text)
            except ValueError:
                message = text
            self._file.write(json.dumps({"time": now, "dir": direction, "message": message}, ensure_ascii=False) + "\n")
        self._file.flush()


def open_wire(options: Options, path: Path) -> Wire:
    """Start the file anew. The keys that are configured now are masked in it."""
    in_files = load_settings(options).secrets
    return Wire(path, [*keys_in(os.environ), *(secret.value for secret in in_files)])

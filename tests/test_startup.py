"""What the server imports, and when: before an editor has its first answers, nothing that takes seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.waiting import PATIENCE

HEAVY = {
    *("litellm", "fastmcp", "httpx", "openai", "mcp", "tokenizers", "rich", "http.server"),
    "openhands_acp.llm.via_litellm",
}


@contextmanager
def started(home: Path) -> Generator[subprocess.Popen[bytes]]:
    """Start one whose stdout and stderr are the same pipe: each import is in it where it came to its end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
    environ |= {
        "OPENHANDS_PERSISTENCE_DIR": str(home),
        "LLM_MODEL": "openai/fake-model",
        "LLM_API_KEY": "sk-none",
        "LLM_BASE_URL": "http://127.0.0.1:9/v1",
    }
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-W", "ignore", "-m", "openhands_acp"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
    ) as process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def imported_before_answer(process: subprocess.Popen[bytes], method: str, params: dict[str, Any]) -> set[str]:
    """Send a request; return what was imported between the last answer and this one's."""
    assert process.stdin is not None
    assert process.stdout is not None
    request = {"jsonrpc": "2.0", "id": method, "method": method, "params": params}
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    modules: set[str] = set()
    for line in process.stdout:
        if line.startswith(b"import time:"):
            modules.add(line.rsplit(b"|", 1)[-1].strip().decode())
        elif line.startswith(b"{"):
            assert "result" in json.loads(line), line
            return modules
    raise AssertionError(f"no answer to {method}")


def test_nothing_heavy_is_imported_before_the_first_session_is_there(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        initialize = imported_before_answer(process, "initialize", {"protocolVersion": 1})
        session_new = imported_before_answer(process, "session/new", {"cwd": str(tmp_path), "mcpServers": []})
    assert (initialize | session_new) & HEAVY == set()
    # What the editor does not wait for either, until it asks for a session.
    late = {"pydantic", "openhands_acp.backend"}
    assert (initialize & late, session_new & late) == (set(), late)


def test_litellm_is_imported_behind_the_first_session_without_being_asked_for(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        imported_before_answer(process, "initialize", {"protocolVersion": 1})
        imported_before_answer(process, "session/new", {"cwd": str(tmp_path), "mcpServers": []})
        assert process.stdout is not None
        # The first of what it brings: the whole of it takes seconds.
        assert any(line.rsplit(b"|", 1)[-1].strip() == b"httpx" for line in process.stdout)

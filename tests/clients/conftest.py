"""One fake provider for all clients, behind their servers; and which clients there are.

The TypeScript SDK and the published MCP server need Node, which `make test` cannot install: without it they are left
out, aloud, except in CI, where their absence is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.scenarios import provider_script
from tests.harness.provider import Provider

_HERE = Path(__file__).parent
_NEEDS = {
    "test_typescript_sdk.py": "@agentclientprotocol/sdk",
    "test_published_server.py": "@modelcontextprotocol/server-everything",
}

collect_ignore = [
    name for name, needed in _NEEDS.items() if not (_HERE / "node_modules" / needed).is_dir() and "CI" not in os.environ
]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name in collect_ignore:
        why = f"left out: {_NEEDS[name]} is not installed; with Node on the PATH, `make test` installs it"
        terminalreporter.write_line(f"tests/clients/{name} {why}")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider(script=provider_script) as provider:
        yield provider

"""One fake provider for all clients, behind their servers; and which clients there are.

The TypeScript SDK needs Node, which `make test` cannot install: without it that client is left out,
aloud, except in CI, where its absence is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.scenarios import provider_script
from tests.harness.provider import Provider

_HERE = Path(__file__).parent
_IS_LEFT_OUT = not (_HERE / "node_modules/@agentclientprotocol/sdk").is_dir() and not os.environ.get("CI")

collect_ignore = ["test_typescript_sdk.py"] if _IS_LEFT_OUT else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _IS_LEFT_OUT:
        why = "left out: the TypeScript SDK is not installed; with Node on the PATH, `make test` installs it"
        terminalreporter.write_line(f"tests/clients/test_typescript_sdk.py {why}")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider(script=provider_script) as provider:
        yield provider

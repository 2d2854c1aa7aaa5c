"""What a client says that it can do, read leniently."""

from __future__ import annotations

from typing import Any

import pytest

from openhands_acp.acp.clients import client_from


@pytest.mark.parametrize(
    ("session", "shows"),
    [
        ({"compaction": {}}, True),
        ({"compaction": {"_meta": {"a": 1}}}, True),
        ({"compaction": None}, False),
        ({"compaction": True}, False),
        ({}, False),
        (None, False),
        ("session", False),
    ],
)
def test_compactions_are_told_to_who_says_so(session: Any, shows: bool) -> None:
    assert client_from({"clientCapabilities": {"session": session}}).shows_compactions is shows

from __future__ import annotations

import pytest

from openhands_acp.redaction import MASK, Secret, redactor


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key sk-ant-api03-abcdefghijklmnop.", f"key {MASK}."),
        ('{"Authorization":"Bearer abc.def-ghi"}', f'{{"Authorization":"Bearer {MASK}"}}'),
        ("authorization: bearer  QUJDREVGRw==", f"authorization: bearer  {MASK}"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", MASK),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789 github_pat_11AAAAAAAAAAAAAAAAAAAA_x", f"{MASK} {MASK}"),
        ("xoxb-1234567890-abc", MASK),
        ("gsk_abcdefghijklmnopqrstuvwx", MASK),
        ("AKIAABCDEFGHIJKLMNOP", MASK),
        (r'{"text":"a\nsk-ant-api03-abcdefghijklmnop"}', rf'{{"text":"a\n{MASK}"}}'),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", MASK),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB+/=\n-----END RSA PRIVATE KEY----- rest", f"{MASK} rest"),
        (r"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", rf"{MASK}\n"),
        ("-----BEGIN PRIVATE KEY----- is how such a file begins", None),
        ("task-management-of-things, disk-usage-report-2026, the bearer of news", None),
    ],
)
def test_what_looks_like_a_key_is_masked_and_ordinary_words_are_not(text: str, masked: str | None) -> None:
    assert redactor([])(text) == (text if masked is None else masked)


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        (["hunter2hunter2"], "a hunter2hunter2 b hunter2hunter2", f"a {MASK} b {MASK}"),
        (['quo"ted\\key'], '{"key":"quo\\"ted\\\\key"} quo"ted\\key', f'{{"key":"{MASK}"}} {MASK}'),
        (["prefix", "prefix-and-more"], "prefix-and-more prefix", f"{MASK} {MASK}"),
        (["a.c*ef"], "abcdef a.c*ef", f"abcdef {MASK}"),
        (["", "1", "test"], "1 test 1", "1 test 1"),
    ],
)
def test_known_values_are_masked_unless_so_short_that_they_are_words(
    secrets: list[str], text: str, masked: str
) -> None:
    assert redactor(secrets)(text) == masked


def test_a_secret_is_not_shown_by_accident() -> None:
    secret = Secret("hunter2hunter2")
    assert "hunter2" not in f"{secret!r} {secret} {[secret]}"
    assert secret.value == "hunter2hunter2"

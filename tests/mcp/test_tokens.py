"""Where logins are kept: in the keyring where there is one that works, in files that nobody else may read where not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.mcp.tokens import TokenStore

SERVER = "https://tools.example/mcp"
LOGIN: Mapping[str, Any] = {"tokens": {"access_token": "t0k3n"}, "client": {"client_secret": "s"}, "expires_at": 7.5}
SECRET = ("client", "tokens")


@dataclass
class Ring:
    kept: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    fails: str = ""
    asked: int = 0

    def read(self, service: str, user: str) -> str | None:
        self._ask("read")
        return self.kept.get((service, user))

    def write(self, service: str, user: str, secret: str) -> None:
        self._ask("written to")
        self.kept[service, user] = secret

    def forget(self, service: str, user: str) -> None:
        self._ask("written to")
        del self.kept[service, user]

    def _ask(self, done: str) -> None:
        self.asked += 1
        if self.fails:
            raise OSError(f"the keyring cannot be {done}: {self.fails}")


def written(folder: Path) -> dict[str, Any]:
    (file,) = folder.glob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    return json.loads(file.read_text())


def test_without_a_keyring_all_of_it_is_in_a_file(tmp_path: Path) -> None:
    store = TokenStore(tmp_path)
    store.write(SERVER, LOGIN, SECRET)
    assert written(tmp_path) == {**LOGIN, "server": SERVER}
    assert store.read(SERVER) == {**LOGIN, "server": SERVER}
    assert store.read("https://other.example/mcp") == {}
    store.forget(SERVER)
    assert (store.read(SERVER), list(tmp_path.iterdir()), store.news()) == ({}, [], "")


def test_a_keyring_has_what_is_secret(tmp_path: Path) -> None:
    ring = Ring()
    store = TokenStore(tmp_path, ring)
    assert store.read(SERVER) == {}
    # A server that nobody logs in at asks nobody to unlock anything.
    assert ring.asked == 0
    store.write(SERVER, LOGIN, SECRET)
    assert written(tmp_path) == {"expires_at": 7.5, "in_keyring": True, "server": SERVER}
    assert [json.loads(text) for text in ring.kept.values()] == [{name: LOGIN[name] for name in SECRET}]
    assert TokenStore(tmp_path, ring).read(SERVER) == {**LOGIN, "in_keyring": True, "server": SERVER}
    store.forget(SERVER)
    assert (ring.kept, list(tmp_path.iterdir()), store.news()) == ({}, [], "")


def test_what_was_in_a_file_moves_into_the_keyring_when_it_is_renewed(tmp_path: Path) -> None:
    TokenStore(tmp_path).write(SERVER, LOGIN, SECRET)
    store = TokenStore(tmp_path, Ring())
    assert store.read(SERVER) == {**LOGIN, "server": SERVER}
    store.write(SERVER, store.read(SERVER), SECRET)
    assert "tokens" not in written(tmp_path)


def test_a_keyring_that_fails_is_said_once_and_the_file_is_used(tmp_path: Path) -> None:
    ring = Ring(fails="it is locked")
    store = TokenStore(tmp_path, ring)
    for server in (SERVER, SERVER):
        store.write(server, LOGIN, SECRET)
    assert written(tmp_path) == {**LOGIN, "server": SERVER}
    assert ring.asked == 1
    assert [store.news(), store.news()] == [
        "the keyring cannot be written to: it is locked; the login is kept in a file that only you can read",
        "",
    ]


@pytest.mark.parametrize(
    ("fails", "text", "news"),
    [
        ("it is locked", "{}", "the keyring cannot be read: it is locked; so you have to log in again"),
        ("", "no JSON", "what the system's keyring has of a login makes no sense; so you have to log in again"),
        ("", "[1]", ""),
    ],
)
def test_what_the_keyring_does_not_give_has_to_be_logged_in_for_again(
    tmp_path: Path, fails: str, text: str, news: str
) -> None:
    ring = Ring()
    TokenStore(tmp_path, ring).write(SERVER, LOGIN, SECRET)
    ring.kept = dict.fromkeys(ring.kept, text)
    ring.fails = fails
    store = TokenStore(tmp_path, ring)
    assert (store.read(SERVER), store.news()) == ({}, news)


def test_a_login_that_cannot_be_deleted_from_the_keyring_is_forgotten_all_the_same(tmp_path: Path) -> None:
    ring = Ring()
    store = TokenStore(tmp_path, ring)
    store.write(SERVER, LOGIN, SECRET)
    ring.fails = "it is locked"
    store.forget(SERVER)
    assert (store.read(SERVER), store.news()) == (
        {},
        "the keyring cannot be written to: it is locked; what is there of a login stays there",
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\xff"])
def test_a_file_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    store = TokenStore(tmp_path)
    store.write(SERVER, LOGIN, SECRET)
    (file,) = tmp_path.iterdir()
    file.write_text(text, encoding="latin-1")
    assert store.read(SERVER) == {}

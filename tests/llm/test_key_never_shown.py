"""A marked key through each way in which there can be one: it reaches its provider, and nothing else at all."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.compat import properties

from openhands_acp.options import Options
from openhands_acp.wire import open_wire
from tests.harness.backend import Home, connected, home, prompt
from tests.harness.provider import Provider
from tests.harness.replies import Call, Text, openai_error

pytestmark = pytest.mark.anyio

KEY = "marked-key-5f1c"
MODEL = "openai/fake-model"


class Ring(KeyringBackend):
    @properties.classproperty
    def priority(cls) -> float:
        return 1

    def get_password(self, service: str, username: str) -> str | None:
        return KEY

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


def _in_file(person: Home) -> str:
    (person.folder / "key").write_text(KEY)
    (person.folder / "key").chmod(0o600)
    return f'api_key_file = "{person.folder / "key"}"'


def _by_command(person: Home) -> str:
    (person.folder / "print_key").write_text(f"print({KEY!r})")
    return f'api_key_command = ["{sys.executable}", "{person.folder / "print_key"}"]'


def _in_openhands_profile(person: Home) -> str:
    folder = person.folder / ".openhands" / "profiles"
    folder.mkdir()
    (folder / "own.json").write_text(json.dumps({"model": MODEL, "api_key": KEY, "base_url": "{url}"}))
    (folder / "own.json").chmod(0o600)
    return ""


WAYS: dict[str, tuple[dict[str, str], Callable[[Home], str], bool]] = {
    "LLM_API_KEY": ({"LLM_API_KEY": KEY}, lambda _person: "", False),
    "the provider's variable": ({"OPENAI_API_KEY": KEY}, lambda _person: "", False),
    "acp.toml": ({}, lambda _person: f'api_key = "{KEY}"', False),
    "a file": ({}, _in_file, False),
    "a program": ({}, _by_command, False),
    "the keyring": ({}, lambda _person: 'api_key_keyring = "a/b"', False),
    "a profile": (
        {},
        lambda _person: f'[profiles.own]\nmodel = "{MODEL}"\nbase_url = "{{url}}"\napi_key = "{KEY}"',
        True,
    ),
    "a profile's program": (
        {},
        lambda person: f'[profiles.own]\nmodel = "{MODEL}"\nbase_url = "{{url}}"\n{_by_command(person)}',
        True,
    ),
    "OpenHands' profile": ({}, _in_openhands_profile, True),
}
OWN = {"acp.toml", "key", "print_key", "own.json"}
"""Where a person put it."""


@pytest.mark.parametrize("way", WAYS)
async def test_a_key_is_in_nothing_that_is_written_said_or_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.INFO)  # as for a file of the log
    environ, write, is_profile = WAYS[way]
    project = tmp_path / "project"
    project.mkdir()
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    show = Call("terminal", {"command": "env | tee theirs", "security_risk": "LOW"})
    replies = [
        (openai_error(401, f"Incorrect API key provided: {KEY}."),),
        (Text(f"You said {KEY}. "), show),
        (Text("Done."),),
    ]
    with Provider(*replies, key=KEY) as provider:
        person = home(tmp_path / "home", monkeypatch, **environ)
        extra = write(person).replace("{url}", provider.url)
        for path in person.folder.rglob("own.json"):
            path.write_text(path.read_text().replace("{url}", provider.url))
        model = 'model = "profile:own"' if is_profile else f'model = "{MODEL}"\nbase_url = "{provider.url}"'
        person.settings(f'{model}\nmode = "always-approve"\n{extra}')
        wire = open_wire(Options(), tmp_path / "wire.jsonl")
        async with connected(wire.learn) as editor:
            editor.channel.on_line = _both(editor.channel.on_line, lambda line: wire.record("out", line + b"\n"))
            opened = await editor.request("session/new", cwd=str(project), mcpServers=[])
            for text in ("one", "two"):
                await editor.request("session/prompt", sessionId=opened["sessionId"], prompt=prompt(text))
    keyring.set_keyring(before)
    vars(wire)["_file"].close()
    assert len(provider.requests) == 3
    kept = {path: path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()}
    # What the model itself says is told and kept as it is; but the wire's own file masks even that.
    said = f"You said {KEY}. "
    shown = {str(path): text.replace(said, "") for path, text in kept.items() if path.name not in OWN}
    shown |= {"wire": json.dumps(editor.log).replace(said, ""), "log": caplog.text}
    assert [name for name, text in shown.items() if KEY in text] == []
    assert "You said [secret]. " in kept[tmp_path / "wire.jsonl"]
    # Else nothing would have been looked at.
    assert "PATH=" in shown["wire"]
    assert any(path.name == "journal.jsonl" for path in kept)


def _both(one: Callable[[bytes], None], other: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def call(line: bytes) -> None:
        one(line)
        other(line)

    return call


async def test_a_key_that_has_expired_is_asked_for_again_at_the_next_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Provider((openai_error(401, "expired"),), (Text("Hi."),)) as provider:
        person = home(tmp_path / "home", monkeypatch)
        runs = person.folder / "runs"
        (person.folder / "print_key").write_text(
            f"runs = open({str(runs)!r}, 'a+')\nruns.write('x')\nruns.seek(0)\nprint('key-' + runs.read())"
        )
        person.settings(
            f'model = "{MODEL}"\nbase_url = "{provider.url}"\n'
            f'api_key_command = ["{sys.executable}", "{person.folder / "print_key"}"]'
        )
        async with connected() as editor:
            opened = await editor.request("session/new", cwd=str(tmp_path), mcpServers=[])
            for text in ("one", "two"):
                await editor.request("session/prompt", sessionId=opened["sessionId"], prompt=prompt(text))
    assert [request.headers["authorization"] for request in provider.requests] == ["Bearer key-x", "Bearer key-xx"]

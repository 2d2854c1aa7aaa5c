"""OpenHands' own profiles, and those of `acp.toml`: what counts of them, and what is told of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_acp.keys import KeyCommand, KeyringEntry
from openhands_acp.options import Options
from openhands_acp.profiles import read_profiles
from openhands_acp.redaction import Secret
from openhands_acp.settings import load_settings

FAST = {"model": "openai/gpt-5.5-mini", "usage_id": "default", "schema_version": 1}


def profiles(home: Path, files: dict[str, object]) -> Path:
    folder = home / ".openhands" / "profiles"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        (folder / name).chmod(0o600)
    return folder


def test_what_openhands_keeps_of_a_model_counts(tmp_path: Path) -> None:
    full = FAST | {
        "api_key": "oh-key",
        "base_url": "https://proxy.example/v1",
        "reasoning_effort": "xhigh",
        "max_input_tokens": 90_000,
        "max_output_tokens": 8_000,
        "temperature": 0,
        "api_version": "2026-01-01",
        "aws_secret_access_key": "**********",
        "extra_headers": None,
    }
    profiles(tmp_path, {"fast.json": full})
    settings = load_settings(Options(), {}, tmp_path, choice="profile:fast")
    assert (settings.choice, settings.model, settings.models, settings.profiles) == (
        "profile:fast",
        "openai/gpt-5.5-mini",
        ("profile:fast",),
        {"fast": "openai/gpt-5.5-mini"},
    )
    assert (settings.api_key, settings.base_url) == (Secret("oh-key"), "https://proxy.example/v1")
    assert (settings.thought_level, settings.context_window, settings.max_output_tokens) == ("high", 90_000, 8_000)
    assert (dict(settings.extra), settings.problems) == ({"temperature": 0, "api_version": "2026-01-01"}, ())


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("bad.json", '{"model": \n nope}', ", line 2: not JSON: Expecting value; this profile is left out"),
        ("bad.json", '{"model": 5}', ", line 1, model: must be text in quotes; this profile is left out"),
        ("bad.json", '{\n"model": "a/b",\n"base_url": []}', ", line 3, base_url: must be text in quotes; this profile"),
        ("bad.json", "[]", ": has no `model`; this profile is left out"),
        ("bad.json", {**FAST, "auth_type": "subscription"}, ", auth_type: a subscription's login is not known here; "),
        (".x.json", FAST, ": '.x' is no name for a profile"),
        ("a b.json", FAST, ": 'a b' is no name for a profile"),
    ],
)
def test_a_file_that_is_wrong_is_named_and_the_others_count(
    tmp_path: Path, file: str, content: object, problem: str
) -> None:
    folder = profiles(tmp_path, {"fast.json": FAST, file: content, "fast.json.lock": ""})
    found, (told,) = read_profiles(folder)
    assert ([*found], told.startswith(f"{folder / file}{problem}")) == (["fast"], True), told


@pytest.mark.parametrize("key", ["**********", "gAAAAABm-a-token-of-fernet"])
def test_a_key_that_only_openhands_can_read_is_none_and_told_unless_there_is_another(tmp_path: Path, key: str) -> None:
    folder = profiles(tmp_path, {"fast.json": FAST | {"api_key": key}})
    settings = load_settings(Options(), {}, tmp_path, choice="profile:fast")
    told = (
        f"{folder / 'fast.json'}, api_key: only OpenHands can read it; set the provider's own variable, "
        f"or write [profiles.fast] with a key in {tmp_path / '.openhands' / 'acp.toml'}"
    )
    assert (settings.api_key, settings.problems, settings.secrets) == (None, (told,), ())
    settings = load_settings(Options(), {"OPENAI_API_KEY": "own"}, tmp_path, choice="profile:fast")
    assert (settings.api_key, settings.problems) == (Secret("own"), ())


ACP = """
model = "openai/big"
api_key = "file-key"
context_window = 1000
thought_level = "low"
[profiles.fast]
model = "anthropic/small"
api_key_command = ["~/bin/key", "x"]
thought_level = "off"
[profiles.deep]
thought_level = "high"
[profiles.home]
model = "openai/qwen"
base_url = "http://127.0.0.1:9/v1"
[profiles.ring]
model = "openai/other"
api_key_keyring = "openai/me/too"
"""


@pytest.mark.parametrize(
    ("choice", "environ", "expected"),
    [
        ("profile:fast", {}, ("anthropic/small", KeyCommand(("{home}/bin/key", "x")), None, "off", None)),
        # What it does not say is as it is without it.
        ("profile:deep", {}, ("openai/big", Secret("file-key"), None, "high", 1000)),
        ("profile:deep", {"LLM_BASE_URL": "http://e/"}, ("openai/big", Secret("file-key"), "http://e/", "high", 1000)),
        # Another address: the file's key, and the environment's, were not written for it.
        ("profile:home", {"LLM_API_KEY": "env"}, ("openai/qwen", None, "http://127.0.0.1:9/v1", "low", None)),
        (
            "profile:ring",
            {"LLM_BASE_URL": "http://e/"},
            ("openai/other", KeyringEntry("openai", "me/too"), None, "low", None),
        ),
        ("profile:none", {}, (None, None, None, "low", None)),
    ],
)
def test_a_profile_says_no_more_than_it_says(
    tmp_path: Path, choice: str, environ: dict[str, str], expected: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".openhands").mkdir()
    (tmp_path / ".openhands" / "acp.toml").write_text(ACP)
    (tmp_path / ".openhands" / "acp.toml").chmod(0o600)
    settings = load_settings(Options(), environ, tmp_path, choice)
    key = settings.api_key or settings.late_key
    if isinstance(key, KeyCommand):
        key = KeyCommand((key.words[0].replace(str(tmp_path), "{home}"), *key.words[1:]))
    found = (settings.model, key, settings.base_url, settings.thought_level, settings.context_window)
    assert found == expected


def test_ours_counts_more_than_theirs_of_the_same_name(tmp_path: Path) -> None:
    profiles(tmp_path, {"fast.json": FAST, "theirs.json": FAST})
    (tmp_path / ".openhands" / "acp.toml").write_text('model = "profile:fast"\n[profiles.fast]\nmodel = "groq/ours"\n')
    settings = load_settings(Options(), {}, tmp_path)
    assert settings.profiles == {"fast": "groq/ours", "theirs": "openai/gpt-5.5-mini"}
    assert (settings.choice, settings.model) == ("profile:fast", "groq/ours")
    assert settings.models == ("profile:fast", "profile:theirs")


def test_a_profile_to_begin_with_that_is_not_there_is_told(tmp_path: Path) -> None:
    profiles(tmp_path, {"fast.json": FAST})
    settings = load_settings(Options(model="profile:slow"), {}, tmp_path)
    assert (settings.model, settings.problems) == (
        None,
        ("no profile 'slow' names a model; the profiles are: fast",),
    )

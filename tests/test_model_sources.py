"""Neither a key nor an address goes to a provider that it was not written for; where keys are kept, and what is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.keys import KeyCommand, KeyringEntry, LateKey
from openhands_acp.options import Options
from openhands_acp.redaction import Secret
from openhands_acp.settings import load_settings

ENV = {"LLM_MODEL": "openai/a", "LLM_API_KEY": "env-key", "LLM_BASE_URL": "http://e/"}
FILE = 'model = "openai/a"\napi_key = "file-key"\nbase_url = "http://p/"\n'


def written(home: Path, acp: str, mode: int = 0o600) -> Path:
    root = home / ".openhands"
    root.mkdir(exist_ok=True)
    (root / "acp.toml").write_text(acp, encoding="utf-8")
    (root / "acp.toml").chmod(mode)
    return root


@pytest.mark.parametrize(
    ("acp", "environ", "choice", "expected"),
    [
        ("", ENV, "openai/b", ("env-key", "http://e/")),
        ("", ENV, "gpt-5.5", ("env-key", "http://e/")),
        # The environment's key is that of the environment's model.
        ("", ENV, "anthropic/c", (None, None)),
        ("", ENV | {"ANTHROPIC_API_KEY": "own"}, "anthropic/c", ("own", None)),
        (FILE, {}, "openai/b", ("file-key", "http://p/")),
        (FILE, {}, "anthropic/c", (None, None)),
        (FILE, {"LLM_API_KEY": "env-key"}, "anthropic/c", (None, None)),
        (FILE, {"LLM_MODEL": "groq/g", "LLM_API_KEY": "env-key"}, "openai/a", ("file-key", "http://p/")),
        # Providers that only LiteLLM knows, by their names.
        ("", {"LLM_MODEL": "brandnew/a", "LLM_API_KEY": "k"}, "brandnew/b", ("k", None)),
        ("", {"LLM_MODEL": "brandnew/a", "LLM_API_KEY": "k"}, "other/b", (None, None)),
    ],
)
def test_a_model_that_is_chosen_since_gets_what_was_written_for_it(
    tmp_path: Path, acp: str, environ: dict[str, str], choice: str, expected: tuple[str | None, str | None]
) -> None:
    written(tmp_path, acp)
    settings = load_settings(Options(), environ, tmp_path, choice)
    assert (settings.model, settings.api_key and settings.api_key.value, settings.base_url) == (choice, *expected)


def test_the_window_of_the_settings_is_that_of_their_model(tmp_path: Path) -> None:
    written(tmp_path, 'model = "openai/a"\ncontext_window = 1000\n')
    windows = [load_settings(Options(), {}, tmp_path, choice).context_window for choice in (None, "openai/b")]
    assert windows == [1000, None]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('api_key_file = "key"', Secret("kept-key")),
        ('api_key_file = "~/key"', Secret("home-key")),
        ('api_key_keyring = "openai/me/too"', KeyringEntry("openai", "me/too")),
        ('api_key_command = ["pass", "show", "~/x"]', KeyCommand(("pass", "show", "~/x"))),
    ],
)
def test_a_key_may_be_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, key: Secret | LateKey
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    root = written(tmp_path, f'model = "openai/a"\n{line}\n')
    for path, text in ((root / "key", "kept-key\n"), (tmp_path / "key", "home-key")):
        path.write_text(text)
        path.chmod(0o600)
    settings = load_settings(Options(), {}, tmp_path)
    assert (settings.api_key or settings.late_key, settings.problems) == (key, ())
    # The environment counts more than any of them.
    assert load_settings(Options(), {"OPENAI_API_KEY": "own"}, tmp_path).api_key == Secret("own")


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        ('api_key_file = "none"', ["api_key_file: {root}/none cannot be read: No such file or directory"]),
        ('api_key_file = "empty"', ["api_key_file: {root}/empty does not hold one line with a key"]),
        ('api_key_file = "two"', ["api_key_file: {root}/two does not hold one line with a key"]),
        ('api_key_file = "bytes"', ["api_key_file: {root}/bytes cannot be read: it is not UTF-8"]),
        ('api_key_keyring = "openai"', ["line 2, api_key_keyring: String should match pattern '^[^/]+/.+$'"]),
        ("api_key_command = []", ["line 2, api_key_command: List should have at least 1 item after validation, not 0"]),
        (
            'api_key_command = ["x"]\napi_key_file = "good"\napi_key_keyring = "a/b"',
            [
                "api_key_keyring: does not count beside api_key_file",
                "api_key_command: does not count beside api_key_file",
            ],
        ),
        (
            'local_servers = ["localhost:8000", "http://x:y"]',
            [
                "local_servers: 'localhost:8000' is not an address that begins with http:// or https://",
                "local_servers: 'http://x:y' is not an address that begins with http:// or https://",
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_key_is_told(tmp_path: Path, lines: str, problems: list[str]) -> None:
    root = written(tmp_path, f'model = "openai/a"\n{lines}\n')
    for name, content in (("empty", b" \n"), ("two", b"a\nb"), ("bytes", b"\xff"), ("good", b"k")):
        (root / name).write_bytes(content)
        (root / name).chmod(0o600)
    told = load_settings(Options(), {}, tmp_path).problems
    assert list(told) == [f"{root / 'acp.toml'}, {problem.format(root=root)}" for problem in problems]


def test_a_key_that_others_can_read_is_used_and_told_with_what_to_run(tmp_path: Path) -> None:
    root = written(tmp_path, 'api_key = "file-key"\n[profiles.p]\napi_key_file = "key"\n', 0o644)
    (root / "key").write_text("kept-key")
    (root / "key").chmod(0o640)
    settings = load_settings(Options(model="openai/a"), {}, tmp_path)
    acp, key = root / "acp.toml", root / "key"
    assert (settings.api_key, settings.secrets, settings.problems) == (
        Secret("file-key"),
        (Secret("file-key"), Secret("kept-key")),
        (
            f"{acp}: has a key in it that others can read; run `chmod 600 {acp}`",
            f"{acp}, profiles.p.api_key_file: {key}: has a key in it that others can read; run `chmod 600 {key}`",
        ),
    )

"""`openhands-acp doctor`: what it finds, and what it says where a session could not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.cli import main
from openhands_acp.doctor import examine
from openhands_acp.engine.upkeep import Verdict
from openhands_acp.options import Options
from openhands_acp.settings import load_settings


@pytest.mark.parametrize(
    ("settings", "environ", "found"),
    [
        ("", {}, ("Model", "bad", "no model is set")),
        ('model = "openai/x"', {}, ("Model", "bad", "no API key for openai/x")),
        ('model = "openai/x"', {"OPENAI_API_KEY": "k"}, ("Model", "good", "`openai/x`")),
        ('model = "openai/x"\napi_key = "k"', {}, ("Key", "good", "is set")),
        ('model = "openai/x"\napi_key_command = ["false"]', {}, ("Key", "good", "is asked for when it is needed")),
        ('model = "ollama_chat/x"', {}, ("Key", "good", "none is needed")),
        ('modle = "x"', {}, ("Settings", "doubtful", "no such setting")),
        ('trusted = ["work"]', {}, ("Settings", "doubtful", "is not a whole path")),
        ('trusted = ["/w"]', {}, ("Trusted", "good", "`/w`")),
        ('plugins = ["/p"]', {}, ("Plugins", "good", "`/p`")),
        ("", {"PATH": "/nowhere"}, ("rg", "doubtful", "more slowly")),
    ],
)
def test_each_thing_is_judged(
    tmp_path: Path, settings: str, environ: dict[str, str], found: tuple[str, Verdict, str]
) -> None:
    (tmp_path / "acp.toml").write_text(settings)
    (tmp_path / "acp.toml").chmod(0o600)
    environ = {"OPENHANDS_PERSISTENCE_DIR": str(tmp_path), **environ}
    what, status, said = found
    findings = examine(load_settings(Options(), environ), environ)
    assert (status, True) in {(each.status, said in each.said) for each in findings if each.what == what}


def test_where_nothing_can_be_kept_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "acp").write_text("no folder")
    environ = {"OPENHANDS_PERSISTENCE_DIR": str(tmp_path)}
    [store] = [each for each in examine(load_settings(Options(), environ), environ) if each.what == "Store"]
    assert store.status == "bad"
    assert "cannot be written" in store.said


@pytest.mark.parametrize(("model", "code"), [("ollama_chat/x", 0), ("openai/x", 1)])
def test_its_exit_code_says_whether_a_session_can_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str, code: int
) -> None:
    monkeypatch.setenv("OPENHANDS_PERSISTENCE_DIR", str(tmp_path))
    monkeypatch.setenv("LLM_MODEL", model)
    for name in ("LLM_API_KEY", "OPENAI_API_KEY", "LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert main(["doctor"]) == code
    assert "Model: " in capsys.readouterr().out

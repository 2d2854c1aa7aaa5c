"""Which of several sources counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_acp.engine.usage.budget import Critic, Limit, Limits
from openhands_acp.engine.waiting import Persistence
from openhands_acp.llm.model import Deadlines
from openhands_acp.options import Options
from openhands_acp.redaction import Secret
from openhands_acp.settings import Settings, load_settings
from openhands_acp.settings_files import LOCAL_SERVERS


def write(home: Path, *, acp: str | None = None, openhands: object = None) -> Path:
    root = home / ".openhands"
    root.mkdir(exist_ok=True)
    if acp is not None:
        private(root / "acp.toml", acp)
    if openhands is not None:
        private(root / "agent_settings.json", json.dumps(openhands))
    return root


def private(path: Path, text: str) -> None:
    """As `setup` leaves it: for its owner alone."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def test_without_any_source_the_defaults_count(tmp_path: Path) -> None:
    assert load_settings(Options(), {}, tmp_path) == Settings(
        choice=None,
        model=None,
        api_key=None,
        late_key=None,
        base_url=None,
        mode="always-ask",
        home=tmp_path / ".openhands",
        wire_file=None,
        log_file=None,
        deadlines=Deadlines(),
        titles=True,
        thought_level="default",
        limits=Limits(),
        limits_of={},
        persistence=Persistence(),
        critic=None,
        purposes={},
        models=(),
        profiles={},
        local_servers=LOCAL_SERVERS,
        context_window=None,
        max_output_tokens=None,
        api="auto",
        tool_calls="auto",
        vision=None,
        prompt="auto",
        extra={},
        terminal="local",
        pass_env=(),
        trusted=(),
        disabled_skills=(),
        load_public_skills=True,
        plugins=(),
        fetch_private=(),
        secrets=(),
        problems=(),
    )


def test_every_setting_of_the_file_counts(tmp_path: Path) -> None:
    acp = """
        model = "openai/a"
        api_key = "file-key"
        base_url = "http://127.0.0.1:1/v1"
        models = ["openai/b", "openai/a"]
        local_servers = ["http://127.0.0.1:5"]
        mode = "plan"
        thought_level = "high"
        max_steps = 7
        max_cost = 2.5
        retries = 2
        fallback = ["openai/c"]
        context_window = 1000
        api = "chat"
        tool_calls = "native"
        vision = false
        prompt = "slim"
        terminal = "client"
        pass_env = ["OPENAI_API_KEY"]
        trusted = ["/w"]
        disabled_skills = ["x"]
        load_public_skills = false
        plugins = ["/p", "p"]
        fetch_private = ["localhost:3000"]
        [deadlines]
        connect = 1
        [limits.turn]
        max_tokens = 9
        [limits.session]
        max_steps = 70
        [critic]
        enabled = true
        max_rounds = 2
        [purposes]
        title = "openai/small"
        """
    root = write(tmp_path, acp=acp)
    options = Options(wire_file=Path("w"), log_file=Path("l"))
    assert load_settings(options, {}, tmp_path) == Settings(
        choice="openai/a",
        model="openai/a",
        api_key=Secret("file-key"),
        late_key=None,
        base_url="http://127.0.0.1:1/v1",
        mode="plan",
        home=root,
        wire_file=Path("w"),
        log_file=Path("l"),
        # Those that are not set are those of a server on this machine.
        deadlines=Deadlines(connect=1, first_token=600, between_chunks=600, whole=7200),
        titles=True,
        thought_level="high",
        limits=Limits(Limit(max_tokens=9, max_steps=7), Limit(max_cost=2.5, max_steps=70)),
        limits_of={},
        persistence=Persistence(2, ("openai/c",)),
        critic=Critic(2, 0.6),
        purposes={"title": "openai/small"},
        models=("openai/a", "openai/b"),
        profiles={},
        local_servers=("http://127.0.0.1:5",),
        context_window=1000,
        max_output_tokens=None,
        api="chat",
        tool_calls="native",
        vision=False,
        prompt="slim",
        extra={},
        terminal="client",
        pass_env=("OPENAI_API_KEY",),
        trusted=("/w",),
        disabled_skills=("x",),
        load_public_skills=False,
        plugins=("/p",),
        fetch_private=("localhost:3000",),
        secrets=(Secret("file-key"),),
        problems=(f"{root}/acp.toml, plugins: 'p' is not a whole path, or one that begins with ~/",),
    )


ACP = 'model = "openai/acp"\napi_key = "acp-key"\nmode = "plan"\n'
OPENHANDS: object = {
    "kind": "Agent",
    "llm": {"model": "openai/oh", "api_key": "oh-key", "usage_id": "agent"},
    "tools": [],
}
OPENAI = {"OPENAI_API_KEY": "own-key"}


@pytest.mark.parametrize(
    ("options", "environ", "files", "chosen"),
    [
        (Options(model="openai/o"), {"LLM_MODEL": "openai/e"}, (ACP, OPENHANDS), ("openai/o", "acp-key", None)),
        (Options(), {"LLM_MODEL": "openai/e"}, (ACP, OPENHANDS), ("openai/e", "acp-key", None)),
        (Options(), {"LLM_MODEL": "  "}, (ACP, OPENHANDS), ("openai/acp", "acp-key", None)),
        (Options(), {}, (None, OPENHANDS), ("openai/oh", "oh-key", None)),
        (Options(), {"LLM_API_KEY": "env-key"} | OPENAI, (ACP, OPENHANDS), ("openai/acp", "env-key", None)),
        (Options(), OPENAI, (ACP, OPENHANDS), ("openai/acp", "own-key", None)),
        # A key goes to no provider but the one it was written for.
        (Options(), {"LLM_MODEL": "anthropic/x"}, (ACP, OPENHANDS), ("anthropic/x", None, None)),
        (Options(), {"LLM_MODEL": "claude-x"} | OPENAI, (ACP, None), ("claude-x", None, None)),
        (Options(), {"LLM_MODEL": "gpt-5.5"}, (ACP, None), ("gpt-5.5", "acp-key", None)),
        (
            Options(),
            {},
            ('model = "unknown/a"', {"llm": {"model": "other/b", "api_key": "k"}}),
            ("unknown/a", None, None),
        ),
        # Key and address written side by side stay together; an address alone uses the provider's key.
        (Options(), OPENAI, (ACP + 'base_url = "http://p/"', None), ("openai/acp", "acp-key", "http://p/")),
        (Options(), OPENAI, ('model = "openai/a"\nbase_url = "http://p/"', None), ("openai/a", "own-key", "http://p/")),
        (
            Options(),
            OPENAI | {"LLM_BASE_URL": "http://e/"},
            (ACP + 'base_url = "http://p/"', None),
            ("openai/acp", "own-key", "http://e/"),
        ),
        # What OpenHands masks when it saves is no key.
        (Options(), {}, (None, {"llm": {"model": "openai/oh", "api_key": "**********"}}), ("openai/oh", None, None)),
        (Options(), {}, (None, {"llm": {"model": "openai/oh", "api_key": None}}), ("openai/oh", None, None)),
    ],
)
def test_the_highest_source_counts(
    tmp_path: Path,
    options: Options,
    environ: dict[str, str],
    files: tuple[str | None, object],
    chosen: tuple[str, str | None, str | None],
) -> None:
    acp, openhands = files
    write(tmp_path, acp=acp, openhands=openhands)
    settings = load_settings(options, environ, tmp_path)
    key = settings.api_key.value if settings.api_key else None
    assert ((settings.model, key, settings.base_url), settings.problems) == (chosen, ())


def test_an_option_counts_more_than_the_file_for_the_mode(tmp_path: Path) -> None:
    write(tmp_path, acp=ACP)
    modes = [load_settings(options, {}, tmp_path).mode for options in (Options(), Options(mode="llm-approve"))]
    assert modes == ["plan", "llm-approve"]


@pytest.mark.parametrize(
    ("named", "root"),
    [("/elsewhere/x", "/elsewhere/x"), ("~/x", "{home}/x"), ("~", "{home}"), ("", "{home}/.openhands")],
)
def test_the_files_are_where_the_environment_says(tmp_path: Path, named: str, root: str) -> None:
    settings = load_settings(Options(), {"OPENHANDS_PERSISTENCE_DIR": named}, tmp_path)
    assert settings.home == Path(root.format(home=tmp_path))


def test_an_address_that_is_none_does_not_stop_the_settings(tmp_path: Path) -> None:
    settings = load_settings(Options(), {"LLM_MODEL": "a/b", "LLM_BASE_URL": "http://[::1"}, tmp_path)
    assert (settings.base_url, settings.deadlines) == ("http://[::1", Deadlines())


def test_settings_are_read_anew_each_time(tmp_path: Path) -> None:
    before = load_settings(Options(), {}, tmp_path).model
    write(tmp_path, acp=ACP)
    assert (before, load_settings(Options(), {}, tmp_path).model) == (None, "openai/acp")


def test_a_key_is_not_in_the_repr_of_the_settings(tmp_path: Path) -> None:
    write(tmp_path, acp=ACP)
    assert "acp-key" not in repr(load_settings(Options(), {}, tmp_path))


def test_limits_of_a_profile_count_over_the_general_ones(tmp_path: Path) -> None:
    profiles = """
[profiles.small]
max_cost = 0.5
[profiles.small.limits]
turn = { max_tokens = 90, max_steps = 3 }
[profiles.same]
model = "openai/b"
[profiles.wrong]
limits = { turn = { max_steps = 0 } }
"""
    write(tmp_path, acp=f"{ACP}\nmax_cost = 5.0\n[limits.turn]\nmax_cost = 1.0\n{profiles}")
    settings = load_settings(Options(), {}, tmp_path)
    assert settings.limits == Limits(Limit(max_cost=1.0, max_steps=500), Limit(max_cost=5.0))
    of_turn = {"max_tokens": "profiles.small.", "max_steps": "profiles.small."}
    of_session = {"max_cost": "profiles.small."}
    assert settings.limits_of == {
        "profile:small": Limits(Limit(1.0, 90, 3, of_turn), Limit(max_cost=0.5, places=of_session))
    }
    assert [problem.partition(", ")[2] for problem in settings.problems] == [
        "line 16, profiles.wrong.limits.turn.max_steps: must be greater than or equal to 1; profiles.wrong is left out"
    ]

"""How much a model reads: the settings say it, else its provider does, behind the first request, else LiteLLM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from openhands_acp.llm import provider_limits
from tests.harness import tells_models as telling
from tests.harness.backend import connected, home, prompt
from tests.harness.editor import Editor
from tests.harness.process import CANARY
from tests.harness.provider import Provider
from tests.harness.replies import Error, Json, Refusal, Reply, Text, Usage, Wait
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio

ANSWER: Reply = (Text("Hi."), Usage(70, 3))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have providers asked for as long as a busy machine takes."""
    monkeypatch.setattr(provider_limits, "PATIENCE", PATIENCE)


def always(_body: Json) -> Reply:
    return ANSWER


def held(tells: Mapping[str, Reply]) -> dict[str, Reply]:
    """The same, but not before the test lets it go."""
    return {path: (Wait("told"), *reply) for path, reply in tells.items()}


def of(provider: Provider, model: str, **more: str) -> dict[str, str]:
    return {"LLM_MODEL": model, "LLM_BASE_URL": provider.base_url(model), "LLM_API_KEY": CANARY, **more}


async def opened(editor: Editor, folder: Path) -> str:
    return (await editor.request("session/new", cwd=str(folder), mcpServers=[]))["sessionId"]


async def say(editor: Editor, session_id: str) -> Any:
    return await editor.request("session/prompt", sessionId=session_id, prompt=prompt("hi"))


def sizes(editor: Editor) -> list[int]:
    return [update["size"] for update in editor.updates() if update["sessionUpdate"] == "usage_update"]


async def until_told(editor: Editor, session_id: str, size: int) -> None:
    """Prompt until the client is told that the window has so many tokens."""
    with anyio.fail_after(PATIENCE):
        while sizes(editor)[-1:] != [size]:
            assert await say(editor, session_id) == {"stopReason": "end_turn"}


def with_key(provider: Provider) -> list[str]:
    """What it was asked of its models by who is to be charged for them; anybody may ask a server on this machine."""
    return [look.path for look in provider.lookups if CANARY in str(look.headers)]


@pytest.mark.parametrize(
    ("model", "tells", "before", "after"),
    [
        ("openrouter/vendor/model", telling.openrouter("vendor/model", 262_144, 131_072), [], 262_144),
        ("gemini/gemini-x", telling.gemini("gemini-x", 900_000), [], 900_000),
        # LiteLLM knows it, and its provider knows it better.
        ("anthropic/claude-sonnet-4-5", telling.anthropic("claude-sonnet-4-5", 400_000, 64_000), [200_000], 400_000),
        ("openai/qwen", telling.groq("qwen", 40_960), [], 40_960),
        ("openai/claude-x", telling.litellm_proxy("claude-x", 150_000), [], 150_000),
    ],
)
async def test_its_provider_is_asked_once_and_nobody_waits_for_the_answer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    model: str,
    tells: Mapping[str, Reply],
    before: list[int],
    after: int,
) -> None:
    with Provider(script=always, tells=held(tells)) as provider:
        home(tmp_path, monkeypatch, **of(provider, model))
        async with connected() as editor:
            session_id = await opened(editor, tmp_path)
            assert provider.lookups == []
            await say(editor, session_id)
            assert sizes(editor) == before
            provider.release("told")
            await until_told(editor, session_id, after)
            await say(editor, await opened(editor, tmp_path))
        assert set(sizes(editor)) == {*before, after}
        assert sorted(with_key(provider)) == sorted(tells)


async def test_a_model_that_is_chosen_since_is_asked_for_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: Iterator[Json] = ({"id": name, "context_length": size} for name, size in (("one", 9_000), ("two", 50_000)))
    with Provider(script=always, tells={"/v1/models": telling.listing(*listed)}) as provider:
        home(tmp_path, monkeypatch, **of(provider, "openai/one")).settings('models = ["openai/two"]')
        async with connected() as editor:
            session_id = await opened(editor, tmp_path)
            await until_told(editor, session_id, 9_000)
            await editor.request(
                "session/set_config_option", sessionId=session_id, configId="model", value="openai/two"
            )
            await until_told(editor, session_id, 50_000)


async def test_who_could_not_be_asked_is_asked_again_with_the_next_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tells: dict[str, Reply] = {"/v1/models": [Error(401, {"error": "no"})], "/v1/model/info": [Error(401, {})]}
    with Provider(script=always, tells=tells) as provider:
        person = home(tmp_path, monkeypatch, **of(provider, "openai/q"))
        async with connected() as editor:
            await say(editor, await opened(editor, tmp_path))
            person.settings("retries = 4")
            provider.tells(telling.groq("q", 40_960))
            await until_told(editor, await opened(editor, tmp_path), 40_960)


@pytest.mark.parametrize(
    ("model", "settings", "told", "is_refused", "window"),
    [
        ("openai/gpt-4o", "context_window = 80000", 100_000, False, 80_000),
        ("openai/gpt-4o", "", 100_000, False, 100_000),
        ("openai/gpt-4o", "", None, False, 128_000),
        ("openai/nobody-knows", "", None, False, None),
        # The refusal says 128,000, and is about so little that the half of it is believed.
        ("openai/nobody-knows", "", None, True, 64_000),
        ("openai/gpt-4o", "context_window = 80000", 100_000, True, 40_000),
    ],
)
async def test_settings_count_more_than_the_provider_that_more_than_litellm_and_a_refusal_corrects_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    model: str,
    settings: str,
    told: int | None,
    is_refused: bool,
    window: int | None,
) -> None:
    refusals: list[Reply] = [[Refusal("context")]] if is_refused else []
    tells: Mapping[str, Reply] = telling.groq(model.removeprefix("openai/"), told) if told else {}

    def script(_body: Json) -> Reply:
        return refusals.pop() if refusals else ANSWER

    with Provider(script=script, tells=tells) as provider:
        home(tmp_path, monkeypatch, **of(provider, model)).settings(settings)
        async with connected() as editor:
            session_id = await opened(editor, tmp_path)
            if is_refused:
                await say(editor, session_id)
            if window is None:
                await say(editor, session_id)
                assert sizes(editor) == []
            else:
                await until_told(editor, session_id, window)
        assert not settings or provider.lookups == []


async def test_a_claude_that_litellm_does_not_know_may_answer_as_long_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "anthropic/claude-opus-99"
    with Provider(script=always, tells=telling.anthropic("claude-opus-99", 300_000, 128_000)) as provider:
        home(tmp_path, monkeypatch, **of(provider, model))
        async with connected() as editor:
            session_id = await opened(editor, tmp_path)
            await until_told(editor, session_id, 300_000)
            await say(editor, session_id)
            # Another level is another client.
            await editor.request(
                "session/set_config_option", sessionId=session_id, configId="thought_level", value="high"
            )
            await say(editor, session_id)
        assert [request.body["max_tokens"] for request in provider.requests[-2:]] == [128_000] * 2
        assert "thinking" in provider.requests[-1].body
        assert len(provider.lookups) == 1

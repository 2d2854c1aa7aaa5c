"""The model that a person chose is the one that is asked, whenever they chose it, and none other in its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.llm import local_servers
from tests.harness.backend import connected, home, prompt
from tests.harness.editor import Editor
from tests.harness.model_server import Answer, ModelServer, ollama, openai
from tests.harness.process import with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Call, Text, Usage, Wait
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio

THINK = Call("think", {"thought": "Hm."})
OPENAI = {"LLM_MODEL": "openai/gpt-5.5", "OPENAI_API_KEY": "sk-of-openai"}


def place(folder: Path) -> dict[str, Any]:
    return {"cwd": str(folder), "mcpServers": []}


async def choose(editor: Editor, session_id: str, model: str) -> dict[str, Any]:
    return await editor.request("session/set_config_option", sessionId=session_id, configId="model", value=model)


async def say(editor: Editor, session_id: str, text: str) -> Any:
    return await editor.request("session/prompt", sessionId=session_id, prompt=prompt(text))


def chosen(result: Mapping[str, Any]) -> str:
    return next(each["currentValue"] for each in result["configOptions"] if each["id"] == "model")


def offered(result: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """The models of config options: their names and descriptions."""
    options = next(each["options"] for each in result["configOptions"] if each["id"] == "model")
    return {each["value"]: (each["name"], each.get("description")) for each in options}


async def until_offered(editor: Editor, value: str) -> dict[str, Any]:
    def is_on_it(message: dict[str, Any]) -> bool:
        update = message.get("params", {}).get("update", {})
        return update.get("sessionUpdate") == "config_option_update" and value in offered(update)

    return (await editor.until(is_on_it))["params"]["update"]


def texts(editor: Editor) -> list[str]:
    return [u["content"]["text"] for u in editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]


async def test_it_is_asked_before_the_first_prompt_in_mid_turn_after_a_restart_and_in_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = [(Text("One."),), (Wait("chosen"), THINK), (Text("Two."),), (Text("Three."),), (Text("Four."),)]
    with Provider(*replies) as provider:
        home(tmp_path, monkeypatch, **with_provider(provider.url)).settings(
            'models = ["openai/second", "openai/third"]'
        )
        async with connected() as editor:
            session_id = (await editor.request("session/new", **place(tmp_path)))["sessionId"]
            assert chosen(await choose(editor, session_id, "openai/second")) == "openai/second"
            await say(editor, session_id, "one")
            turn = editor.ask("session/prompt", sessionId=session_id, prompt=prompt("two"))
            await provider.request(1)
            await choose(editor, session_id, "openai/third")
            provider.release("chosen")
            await editor.answer(turn)
        async with connected() as editor:
            loaded = await editor.request("session/load", sessionId=session_id, **place(tmp_path))
            await say(editor, session_id, "three")
            copy = await editor.request("session/fork", sessionId=session_id, **place(tmp_path))
            await say(editor, copy["sessionId"], "four")
        assert (chosen(loaded), chosen(copy)) == ("openai/third", "openai/third")
    assert [request.model for request in provider.requests] == ["second", "second", "third", "third", "third"]


async def test_one_that_cannot_be_asked_is_refused_with_the_list_and_the_one_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Provider((Text("One."),)) as provider:
        home(tmp_path, monkeypatch, **with_provider(provider.url)).settings('models = ["openai/second"]')
        async with connected() as editor:
            session_id = (await editor.request("session/new", **place(tmp_path)))["sessionId"]
            for model in ("openai/nonsense", "nonsense", "profile:nonsense", "", "openai/gpt-5.5"):
                error = await choose(editor, session_id, model)
                assert (
                    error["code"],
                    model,
                    error["data"]["details"].endswith("openai/fake-model, openai/second"),
                ) == (
                    -32602,
                    model,
                    True,
                )
            # Where nothing but a key is missing: with what to set.
            error = await choose(editor, session_id, "anthropic/claude-sonnet-5")
            assert "no API key for anthropic/claude-sonnet-5 (Anthropic). Set ANTHROPIC_API_KEY" in str(error)
            await say(editor, session_id, "one")
    assert [request.model for request in provider.requests] == ["fake-model"]


async def test_the_list_grows_behind_the_answer_by_the_models_of_those_whose_keys_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home(tmp_path, monkeypatch, **OPENAI, MISTRAL_API_KEY="sk-of-mistral").settings('models = ["groq/mine"]')
    async with connected() as editor:
        first = offered(answer := await editor.request("session/new", **place(tmp_path)))
        assert ([*first], editor.updates()) == (["openai/gpt-5.5", "groq/mine"], [])
        # It is not whole yet, so it is waited for.
        assert chosen(await choose(editor, answer["sessionId"], "openai/gpt-5.4")) == "openai/gpt-5.4"
        models = offered(await until_offered(editor, "mistral/mistral-large-4"))
        second = await editor.request("session/new", **place(tmp_path))
        assert offered(second) == models
        # Not among those that are offered, which are the newest; LiteLLM knows it.
        assert chosen(await choose(editor, second["sessionId"], "openai/gpt-4.1-nano")) == "openai/gpt-4.1-nano"
    assert [*models][:2] == [*first]
    assert {model.partition("/")[0] for model in models} == {"openai", "groq", "mistral"}
    assert max(sum(model.startswith(prefix) for model in models) for prefix in ("openai/", "mistral/")) == 30
    assert models["openai/gpt-5.5"] == ("openai/gpt-5.5", "1,050,000 tokens · $5.00 in, $30.00 out per million")


async def test_one_of_a_server_on_this_machine_is_found_and_works_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Provider((Text("One."), Usage(70, 3)), (Text("Two."),)) as provider:
        home(tmp_path, monkeypatch, **OPENAI).settings(f'local_servers = ["{provider.url}"]')
        value = f"hosted_vllm/fake-model@{provider.url.removeprefix('http://').removesuffix('/v1')}"
        async with connected() as editor:
            session_id = (await editor.request("session/new", **place(tmp_path)))["sessionId"]
            update = await until_offered(editor, value)
            assert offered(update)[value] == ("fake-model (vLLM)", f"at {provider.url}")
            await choose(editor, session_id, value)
            assert await say(editor, session_id, "one") == {"stopReason": "end_turn"}
        # Another process has not looked for it yet.
        async with connected() as editor:
            loaded = await editor.request("session/load", sessionId=session_id, **place(tmp_path))
            assert chosen(loaded) == value
            await say(editor, session_id, "two")
    assert [request.model for request in provider.requests] == ["fake-model", "fake-model"]
    assert "sk-of-openai" not in str([request.headers for request in provider.requests])


@pytest.mark.parametrize("kind", ["llamafile", "lm_studio", "hosted_vllm"])
async def test_each_kind_of_server_works_with_tools_and_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with Provider((Text("So. "), THINK, Usage(70, 3)), (Text("Done."), Usage(90, 3))) as provider:
        value = f"{kind}/fake-model@{provider.url.removeprefix('http://').removesuffix('/v1')}"
        home(tmp_path, monkeypatch, LLM_MODEL=value).settings(
            f'local_servers = ["{provider.url}"]\ncontext_window = 9000'
        )
        async with connected() as editor:
            session_id = (await editor.request("session/new", **place(tmp_path)))["sessionId"]
            await say(editor, session_id, "one")
    assert "".join(texts(editor)).replace("\n", "") == "So. Done."
    usages = [(u["used"], u["size"]) for u in editor.updates() if u["sessionUpdate"] == "usage_update"]
    assert usages == [(73, 9000), (93, 9000)]


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("ollama_chat/q:1@{place}", ""),
        ("ollama_chat/q:1", "LLM_BASE_URL"),
        ("ollama/q:1", "LLM_BASE_URL"),
        ("ollama/q:1", "OLLAMA_API_BASE"),
    ],
)
async def test_ollama_is_told_how_much_to_read_and_the_client_how_much_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    monkeypatch.setattr(local_servers, "PATIENCE", PATIENCE)
    said = '{"model":"q:1","message":{"role":"assistant","content":"Hi."},"done":false}\n'
    end = '{"model":"q:1","message":{"role":"assistant","content":""},"done":true,"prompt_eval_count":70,"eval_count":3}\n'
    answers = ollama("q:1") | {"/api/show": {"model_info": {"q.context_length": 262144}}, "/api/chat": said + end}
    with ModelServer(answers | {"/v1/models": {"data": [{"id": "q:1", "owned_by": "library"}]}}) as server:
        value = model.format(place=server.url.removeprefix("http://"))
        more = {variable: server.url} if variable else {}
        home(tmp_path, monkeypatch, LLM_MODEL=value, **more).settings(f'local_servers = ["{server.url}"]')
        async with connected() as editor:
            session_id = (await editor.request("session/new", **place(tmp_path)))["sessionId"]
            await say(editor, session_id, "hi")
    assert texts(editor) == ["Hi."]
    assert [u["size"] for u in editor.updates() if u["sessionUpdate"] == "usage_update"] == [32768]
    chats = [body for path, body in server.asked if path == "/api/chat"]
    assert [(chat["model"], chat["options"]["num_ctx"]) for chat in chats] == [("q:1", 32768)]


@pytest.mark.parametrize(
    ("model", "answers", "window"),
    [
        ("openai/m", openai("vllm", "other", "m", max_model_len=8_192), 8_192),
        ("hosted_vllm/m", openai("vllm", "other", "m", max_model_len=8_192), 8_192),
        ("openai/m", openai("llamacpp", "a") | {"/props": {"default_generation_settings": {"n_ctx": 2_048}}}, 2_048),
        ("openai/m", ollama("m") | openai("library", "m"), None),
        ("openai/m", {}, None),
    ],
)
async def test_a_server_at_a_plain_address_on_this_machine_is_asked_how_much_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, answers: dict[str, Answer], window: int | None
) -> None:
    monkeypatch.setattr(local_servers, "PATIENCE", PATIENCE)
    said: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": "Hi."}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}},
    ]
    chunks = [{"object": "chat.completion.chunk", **each} for each in said]
    stream = "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"
    with ModelServer(answers | {"/v1/chat/completions": stream}) as server:
        home(tmp_path, monkeypatch, LLM_MODEL=model, LLM_BASE_URL=f"{server.url}/v1", LLM_API_KEY="none")
        async with connected() as editor:
            session_id = (await editor.request("session/new", **place(tmp_path)))["sessionId"]
            await say(editor, session_id, "hi")
    assert texts(editor) == ["Hi."]
    sizes = [update["size"] for update in editor.updates() if update["sessionUpdate"] == "usage_update"]
    assert sizes == ([window] if window else [])


async def test_a_profile_is_chosen_by_its_name_and_gone_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Provider((Text("One."),)) as provider:
        profile = f'[profiles.fast]\nmodel = "openai/gpt-5-mini"\nbase_url = "{provider.url}"\nthought_level = "low"'
        person = home(tmp_path, monkeypatch, **OPENAI)
        person.settings(f'api = "chat"\n{profile}\nmax_output_tokens = 77\napi = "chat"')
        async with connected() as editor:
            opened = await editor.request("session/new", **place(tmp_path))
            assert offered(opened)["profile:fast"] == ("fast (openai/gpt-5-mini)", None)
            await choose(editor, opened["sessionId"], "profile:fast")
            await say(editor, opened["sessionId"], "one")
            person.settings("")
            loaded = await editor.request("session/load", sessionId=opened["sessionId"], **place(tmp_path))
            assert chosen(loaded) == "profile:fast"
            await say(editor, opened["sessionId"], "two")
            assert (await choose(editor, opened["sessionId"], "profile:fast"))["code"] == -32602
    assert texts(editor)[-1].endswith(
        "There is no profile 'fast' any more. Choose another model, with `/model` for one, then send the prompt again."
    )
    (body,) = [request.body for request in provider.requests]
    assert (body["model"], body["reasoning_effort"]) == ("gpt-5-mini", "low")
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))


async def test_openhands_own_gateway_speaks_as_a_proxy_of_litellms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Provider((Text("One."),), key="sk-of-openhands") as provider:
        environ = {"LLM_MODEL": "openhands/claude-x", "LITELLM_PROXY_API_KEY": "sk-of-openhands"}
        home(tmp_path, monkeypatch, **environ, LLM_BASE_URL=provider.url)
        async with connected() as editor:
            session_id = (await editor.request("session/new", **place(tmp_path)))["sessionId"]
            await say(editor, session_id, "one")
    assert (texts(editor), [request.model for request in provider.requests]) == (["One."], ["claude-x"])

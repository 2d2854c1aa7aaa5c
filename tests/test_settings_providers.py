"""The table of providers against LiteLLM, and what a person is told when something is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from openhands_acp.providers import PROVIDERS, Missing, keys_in, missing, provider_id

HOME = Path("/home/me/.openhands")


@dataclass(frozen=True)
class Choice:
    model: str | None
    api_key: object | None = None
    late_key: object | None = None
    extra: Mapping[str, object] = field(default_factory=dict[str, object])
    base_url: str | None = None
    home: Path = HOME
    problems: tuple[str, ...] = ()


# ---------------------------------------------------------------- LiteLLM

# Where `validate_environment` asks for what the provider's client does not need: they have a usual address.
HAVE_A_USUAL_ADDRESS = {"ollama": ["OLLAMA_API_BASE"], "ollama_chat": ["OLLAMA_API_BASE"]}
# Of these it knows no variable at all.
NOT_VALIDATED = {
    *("azure_ai", "cohere_chat", "databricks", "watsonx", "sambanova", "github", "zai", "minimax", "litellm_proxy"),
    *("lm_studio", "hosted_vllm", "llamafile", "docker_model_runner"),
}
# It logs in over the network when asked; it is ours, or OpenHands', and no name of LiteLLM's.
NOT_ASKED = {"github_copilot", "scripted", "openhands"}


# Imported by the test that needs it, not by collecting the tests: it takes seconds.
litellm = partial(import_module, "litellm")


@pytest.mark.parametrize("provider", sorted(set(PROVIDERS) - NOT_ASKED))
def test_the_table_agrees_with_litellm(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = PROVIDERS[provider]
    for name in {name for each in PROVIDERS.values() for name in (*each.keys, *each.also, *each.instead)}:
        monkeypatch.delenv(name, raising=False)
    wanted = set[str](litellm().validate_environment(model=f"{provider}/x")["missing_keys"])
    if provider in NOT_VALIDATED:
        assert wanted == set()
    elif provider in HAVE_A_USUAL_ADDRESS:
        assert (sorted(wanted), row.keys) == (HAVE_A_USUAL_ADDRESS[provider], ())
    else:
        assert wanted <= {*row.keys, *row.also}
        assert set(row.also) <= wanted
        assert set(row.keys[:1]) <= wanted


@cache
def litellm_source() -> str:
    spec = find_spec("litellm")
    root = Path((spec and spec.origin) or "").parent
    files = [root / "main.py", root / "litellm_core_utils" / "get_llm_provider_logic.py", root / "utils.py"]
    folders = [root / "llms" / name for name in (*PROVIDERS, "openai_like", "openai")]
    files += [
        file for folder in folders if folder.is_dir() for file in folder.rglob("*") if file.suffix in {".py", ".json"}
    ]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_litellm_reads_every_variable_that_the_table_names(provider: str) -> None:
    row = PROVIDERS[provider]
    names = [*row.keys, *row.also, *row.instead]
    assert [name for name in names if name not in litellm_source()] == []


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-5.5", "o1", "o3-mini", "o4-mini", "claude-sonnet-4-5", "gemini-2.5-pro"]
)
def test_a_name_without_a_prefix_goes_where_litellm_sends_it(model: str) -> None:
    assert litellm().get_llm_provider(model)[1] == provider_id(model)


# ---------------------------------------------------------------- missing

EDITOR = "in the environment that the editor gives this agent"
FILE = f"{HOME / 'acp.toml'}, or run `openhands-acp setup` in a terminal. Then try again."


@pytest.mark.parametrize(
    ("choice", "environ", "told"),
    [
        (
            Choice(None, problems=("acp.toml, line 1: not TOML",)),
            {},
            Missing(
                "no model is set",
                "Set LLM_MODEL (PROVIDER/NAME, such as anthropic/claude-sonnet-4-5) and LLM_API_KEY "
                f"{EDITOR}, or put `model` and `api_key` in {FILE}\nacp.toml, line 1: not TOML",
            ),
        ),
        (
            Choice("anthropic/claude-x"),
            {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": ""},
            Missing(
                "no API key for anthropic/claude-x (Anthropic)",
                f"Set ANTHROPIC_API_KEY (or LLM_API_KEY) {EDITOR}, or put `api_key` in {FILE}",
            ),
        ),
        (
            Choice("gemini-2.5-pro"),
            {"VERTEXAI_PROJECT": "p"},
            Missing(
                "VERTEXAI_LOCATION not set for gemini-2.5-pro (Google Vertex AI)",
                f"Set VERTEXAI_LOCATION {EDITOR}. Then try again.\n"
                "For a key of the Gemini API, write the model as gemini/gemini-2.5-pro.",
            ),
        ),
        (
            Choice("azure/d", api_key="k", base_url="https://me.example/"),
            {},
            Missing(
                "AZURE_API_VERSION not set for azure/d (Azure OpenAI)",
                f"Set AZURE_API_VERSION {EDITOR}. Then try again.",
            ),
        ),
        (
            Choice("openai/qwen", base_url="http://box.lan:8000/v1"),
            {},
            Missing(
                "no API key for openai/qwen (OpenAI)",
                f"Set OPENAI_API_KEY (or LLM_API_KEY) {EDITOR}, or put `api_key` in {FILE}\n"
                "If the server at http://box.lan:8000/v1 wants no key, set LLM_API_KEY to any word.",
            ),
        ),
        (
            Choice("openai/qwen", base_url="localhost:8000"),
            {},
            Missing(
                "'localhost:8000' is not an address",
                "Set LLM_BASE_URL (or `base_url` in acp.toml) to an address that begins with http:// or https://, "
                f"{EDITOR}. Then try again.",
            ),
        ),
        (Choice("anthropic/x"), {"ANTHROPIC_API_KEY": "k"}, None),
        (Choice("anthropic/x"), {"ANTHROPIC_AUTH_TOKEN": "k"}, None),
        (Choice("anthropic/x", api_key="k"), {}, None),
        (Choice("azure/d"), {"AZURE_API_KEY": "k", "AZURE_API_BASE": "b", "AZURE_API_VERSION": "v"}, None),
        (Choice("bedrock/x"), {"AWS_PROFILE": "p"}, None),
        (Choice("bedrock/x"), {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, None),
        (Choice("openai/qwen", base_url="http://127.0.0.1:8000/v1"), {}, None),
        (Choice("openai/qwen", base_url="http://[::1]:8000/v1"), {}, None),
        (Choice("ollama_chat/qwen"), {}, None),
        (Choice("brandnew/x"), {}, None),
        (Choice("some-model"), {}, None),
        (Choice("scripted/demo"), {}, None),
    ],
)
def test_what_a_person_still_has_to_set(choice: Choice, environ: dict[str, str], told: Missing | None) -> None:
    assert missing(choice, environ) == told


def test_every_key_in_the_environment_is_known_to_be_secret() -> None:
    environ = {"OPENAI_API_KEY": "a", "LLM_API_KEY": "b", "HF_TOKEN": "c", "AWS_SECRET_ACCESS_KEY": "d"}
    others = {"PATH": "x", "AZURE_API_BASE": "y", "AWS_WEB_IDENTITY_TOKEN_FILE": "z", "GROQ_API_KEY": ""}
    assert sorted(keys_in(environ | others)) == ["a", "b", "c", "d"]

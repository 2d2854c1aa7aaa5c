"""Which variables each model provider's key lives in, as LiteLLM names them, and what a person still has to set.

Knows names only: it imports no provider and asks none, so it can answer before `session/new` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from openhands_acp.llm.model import is_loopback


@dataclass(frozen=True, slots=True)
class Provider:
    name: str
    """As people call it."""
    keys: tuple[str, ...] = ()
    """Variables that can hold its API key, the usual one first; any one will do."""
    also: tuple[str, ...] = ()
    """Variables that it needs besides the key, or instead of one."""
    instead: tuple[str, ...] = ()
    """Variables of which any one makes the others unnecessary (a role, a profile, a login)."""
    base: str | None = None
    """The variable in `also` that `base_url` stands in for."""


_AWS_LOGINS = (
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_BEARER_TOKEN_BEDROCK",
)
_VERTEX = Provider(
    "Google Vertex AI", also=("VERTEXAI_PROJECT", "VERTEXAI_LOCATION"), instead=("GOOGLE_APPLICATION_CREDENTIALS",)
)
_COHERE = Provider("Cohere", ("COHERE_API_KEY", "CO_API_KEY"))

PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider("OpenAI", ("OPENAI_API_KEY",)),
    "anthropic": Provider("Anthropic", ("ANTHROPIC_API_KEY",), instead=("ANTHROPIC_AUTH_TOKEN",)),
    "gemini": Provider("Google Gemini", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    "vertex_ai": _VERTEX,
    "azure": Provider(
        "Azure OpenAI", ("AZURE_API_KEY",), ("AZURE_API_BASE", "AZURE_API_VERSION"), (), "AZURE_API_BASE"
    ),
    "azure_ai": Provider("Azure AI", ("AZURE_AI_API_KEY",), ("AZURE_AI_API_BASE",), (), "AZURE_AI_API_BASE"),
    "bedrock": Provider("AWS Bedrock", also=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), instead=_AWS_LOGINS),
    "openrouter": Provider("OpenRouter", ("OPENROUTER_API_KEY", "OR_API_KEY")),
    "mistral": Provider("Mistral", ("MISTRAL_API_KEY",)),
    "codestral": Provider("Codestral", ("CODESTRAL_API_KEY",)),
    "groq": Provider("Groq", ("GROQ_API_KEY",)),
    "deepseek": Provider("DeepSeek", ("DEEPSEEK_API_KEY",)),
    "xai": Provider("xAI", ("XAI_API_KEY",)),
    "together_ai": Provider("Together AI", ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY", "TOGETHER_AI_API_KEY")),
    "fireworks_ai": Provider(
        "Fireworks AI",
        ("FIREWORKS_AI_API_KEY", "FIREWORKS_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
    ),
    "cohere": _COHERE,
    "cohere_chat": _COHERE,
    "perplexity": Provider("Perplexity", ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY")),
    "cerebras": Provider("Cerebras", ("CEREBRAS_API_KEY",)),
    "moonshot": Provider("Moonshot AI", ("MOONSHOT_API_KEY",)),
    "dashscope": Provider("Alibaba DashScope", ("DASHSCOPE_API_KEY",)),
    "zai": Provider("Z.ai", ("ZAI_API_KEY",)),
    "minimax": Provider("MiniMax", ("MINIMAX_API_KEY",)),
    "huggingface": Provider("Hugging Face", ("HUGGINGFACE_API_KEY", "HF_TOKEN")),
    "nvidia_nim": Provider("NVIDIA NIM", ("NVIDIA_NIM_API_KEY",)),
    "replicate": Provider("Replicate", ("REPLICATE_API_KEY", "REPLICATE_API_TOKEN")),
    "databricks": Provider("Databricks", ("DATABRICKS_API_KEY",), ("DATABRICKS_API_BASE",), (), "DATABRICKS_API_BASE"),
    "watsonx": Provider(
        "IBM watsonx",
        ("WATSONX_APIKEY", "WATSONX_API_KEY", "WX_API_KEY"),
        ("WATSONX_URL", "WATSONX_PROJECT_ID"),
        ("WATSONX_TOKEN", "WATSONX_ZENAPIKEY"),
        "WATSONX_URL",
    ),
    "sambanova": Provider("SambaNova", ("SAMBANOVA_API_KEY",)),
    "deepinfra": Provider("DeepInfra", ("DEEPINFRA_API_KEY",)),
    "novita": Provider("Novita AI", ("NOVITA_API_KEY",)),
    "nebius": Provider("Nebius", ("NEBIUS_API_KEY",)),
    "baseten": Provider("Baseten", ("BASETEN_API_KEY",)),
    "featherless_ai": Provider("Featherless AI", ("FEATHERLESS_AI_API_KEY",)),
    "vercel_ai_gateway": Provider("Vercel AI Gateway", ("VERCEL_AI_GATEWAY_API_KEY",)),
    "github": Provider("GitHub Models", ("GITHUB_API_KEY",)),
    # OpenHands' own gateway, which is a LiteLLM proxy; its key is the person's OpenHands LLM key.
    "openhands": Provider("OpenHands", ("LITELLM_PROXY_API_KEY",)),
    "litellm_proxy": Provider(
        "LiteLLM proxy", ("LITELLM_PROXY_API_KEY",), ("LITELLM_PROXY_API_BASE",), (), "LITELLM_PROXY_API_BASE"
    ),
    # Servers on the person's own machine, and ours: they ask for no key.
    "ollama": Provider("Ollama"),
    "ollama_chat": Provider("Ollama"),
    "lm_studio": Provider("LM Studio"),
    "hosted_vllm": Provider("vLLM"),
    "llamafile": Provider("llamafile"),
    "docker_model_runner": Provider("Docker Model Runner"),
    "github_copilot": Provider("GitHub Copilot"),
    "scripted": Provider("the built-in script"),
}

# How LiteLLM routes a name that has no prefix. A bare `gemini-...` goes to Vertex AI there, not to the Gemini API.
_STEMS = {
    "gpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude-": "anthropic",
    "gemini-": "vertex_ai",
}


KEY_NAMES = frozenset({"LLM_API_KEY", *(name for each in PROVIDERS.values() for name in each.keys)})
"""Variables that hold a model provider's key, which no child process needs. Not AWS_...: its own tools need those."""

_SECRET_NAMES = KEY_NAMES | {
    name
    for each in PROVIDERS.values()
    for name in (*each.also, *each.instead)
    if ("KEY" in name or "TOKEN" in name) and not name.endswith("_FILE")
}


_STANDS_FOR = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_profile_name": "AWS_PROFILE",
    "aws_role_name": "AWS_ROLE_ARN",
    "api_version": "AZURE_API_VERSION",
}
"""Arguments of LiteLLM's that make a variable unnecessary."""


class Chosen(Protocol):
    """The part of `Settings` that decides whether a model can be asked."""

    @property
    def model(self) -> str | None: ...
    @property
    def api_key(self) -> object | None: ...
    @property
    def late_key(self) -> object | None: ...
    @property
    def base_url(self) -> str | None: ...
    @property
    def extra(self) -> Mapping[str, object]: ...
    @property
    def home(self) -> Path: ...
    @property
    def problems(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Missing:
    """Why no model can be asked, for a person to read."""

    reason: str
    """A few words."""
    details: str
    """What to set, by its exact name, and where."""


def provider_id(model: str) -> str | None:
    """Return the key in PROVIDERS of the provider that LiteLLM asks for `model`; None if it is not in the table."""
    prefix, slash, _ = model.partition("/")
    if slash:
        return prefix if prefix in PROVIDERS else None
    return next((provider for stem, provider in _STEMS.items() if model.startswith(stem)), None)


def key_in(environ: Mapping[str, str], model: str) -> str | None:
    """Return the key of `model`'s provider from the provider's own variable."""
    provider = PROVIDERS.get(provider_id(model) or "")
    return next((environ[name] for name in provider.keys if environ.get(name)), None) if provider else None


def keys_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return every value in `environ` that is a key of some provider: what must never be written to a log."""
    return tuple(value for name, value in environ.items() if name in _SECRET_NAMES and value)


def missing(chosen: Chosen, environ: Mapping[str, str]) -> Missing | None:
    """Tell what a person must set before a model can be asked; None if nothing, or nobody knows.

    A provider that is not in the table is assumed usable: LiteLLM knows more of them than we do.
    """
    if chosen.model is None:
        wanted = "LLM_MODEL (PROVIDER/NAME, such as anthropic/claude-sonnet-4-5) and LLM_API_KEY"
        return Missing("no model is set", _details(chosen, wanted, "`model` and `api_key`"))
    if chosen.base_url is not None and not is_address(chosen.base_url):
        # Not left out: what was meant for a server of one's own must not go to the provider's usual one.
        wanted = "LLM_BASE_URL (or `base_url` in acp.toml) to an address that begins with http:// or https://,"
        return Missing(f"{chosen.base_url!r} is not an address", _details(chosen, wanted, None))
    provider = PROVIDERS.get(provider_id(chosen.model) or "")
    environ = {**environ, **{_STANDS_FOR[name]: "set" for name in chosen.extra if name in _STANDS_FOR}}
    if provider is None or is_loopback(chosen.base_url) or _any(provider.instead, environ):
        return None
    others = [
        name for name in provider.also if not environ.get(name) and not (chosen.base_url and name == provider.base)
    ]
    has_key = chosen.api_key is not None or chosen.late_key is not None
    if provider.keys and not has_key and not _any(provider.keys, environ):
        wanted = " and ".join((f"{provider.keys[0]} (or LLM_API_KEY)", *others))
        return Missing(f"no API key for {chosen.model} ({provider.name})", _details(chosen, wanted, "`api_key`"))
    if others:
        wanted = " and ".join(others)
        return Missing(f"{wanted} not set for {chosen.model} ({provider.name})", _details(chosen, wanted, None))
    return None


def is_address(base_url: str | None) -> bool:
    """Tell whether `base_url` is one: without http:// in front, LiteLLM fails with a riddle."""
    try:
        parts = urlsplit(base_url or "")
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # The port is no number.
        return False


def _any(names: tuple[str, ...], environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in names)


def _details(chosen: Chosen, wanted: str, fields: str | None) -> str:
    file = f", or put {fields} in {chosen.home / 'acp.toml'}, or run `openhands-acp setup` in a terminal"
    where = f"in the environment that the editor gives this agent{file if fields else ''}"
    lines = [f"Set {wanted} {where}. Then try again."]
    if chosen.model and chosen.base_url and fields:
        lines.append(f"If the server at {chosen.base_url} wants no key, set LLM_API_KEY to any word.")
    if chosen.model and chosen.model.startswith("gemini-"):
        lines.append(f"For a key of the Gemini API, write the model as gemini/{chosen.model}.")
    return "\n".join((*lines, *chosen.problems))

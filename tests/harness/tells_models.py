"""What providers say of their models when they are asked, in the shapes that the real ones have: replies by path."""

from __future__ import annotations

from collections.abc import Mapping

from tests.harness.replies import Error, Json, Reply


def listing(*models: Json) -> Reply:
    """OpenAI's list of models."""
    return [Error(200, {"object": "list", "data": list(models)})]


def anthropic(model: str, window: int | None, longest: int) -> Mapping[str, Reply]:
    said: Json = {
        "type": "model",
        "id": f"{model}-20260201",
        "display_name": "Claude",
        "created_at": "2026-02-01T00:00:00Z",
        "max_input_tokens": window,
        "max_tokens": longest,
        "capabilities": {"batch": {"supported": True}, "image_input": {"supported": True}},
    }
    return {f"/v1/models/{model}": [Error(200, said)]}


def gemini(model: str, window: int) -> Mapping[str, Reply]:
    said: Json = {
        "name": f"models/{model}",
        "version": "001",
        "displayName": "Gemini",
        "inputTokenLimit": window,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "temperature": 1,
    }
    return {f"/v1beta/models/{model}": [Error(200, said)]}


def openrouter(model: str, window: int | None, of_top_provider: int | None) -> Mapping[str, Reply]:
    architecture = {"modality": "text->text", "input_modalities": ["text"], "tokenizer": "Other"}
    top: Json = {"context_length": of_top_provider, "max_completion_tokens": 32768, "is_moderated": False}
    said: Json = {
        "id": model,
        "canonical_slug": f"{model}-07-25",
        "name": "Vendor: Model",
        "created": 1753200000,
        "context_length": window,
        "architecture": architecture,
        "pricing": {"prompt": "0.0000002", "completion": "0.0000008"},
        "top_provider": top,
        "per_request_limits": None,
        "supported_parameters": ["tools"],
    }
    return {"/v1/models": listing({**said, "id": "vendor/other", "context_length": 4096}, said)}


def mistral(model: str, window: int) -> Mapping[str, Reply]:
    capabilities = {"completion_chat": True, "function_calling": True, "vision": False}
    said: Json = {
        "id": f"{model}-2512",
        "object": "model",
        "created": 1753200000,
        "owned_by": "mistralai",
        "capabilities": capabilities,
        "max_context_length": window,
        "aliases": [model],
        "type": "base",
    }
    return {"/v1/models": listing({**said, "id": "mistral-embed", "aliases": [], "max_context_length": 8192}, said)}


def groq(model: str, window: int) -> Mapping[str, Reply]:
    said: Json = {
        "id": model,
        "object": "model",
        "created": 1693721698,
        "owned_by": "Meta",
        "active": True,
        "context_window": window,
        "public_apps": None,
        "max_completion_tokens": 32768,
    }
    return {"/v1/models": listing({**said, "id": "whisper-large-v3", "context_window": 448}, said)}


def together(model: str, window: int) -> Mapping[str, Reply]:
    said: Json = {
        "id": model,
        "object": "model",
        "created": 1692896905,
        "type": "chat",
        "display_name": "Model",
        "organization": "Vendor",
        "context_length": window,
        "pricing": {"input": 0.2, "output": 0.2},
    }
    # Not in an object.
    return {"/v1/models": [Error(200, [said, {**said, "id": "vendor/other", "context_length": 2048}])]}


def vllm(model: str, window: int) -> Mapping[str, Reply]:
    said: Json = {
        "id": model,
        "object": "model",
        "created": 1753200000,
        "owned_by": "vllm",
        "root": model,
        "parent": None,
        "max_model_len": window,
        "permission": [{"id": "modelperm-1", "object": "model_permission"}],
    }
    return {"/v1/models": listing(said)}


def llama_cpp(window: int) -> Mapping[str, Reply]:
    meta = {"vocab_type": 2, "n_vocab": 151936, "n_ctx": window, "n_ctx_train": 262144, "n_params": 4022468096}
    said: Json = {"id": "qwen.gguf", "object": "model", "created": 1753200000, "owned_by": "llamacpp", "meta": meta}
    return {"/v1/models": [Error(200, {"models": [{"name": "qwen.gguf"}], "object": "list", "data": [said]})]}


def litellm_proxy(model: str, *windows: int | None) -> Mapping[str, Reply]:
    """Its list says nothing; there may be several deployments behind a name."""
    deployments: list[Json] = [
        {
            "model_name": model,
            "litellm_params": {"model": f"azure/{model}-{at}", "api_base": "https://example.openai.azure.com"},
            "model_info": {"id": f"{at:064}", "db_model": False, "max_input_tokens": window, "mode": "chat"},
        }
        for at, window in enumerate(windows)
    ]
    return {
        "/v1/models": listing({"id": model, "object": "model", "created": 1677610602, "owned_by": "openai"}),
        "/v1/model/info": [Error(200, {"data": deployments})],
    }

"""Whatever answers on this machine: who it is, what it offers, and that nobody waits for it."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from openhands_acp.llm.local_servers import (
    LLAMA_CPP,
    LM_STUDIO,
    OLLAMA,
    VLLM,
    Found,
    Kind,
    located,
    models_at,
    window_of,
)
from tests.harness.model_server import Answer, ModelServer, dribbles, ollama, openai
from tests.harness.waiting import PATIENCE

"""For servers that answer: this machine may be slow."""


@pytest.mark.parametrize(
    ("answers", "kind", "found"),
    [
        (ollama("qwen3:4b", "me/own"), OLLAMA, {"qwen3:4b": None, "me/own": None}),
        # Ollama speaks OpenAI's protocol as well: on another port than its own it is asked that first.
        (ollama("qwen3:4b") | openai("library", "qwen3:4b"), OLLAMA, {"qwen3:4b": None}),
        (
            openai("organization_owner", "a", "embed")
            | {
                "/api/v0/models": {
                    "data": [
                        {"id": "a", "type": "llm", "max_context_length": 9000, "loaded_context_length": 4096},
                        {"id": "b", "type": "vlm", "max_context_length": 9000},
                        {"id": "embed", "type": "embeddings", "max_context_length": 512},
                    ]
                }
            },
            LM_STUDIO,
            {"a": 4096, "b": 9000},
        ),
        (
            openai("llamacpp", "qwen.gguf") | {"/props": {"default_generation_settings": {"n_ctx": 16384}}},
            LLAMA_CPP,
            {"qwen.gguf": 16384},
        ),
        (openai("llamacpp", "qwen.gguf"), LLAMA_CPP, {"qwen.gguf": None}),
        (openai("vllm", "Qwen/Qwen3", max_model_len=32768), VLLM, {"Qwen/Qwen3": 32768}),
        (openai("me", "x"), VLLM, {"x": None}),
    ],
)
def test_a_server_is_known_by_what_it_says(
    answers: dict[str, Answer], kind: Kind, found: dict[str, int | None]
) -> None:
    with ModelServer(answers | _unless_openai(answers, kind)) as server:
        assert models_at(server.url, PATIENCE) == tuple(
            Found(name, kind, server.url, window) for name, window in found.items()
        )


def _unless_openai(answers: Mapping[str, Answer], kind: Kind) -> dict[str, Answer]:
    return openai("library", "any") if kind is OLLAMA and "/v1/models" not in answers else {}


@pytest.mark.parametrize(
    ("answers", "window"),
    [
        (
            {"/api/ps": {"models": [{"name": "q", "context_length": 8192}]}, "/api/show": {"parameters": "num_ctx 5"}},
            8192,
        ),
        ({"/api/show": {"parameters": 'stop "x"\nnum_ctx    20000', "model_info": {"q.context_length": 9}}}, 20000),
        ({"/api/show": {"model_info": {"qwen3.context_length": 262144, "qwen3.embedding_length": 7}}}, 32768),
        ({"/api/show": {"model_info": {"qwen2.context_length": 8000}}}, 8000),
        ({"/api/show": {"model_info": None}}, None),
        ({}, None),
    ],
)
def test_ollama_is_asked_how_much_one_model_reads(answers: dict[str, Answer], window: int | None) -> None:
    with ModelServer(answers) as server:
        assert window_of(Found("q", OLLAMA, server.url), PATIENCE) == window
        assert server.asked[-1] == (("/api/ps", None) if window == 8192 else ("/api/show", {"model": "q"}))


@pytest.mark.parametrize(
    ("answers", "kind", "window"),
    [
        (openai("vllm", "other", "q", max_model_len=32768), VLLM, 32768),
        (openai("llamacpp", "q") | {"/props": {"default_generation_settings": {"n_ctx": 16384}}}, LLAMA_CPP, 16384),
        (openai("vllm", "other", "third", max_model_len=32768), VLLM, None),
    ],
)
def test_a_model_whose_place_is_known_is_asked_for_by_its_name(
    answers: dict[str, Answer], kind: Kind, window: int | None
) -> None:
    with ModelServer(answers) as server:
        found = located(f"{kind.provider}/q@{server.url.removeprefix('http://')}", (f"{server.url}/v1",))
        assert found is not None
        assert window_of(found, PATIENCE) == window


def _says_nothing(handler: BaseHTTPRequestHandler) -> None:
    handler.rfile.read(1)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param('{"data": 5}', id="a number for a list"),
        pytest.param('{"data": [5, {"id": 5}, null]}', id="entries that are none"),
        pytest.param("<html>", id="a page"),
        pytest.param("\x00\xff", id="no text"),
        pytest.param('"' + "x" * 5_000_000 + '"', id="too much"),
        pytest.param(dribbles, id="never at an end"),
        pytest.param(_says_nothing, id="silent"),
    ],
)
def test_whoever_else_answers_offers_nothing_and_is_not_waited_for(answer: Answer) -> None:
    with ModelServer({"/v1/models": answer}) as server:
        assert models_at(server.url, 0.2) == ()
        # A stranger is asked one thing only.
        assert server.asked == [("/v1/models", None)]


def test_nobody_there_costs_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert models_at(address) == ()


ADDRESSES = ("http://127.0.0.1:11434", "http://localhost:8080/v1", "http://box.lan:9000")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("ollama_chat/qwen3:4b", Found("qwen3:4b", OLLAMA, "http://127.0.0.1:11434")),
        ("llamafile/a/b.gguf", Found("a/b.gguf", LLAMA_CPP, "http://localhost:8080/v1")),
        ("hosted_vllm/x@box.lan:9000", Found("x", VLLM, "http://box.lan:9000")),
        ("hosted_vllm/x", None),
        ("hosted_vllm/x@elsewhere:1", None),
        ("openai/gpt-5.5", None),
        ("gpt-5.5", None),
    ],
)
def test_a_choice_says_where_its_model_is(value: str, found: Found | None) -> None:
    assert located(value, ADDRESSES) == found
    assert found is None or found.value == value


def test_the_address_of_a_model_is_that_of_its_api() -> None:
    urls: list[Any] = [Found("x", kind, "http://127.0.0.1:1/v1").base_url for kind in (OLLAMA, VLLM)]
    assert urls == ["http://127.0.0.1:1", "http://127.0.0.1:1/v1"]

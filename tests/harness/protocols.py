"""What the fake provider can speak: by the path that is asked, who streams, who validates, who refuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol as Shape
from typing import assert_never

from tests.harness.history import check_history
from tests.harness.history_anthropic import check_messages
from tests.harness.history_gemini import check_contents
from tests.harness.history_ollama import check_ollama
from tests.harness.history_responses import check_responses
from tests.harness.refusals import Protocol
from tests.harness.replies import Json, Said, Usage
from tests.harness.rules import Memory
from tests.harness.speaks_anthropic import AnthropicSpeech
from tests.harness.speaks_chat import ChatSpeech
from tests.harness.speaks_gemini import GeminiSpeech
from tests.harness.speaks_ollama import OllamaSpeech
from tests.harness.speaks_responses import ResponsesSpeech

_GEMINI = re.compile(r"/v1beta/models/([^/:]+):streamGenerateContent\?alt=sse")
_AZURE = re.compile(r"/openai/deployments/([^/]+)/chat/completions\?api-version=\d{4}-\d\d-\d\d(?:-preview)?")
_PATHS: Mapping[str, Protocol] = {
    "/api/chat": "ollama",
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "anthropic",
}


class Speech(Shape):
    """One streamed answer: each step as events, and what ends it."""

    def say(self, step: Said) -> Iterator[bytes]: ...

    def end(self) -> Iterator[bytes]: ...


def protocol_of(path: str) -> Protocol | None:
    if _AZURE.fullmatch(path):
        return "azure"
    return "gemini" if _GEMINI.fullmatch(path) else _PATHS.get(path)


def base_url(model: str, root: str) -> str:
    """Where LiteLLM is to ask for `model`, as a person would write it for this provider."""
    match model.partition("/")[0]:
        case "anthropic" | "ollama_chat" | "azure":
            return root
        case "gemini":
            return f"{root}/v1beta"
        case _:
            return f"{root}/v1"


def model_of(path: str, body: Json) -> str:
    """Gemini is told the model in the path."""
    found = _GEMINI.fullmatch(path)
    return found[1] if found else str(body.get("model"))


def speech(
    protocol: Protocol, model: str, fresh_id: Callable[[str], str], usage: Usage | None, memory: Memory
) -> Speech:
    match protocol:
        case "chat" | "azure":
            return ChatSpeech(model, fresh_id, usage)
        case "responses":
            return ResponsesSpeech(model, fresh_id, usage, memory)
        case "anthropic":
            return AnthropicSpeech(model, fresh_id, usage, memory)
        case "gemini":
            return GeminiSpeech(model, usage, memory)
        case "ollama":
            return OllamaSpeech(model, usage)
        case _:
            assert_never(protocol)


def faults(protocol: Protocol, model: str, body: Json, headers: Mapping[str, str], memory: Memory) -> list[str]:
    """List every way in which the provider would refuse the request; empty if it is valid."""
    found = [] if protocol == "gemini" or body.get("stream") is True else ["stream: not asked for"]
    match protocol:
        case "chat" | "azure":
            return found + check_history(body)
        case "responses":
            return found + check_responses(body, memory)
        case "anthropic":
            missing = [] if "anthropic-version" in headers else ["anthropic-version: header is required"]
            return found + missing + check_messages(body, memory)
        case "gemini":
            return found + check_contents(body, model, memory)
        case "ollama":
            return found + check_ollama(body)
        case _:
            assert_never(protocol)


def key_in(protocol: Protocol, headers: Mapping[str, str]) -> str:
    """The key that was sent, where each provider looks for it."""
    match protocol:
        case "chat" | "responses" | "ollama":
            return headers.get("authorization", "").removeprefix("Bearer ")
        case "azure":
            return headers.get("api-key", "")
        case "anthropic":
            return headers.get("x-api-key", "")
        case "gemini":
            return headers.get("x-goog-api-key", "")
        case _:
            assert_never(protocol)

"""Does beforehand what LiteLLM puts off until its first request to a provider: imports that block for up to a second.

Asks models that answer from memory. Knows what answers look like, and nothing of whoever is asked afterwards.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import anyio

from openhands_acp.engine.messages import Text, UserMessage
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM, provider_of
from openhands_acp.llm.web import always_answering

_OPENAI: Final = "openai/none"
_PART: Final = {"content": {"role": "model", "parts": [{"text": "."}]}, "finishReason": "STOP", "index": 0}
_ANSWERS: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "anthropic": (
        {"type": "message_start", "message": {"id": "", "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ),
    "gemini": ({"candidates": [_PART], "usageMetadata": {"promptTokenCount": 1, "totalTokenCount": 1}},),
}
_OLLAMA: Final = {"model": "", "message": {"role": "assistant", "content": "."}, "done": True}
_CHOICE: Final = {"index": 0, "delta": {"content": "."}, "finish_reason": "stop"}
_LIKE_OPENAI: Final = ({"object": "chat.completion.chunk", "choices": [_CHOICE]},)


def prewarm(model: str | None = None) -> None:
    """Ask this model, or one of OpenAI's: without a network, and in an event loop of the calling thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LiteLLM's own types warn as they are made, here for the first time
        anyio.run(_ask, model or _OPENAI)


async def _ask(name: str) -> None:
    events = _ANSWERS.get(provider_of(name), _LIKE_OPENAI)
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    if provider_of(name) == "ollama_chat":
        body = json.dumps(_OLLAMA) + "\n"
    model = LiteLLM(ModelSettings(name, api_key="none", base_url="http://127.0.0.1/"), always_answering(body))
    if not model.is_asked_by_us:
        # No client that LiteLLM makes itself can be answered from memory. Most of what they need, OpenAI's needs, too.
        await _ask(_OPENAI)
        return
    # What is wrong with the model is told when somebody wants an answer of it.
    with suppress(TurnError):
        async for _chunk in model.stream([UserMessage((Text("."),))], (ToolSpec("none", "", {"type": "object"}),)):
            pass
    await model.close()

"""Images in results of calls, as LiteLLM hands them on to a provider that takes them there, and to one that does not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from openhands_acp.engine.messages import AssistantMessage, CallMade, Image, Message, Text, ToolMessage, UserMessage
from openhands_acp.llm.assemble import to_chat
from openhands_acp.llm.dialect import Dialect

# Loosely typed, as what it gives is.
ANTHROPIC: Any = import_module("litellm.llms.anthropic.chat.transformation").AnthropicConfig()
OPENAI: Any = import_module("litellm.llms.openai.chat.gpt_transformation").OpenAIGPTConfig()
CALLS = (CallMade("a", "file_editor", "{}"), CallMade("b", "terminal", "{}"))
HISTORY: list[Message] = [
    UserMessage((Text("look"),)),
    AssistantMessage("", CALLS),
    ToolMessage("a", "file_editor", "an image", (Image("image/png", "iVBORw0KGgo="),)),
    ToolMessage("b", "terminal", "ok"),
]
SEEN = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}


def result(call_id: str, content: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


@pytest.mark.parametrize(
    ("image_results", "content"),
    [
        (True, [result("a", [{"type": "text", "text": "an image"}, SEEN]), result("b", "ok")]),
        (
            False,
            [
                result("a", "an image"),
                result("b", "ok"),
                {"type": "text", "text": "What file_editor gave to look at (call a):"},
                SEEN,
            ],
        ),
    ],
)
def test_claude_is_given_images_in_one_valid_message_either_way(
    image_results: bool, content: list[dict[str, Any]]
) -> None:
    chat, _ = to_chat(HISTORY, (), Dialect(image_results=image_results))
    request: dict[str, Any] = ANTHROPIC.transform_request("claude-sonnet-4-5", chat, {"max_tokens": 9}, {}, {})
    assert [message["role"] for message in request["messages"]] == ["user", "assistant", "user"]
    assert request["messages"][2]["content"] == content


def test_openai_is_given_text_in_results_and_the_image_behind_them() -> None:
    chat, _ = to_chat(HISTORY, ())
    request: dict[str, Any] = OPENAI.transform_request("gpt-5", list(chat), {}, {}, {})
    assert [(message["role"], type(message["content"])) for message in request["messages"][2:]] == [
        ("tool", str),
        ("tool", str),
        ("user", list),
    ]
    assert request["messages"] == chat

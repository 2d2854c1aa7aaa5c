"""What servers answer, in our words: pure functions, by tables."""

from __future__ import annotations

from typing import Any

import mcp_types
import pytest

from openhands_acp.engine.cards import ShownText
from openhands_acp.engine.messages import AssistantMessage, Image, Part, Text, UserMessage
from openhands_acp.engine.servers.door import RemoteResult
from openhands_acp.mcp.connection import in_progress
from openhands_acp.mcp.results import LONGEST, from_call, from_prompt, from_resource, from_samples


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


PICTURE = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
LARGE = {"type": "image", "data": "A" * 8_000_000, "mimeType": "image/png"}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"content": []}, RemoteResult("(nothing)")),
        ({"content": [text("one"), text("two")]}, RemoteResult("one\ntwo")),
        ({"content": [PICTURE]}, RemoteResult("(image/png)", images=(Image("image/png", "AAAA"),))),
        ({"content": [LARGE]}, RemoteResult("(an image, image/png, 6,000 kB: it cannot be shown here)")),
        ({"content": [], "structuredContent": {"a": 1}}, RemoteResult('{\n  "a": 1\n}', raw_output={"a": 1})),
        # The same again, as text for those who read no structure.
        ({"content": [text('{"a": 1}')], "structuredContent": {"a": 1}}, RemoteResult('{"a": 1}', raw_output={"a": 1})),
        ({"content": [text("1")], "structuredContent": {"result": 1}}, RemoteResult("1", raw_output={"result": 1})),
        (
            {"content": [text("found it")], "structuredContent": {"at": 3}},
            RemoteResult('found it\n{\n  "at": 3\n}', raw_output={"at": 3}),
        ),
        (
            {"content": [text("hello"), text("psst", annotations={"audience": ["user"]})]},
            RemoteResult("hello", (ShownText("hello\npsst"),)),
        ),
        (
            {"content": [PICTURE | {"annotations": {"audience": ["user"]}}, text("there")]},
            RemoteResult("there", images=(Image("image/png", "AAAA"),)),
        ),
        ({"content": [text("no")], "isError": True}, RemoteResult("no", is_error=True)),
        (
            {"content": [text("x" * (LONGEST + 5))]},
            RemoteResult("x" * LONGEST + "\n[… 5 characters left out …]"),
        ),
        # What goes to the editor in one message is bounded.
        (
            {"content": [text("y" * 100_005, annotations={"audience": ["user"]})]},
            RemoteResult("(nothing)", (ShownText("y" * 100_000 + "\n[… 5 characters left out …]"),)),
        ),
        (
            {"content": [text("much")], "structuredContent": {"result": "z" * 100_000}},
            RemoteResult('much\n{\n  "result": "' + "z" * 100_000 + '"\n}'),
        ),
        (
            {"content": [{"type": "audio", "mimeType": "audio/wav", "data": "A" * 16_000_000}]},
            RemoteResult("(a sound, audio/wav, 12,000 kB)"),
        ),
    ],
    ids=range(15),
)
def test_a_call_comes_to(answer: dict[str, Any], result: RemoteResult) -> None:
    assert from_call(mcp_types.CallToolResult.model_validate(answer)) == result


@pytest.mark.parametrize(
    ("contents", "result"),
    [
        ([{"uri": "a:b", "text": "words"}], RemoteResult("words")),
        ([{"uri": "a:b", "text": "x"}, {"uri": "a:c", "text": "y"}], RemoteResult("a:b:\nx\na:c:\ny")),
        (
            [{"uri": "a:b", "blob": "AAAA", "mimeType": "image/png"}],
            RemoteResult("(image/png)", images=(Image("image/png", "AAAA"),)),
        ),
        (
            [{"uri": "a:b", "blob": "AAAA"}],
            RemoteResult("(a:b, of no kind that is told, 3 bytes: it cannot be shown here)"),
        ),
    ],
    ids=range(4),
)
def test_a_resource_reads(contents: list[dict[str, Any]], result: RemoteResult) -> None:
    read = {"contents": contents, "ttlMs": 0, "cacheScope": "private"}
    assert from_resource(mcp_types.ReadResourceResult.model_validate(read)) == result


@pytest.mark.parametrize(
    ("messages", "parts"),
    [
        ([("user", text("do it"))], (Text("do it"),)),
        (
            [("user", text("do it")), ("assistant", text("done")), ("user", PICTURE)],
            (Text("User: do it"), Text("Assistant: done"), Image("image/png", "AAAA")),
        ),
    ],
    ids=range(2),
)
def test_a_prompt_says(messages: list[tuple[str, dict[str, Any]]], parts: tuple[Part, ...]) -> None:
    said = {"messages": [{"role": role, "content": content} for role, content in messages]}
    assert from_prompt(mcp_types.GetPromptResult.model_validate(said)) == parts


def test_what_a_server_would_have_answered_is_a_conversation() -> None:
    call = {"type": "tool_use", "id": "1", "name": "look", "input": {"at": "it"}}
    result = {"type": "tool_result", "toolUseId": "1", "content": [text("a cat"), PICTURE]}
    messages = [
        {"role": "user", "content": text("what is it?")},
        {"role": "assistant", "content": [text("I look"), call]},
        {"role": "user", "content": [result]},
    ]
    taken = from_samples([mcp_types.SamplingMessage.model_validate(message) for message in messages])
    assert taken == (
        UserMessage((Text("what is it?"),)),
        AssistantMessage('I look\n(called look with {"at": "it"})'),
        UserMessage((Text("a cat"), Image("image/png", "AAAA"))),
    )


@pytest.mark.parametrize(
    ("progress", "total", "message", "words"),
    [
        (1, 4, "reading", "reading (1 of 4)"),
        (0.5, None, "reading", "reading"),
        (2, 4, None, "2 of 4"),
        (7, None, None, "7"),
        (7, 0, None, "7"),
    ],
)
def test_progress_in_words(progress: float, total: float | None, message: str | None, words: str) -> None:
    assert in_progress(progress, total, message) == words

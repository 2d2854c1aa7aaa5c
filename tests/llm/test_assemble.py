"""Any history becomes one that the strictest provider takes, and a good one is left as it is."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
)
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.llm.assemble import cache_key, to_chat
from openhands_acp.llm.dialect import Dialect
from openhands_acp.llm.reasoning import CLAUDE
from openhands_acp.llm.repair import INTERRUPTED, PLAIN_IDS, Repairs, fresh_id, repaired
from tests.harness.history import check_history
from tests.llm.growing import CHANGES, Change, grown

HELLO = UserMessage((Text("hello"),))
ASKED = {"role": "user", "content": "hello"}
GO_ON = {"role": "user", "content": "Continue."}
NO_ID = "call_6b86b273ff34fce1"
"""In the place of none."""
PIXEL = Image("image/png", "iVBO")
SEEN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}


def call(ident: str, name: str = "terminal", arguments: str = "{}") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def said(*calls: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}


def result(ident: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": ident, "content": text}


def makes(*calls: CallMade, text: str = "") -> AssistantMessage:
    return AssistantMessage(text, calls)


A = CallMade("a", "terminal", "{}")
B = CallMade("b", "terminal", "{}")


@pytest.mark.parametrize(
    ("messages", "chat"),
    [
        pytest.param([], [{"role": "user", "content": "Continue."}], id="nothing"),
        pytest.param(
            [SystemMessage("static", "dynamic"), HELLO],
            [{"role": "system", "content": "static\n\ndynamic"}, ASKED],
            id="a system prompt",
        ),
        pytest.param([SystemMessage("", ""), HELLO], [ASKED], id="an empty system prompt"),
        pytest.param(
            [HELLO, UserMessage((Text("and"), Text(" "), Text("more")))],
            [{"role": "user", "content": "hello\n\nand\n\nmore"}],
            id="the person speaks twice",
        ),
        pytest.param(
            [UserMessage((Text("see"), PIXEL))],
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "see"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
                    ],
                }
            ],
            id="an image",
        ),
        pytest.param(
            [HELLO, makes(A, B, text="two"), ToolMessage("b", "t", "second"), ToolMessage("a", "t", "first")],
            [ASKED, said(call("a"), call("b"), text="two"), result("a", "first"), result("b", "second")],
            id="results come in the order of the calls",
        ),
        pytest.param(
            [HELLO, makes(A), HELLO],
            [ASKED, said(call("a")), result("a", INTERRUPTED), ASKED],
            id="a call without result",
        ),
        pytest.param(
            [HELLO, makes(A), HELLO, ToolMessage("a", "t", "late")],
            [ASKED, said(call("a")), result("a", "late"), ASKED],
            id="a result after the person spoke",
        ),
        pytest.param(
            [HELLO, ToolMessage("a", "t", "stray"), makes(A), ToolMessage("a", "t", "1"), ToolMessage("a", "t", "2")],
            [ASKED, said(call("a")), result("a", "1")],
            id="stray and doubled results",
        ),
        pytest.param(
            [HELLO, makes(A), ToolMessage("a", "t", "1"), makes(A), ToolMessage("a", "t", "2")],
            [ASKED, said(call("a")), result("a", "1"), said(call("a_2")), result("a_2", "2")],
            id="an id used again in a later response",
        ),
        pytest.param(
            [HELLO, makes(A, A), ToolMessage("a", "t", "1"), ToolMessage("a", "t", "2")],
            [ASKED, said(call("a"), call("a_2")), result("a", "1"), result("a_2", "2")],
            id="an id used twice in one response",
        ),
        pytest.param(
            [HELLO, makes(CallMade("", "no such.tool", '{"cut'))],
            [ASKED, said(call(NO_ID, "no_such_tool")), result(NO_ID, INTERRUPTED)],
            id="no id, a bad name, cut arguments",
        ),
        pytest.param(
            [HELLO, makes(CallMade("a", "", "[1]"), CallMade("b", "t", '{"x": NaN}'))],
            [
                ASKED,
                said(call("a", "unknown"), call("b", "t")),
                result("a", INTERRUPTED),
                result("b", INTERRUPTED),
            ],
            id="arguments that are no object, or no JSON",
        ),
        pytest.param(
            [HELLO, makes(A, B), ToolMessage("a", "t", "1", (PIXEL,)), ToolMessage("b", "t", "2", (PIXEL, PIXEL))],
            [
                ASKED,
                said(call("a"), call("b")),
                result("a", "1"),
                result("b", "2"),
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What terminal gave to look at (call a):"},
                        SEEN,
                        {"type": "text", "text": "What terminal gave to look at (call b):"},
                        SEEN,
                        SEEN,
                    ],
                },
            ],
            id="images that calls resulted in",
        ),
        pytest.param(
            [HELLO, makes(A), ToolMessage("a", "t", "1", (PIXEL,)), HELLO, makes(A), HELLO],
            [
                ASKED,
                said(call("a")),
                result("a", "1"),
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What terminal gave to look at (call a):"},
                        SEEN,
                        {"type": "text", "text": "hello"},
                    ],
                },
                said(call("a_2")),
                result("a_2", INTERRUPTED),
                ASKED,
            ],
            id="an image, and then the person speaks",
        ),
        pytest.param(
            [HELLO, makes(A), ToolMessage("a", "t", "1", (PIXEL,)), makes(text="I see")],
            [
                ASKED,
                said(call("a")),
                result("a", "1"),
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "What terminal gave to look at (call a):"}, SEEN],
                },
                said(text="I see"),
                GO_ON,
            ],
            id="an image, and then the model speaks",
        ),
        pytest.param([HELLO, makes(text=" \n"), HELLO], [{"role": "user", "content": "hello\n\nhello"}], id="silence"),
        pytest.param(
            [makes(text="first")],
            [GO_ON, said(text="first"), GO_ON],
            id="the model speaks first, and last",
        ),
        pytest.param(
            [HELLO, makes(text="one"), makes(text="two"), HELLO],
            [ASKED, said(text="one"), GO_ON, said(text="two"), ASKED],
            id="the model speaks twice",
        ),
        pytest.param(
            [HELLO, makes(A), ToolMessage("a", "t", " ")],
            [ASKED, said(call("a")), result("a", "(no output)")],
            id="a result with nothing in it",
        ),
        pytest.param(
            [HELLO, SystemMessage("one", ""), SystemMessage("two", "late")],
            [{"role": "system", "content": "one\n\ntwo\n\nlate"}, ASKED],
            id="two system prompts, where none is expected",
        ),
        pytest.param(
            [UserMessage((Text("a\udc80b \N{PARTY POPPER}"),))],
            [{"role": "user", "content": "a?b \N{PARTY POPPER}"}],
            id="what UTF-8 cannot carry",
        ),
    ],
)
def test_a_history_becomes_valid(messages: list[Message], chat: list[dict[str, Any]]) -> None:
    assert to_chat(messages, ()) == (chat, [])
    assert check_history({"messages": chat}) == []


@pytest.mark.parametrize(
    ("text", "content"),
    [("1", [{"type": "text", "text": "1"}, SEEN]), (" ", [SEEN])],
)
def test_an_image_stays_in_its_result_where_the_provider_takes_it(text: str, content: list[Any]) -> None:
    history: list[Message] = [HELLO, makes(A, B), ToolMessage("a", "t", text, (PIXEL,)), ToolMessage("b", "t", "2")]
    chat, _ = to_chat(history, (), Dialect(image_results=True))
    assert chat == [
        ASKED,
        said(call("a"), call("b")),
        {"role": "tool", "tool_call_id": "a", "content": content},
        result("b", "2"),
    ]


def test_tools_are_spelled_as_functions() -> None:
    spec = ToolSpec("terminal", "Run a command.", {"type": "object"})
    function = {"name": "terminal", "description": "Run a command.", "parameters": {"type": "object"}}
    assert to_chat([HELLO], (spec,))[1] == [{"type": "function", "function": function}]


TEXTS = st.text(max_size=6) | st.sampled_from(["", " ", "\ud800", "done"])
IDS = st.sampled_from(["", "a", "b", "call_0", "call_1", "a_"])
ARGUMENTS = st.sampled_from(["{}", '{"x": 1}', '{"x"', "", "null", "[]", '{"x": NaN}', "[" * 100_000]) | TEXTS
CALLS = st.builds(CallMade, IDS, TEXTS | st.just("terminal"), ARGUMENTS)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(SystemMessage, TEXTS, TEXTS),
    st.builds(UserMessage, st.lists(st.builds(Text, TEXTS) | st.just(PIXEL), max_size=3).map(tuple)),
    st.builds(AssistantMessage, TEXTS, st.lists(CALLS, max_size=3).map(tuple), TEXTS),
    st.builds(ToolMessage, IDS, TEXTS, TEXTS, st.sampled_from([(), (PIXEL,), (PIXEL, PIXEL)])),
)


DIALECTS = [
    Dialect(),
    Dialect(cache_marks="parts", owner=CLAUDE, image_results=True),
    Dialect(ids=re.compile(r"[a-z0-9]{9}")),
]


@given(st.lists(MESSAGES, max_size=12), st.sampled_from(DIALECTS))
def test_whatever_happened_the_provider_is_sent_a_valid_history(messages: list[Message], dialect: Dialect) -> None:
    chat, _ = to_chat(messages, (), replace(dialect, image_results=False))
    assert check_history({"model": "claude", "messages": chat}) == []


@given(st.lists(MESSAGES, max_size=12), st.sampled_from(DIALECTS))
def test_what_is_valid_is_left_as_it_is(messages: list[Message], dialect: Dialect) -> None:
    once = repaired(messages, ids=dialect.ids, image_results=dialect.image_results)
    assert repaired(once, ids=dialect.ids, image_results=dialect.image_results) == once
    assert [m for m in once if isinstance(m, UserMessage)][-1:] == once[-1:] or isinstance(once[-1], ToolMessage)


@settings(max_examples=100)
@given(st.lists(CHANGES, max_size=12), st.lists(st.sampled_from(DIALECTS), min_size=1, max_size=3))
def test_what_was_repaired_before_is_told_as_if_it_had_not_been(changes: list[Change], dialects: list[Dialect]) -> None:
    repairs = Repairs()
    for at, messages in enumerate(grown(changes)):
        dialect = dialects[at // 4 % len(dialects)]
        remembered = repairs.of(messages, ids=dialect.ids, image_results=dialect.image_results)
        assert remembered == repaired(messages, ids=dialect.ids, image_results=dialect.image_results)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([HELLO, makes(A), makes(B)], [ToolMessage("a", "t", "late")], id="a late result"),
        pytest.param([HELLO, makes(A), HELLO], [HELLO], id="the person goes on, and not the model"),
    ],
)
def test_what_changes_what_was_over_is_not_missed(before: list[Message], after: list[Message]) -> None:
    repairs = Repairs()
    repairs.of([*before, makes(B)])
    for history in ([*before, *after], [*before, makes(B), *after]):
        assert repairs.of(history) == repaired(history)


def test_what_is_over_is_repaired_once() -> None:
    repairs = Repairs()
    steps = [[makes(CallMade(f"c{at}", "t", "{}")), ToolMessage(f"c{at}", "t", "ran", (PIXEL,))] for at in range(9)]
    history: list[Message] = [SystemMessage("static", "dynamic"), HELLO]
    told: list[list[Message]] = []
    for step in steps:
        history = [*history, *step]
        told.append(repairs.of(history))
    for earlier, later in pairwise(told):
        # But for the last step: the answer, its result, and the image of it.
        assert [one is other for one, other in zip(earlier[:-3], later, strict=False)] == [True] * (len(earlier) - 3)


@pytest.mark.parametrize(
    "ident", ["a.b", "a:b", "x" * 41, "", "\ud800", "functions.terminal:0", "call_1__thought__sig"]
)
@pytest.mark.parametrize("ids", [PLAIN_IDS, re.compile(r"[a-zA-Z0-9]{9}")])
def test_an_id_that_is_not_allowed_has_one_in_its_place_always_the_same(ident: str, ids: re.Pattern[str]) -> None:
    taken: set[str] = set()
    first, second = fresh_id(ident, ids, taken), fresh_id(ident, ids, taken)
    assert ids.fullmatch(first)
    assert ids.fullmatch(second)
    assert first != second
    assert fresh_id(ident, ids, set()) == first


def test_the_key_of_a_conversation_is_the_same_as_it_goes_on_and_another_for_another() -> None:
    began: list[Message] = [SystemMessage("static", "dynamic"), HELLO]
    later = [*began, makes(text="Yes."), UserMessage((Text("more"),))]
    other = [SystemMessage("static", "dynamic"), UserMessage((Text("bye"),))]
    assert cache_key(began) == cache_key(later)
    assert cache_key(other) != cache_key(began)


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ([], "messages: not a list with something in it"),
        ([{"role": "robot", "content": "x"}], "messages[0]: unknown role 'robot'"),
        ([said(text="x")], "messages: the first that is not the system's is not the user's"),
        ([ASKED, said(call("a"))], "messages: the calls ['a'] at the end have no result"),
        ([ASKED, said(call("a")), ASKED], "messages[2]: the calls ['a'] before it have no result"),
        ([ASKED, said(call("a"), call("a"))], "messages[1]: one id on two calls"),
        ([ASKED, said()], "messages[1]: neither content nor tool_calls"),
        ([ASKED, said(call("a", arguments="{")), result("a", "")], "messages[1]: arguments of 'a' are not JSON: '{'"),
        ([ASKED, said(call("a", arguments="1")), result("a", "")], "messages[1]: arguments of 'a' are not an object"),
        ([{"role": "user", "content": ""}], "messages[0]: no content, or an empty text in it"),
        ([ASKED, result("a", "x")], "messages[1]: a result for 'a', which was not called or was answered before"),
    ],
)
def test_the_strict_provider_is_strict(messages: list[dict[str, Any]], fault: str) -> None:
    assert fault in check_history({"messages": messages})


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        ({"name": "a b", "description": "", "parameters": {"type": "object"}}, "the name 'a b' is not allowed"),
        ({"name": "a", "parameters": {"type": "object"}}, "no description"),
        ({"name": "a", "description": "", "parameters": {}}, "parameters are not the schema of an object"),
    ],
)
def test_the_strict_provider_reads_the_tools(function: dict[str, Any], fault: str) -> None:
    faults = check_history({"messages": [ASKED], "tools": [{"type": "function", "function": function}]})
    assert [each for each in faults if fault in each] != []

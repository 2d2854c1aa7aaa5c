"""Tools for a model without any: what it is told, what it reads of earlier calls, and calls in OpenHands' spelling."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

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
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec
from openhands_acp.llm.function_tags import FunctionTags, spelled
from openhands_acp.llm.prompted import described, prompted, rewritten
from tests.llm.offered import EDITOR, TERMINAL, Told, told

pytestmark = pytest.mark.anyio

LS = ["terminal", {"command": "ls"}]
CALL = "<function=terminal>\n<parameter=command>\nls\n</parameter>\n</function>"


def read(text: str, size: int = 1, *, is_cut: bool = False) -> Told:
    tags = FunctionTags((TERMINAL, EDITOR))
    chunks: list[Chunk] = []
    for at in range(0, len(text), size):
        chunks += tags.feed(text[at : at + size])
        if tags.is_over:
            return told(chunks)
    return told([*chunks, *tags.finish(is_cut=is_cut)])


# What Qwen2.5-Coder-1.5B and others wrote where they were shown this spelling.
@pytest.mark.parametrize(
    ("text", "shown", "calls"),
    [
        pytest.param(CALL, "", [LS], id="as it is to be"),
        pytest.param(f"I'll look.\n\n{CALL}", "I'll look.", [LS], id="behind prose"),
        pytest.param(f"{CALL}\nEXECUTION RESULT of [terminal]:\na.txt", "", [LS], id="goes on with a result"),
        pytest.param(CALL.removesuffix("</function>"), "", [LS], id="stopped at the stop word"),
        pytest.param(CALL.removesuffix("</parameter>\n</function>"), "", [LS], id="no end tags"),
        pytest.param(f"```xml\n{CALL}\n```", "", [LS], id="in a fence"),
        pytest.param(f"<tool_call>\n{CALL}\n</tool_call>", "", [LS], id="in tags"),
        pytest.param(f"{CALL}\n\n{CALL.replace('ls', 'pwd')}", "", [LS, ["terminal", {"command": "pwd"}]], id="two"),
        pytest.param(
            "<function=terminal>\n<parameter=command>\nls\n<parameter=timeout>\n30\n</function>",
            "",
            [["terminal", {"command": "ls", "timeout": 30}]],
            id="an end tag left out",
        ),
        pytest.param("<function=terminal>\n<parameter=ls -la</parameter>\n</function>", "",
                     [["terminal", {"command": "ls -la"}]], id="the value for a key"),
        pytest.param(
            "<function=file_editor>\n<parameter=command>view</parameter>\n<parameter=path=/p/a.txt</parameter>\n",
            "",
            [["file_editor", {"command": "view", "path": "/p/a.txt"}]],
            id="key and value in one tag",
        ),
        pytest.param(
            "<function=file_editor>\n<parameter=view>\n/p/a.txt\n</parameter>\n</function>",
            "",
            [["file_editor", {"command": "view", "path": "/p/a.txt"}]],
            id="a choice for a key",
        ),
        pytest.param(
            "<function=file_editor>\n<command>create</command>\n<path=/p/a.py>\n<file_text>\nx = '<b>'\n</file_text>\n",
            "",
            [["file_editor", {"command": "create", "path": "/p/a.py", "file_text": "x = '<b>'"}]],
            id="keys as tags",
        ),
        pytest.param('<function=terminal>{"command": "ls"}</function>', "", [LS], id="JSON"),
        pytest.param(
            "<function=file_editor>\n<parameter=command>\nview\n</parameter>\n<parameter=path>\na\n</parameter>\n"
            "<parameter=view_range>\n[1, 2]\n</parameter>\n</function>",
            "",
            [["file_editor", {"command": "view", "path": "a", "view_range": [1, 2]}]],
            id="a list",
        ),
        pytest.param("<function=nonsense>\n<parameter=x>\n1\n</parameter>", "", [["nonsense", {"x": "1"}]],
                     id="an unknown tool, which the model is told"),
        pytest.param("1 < 2, `<function=terminal>` and <b>it</b>.\n`", "1 < 2, `<function=terminal>` and <b>it</b>.\n`",
                     [], id="prose"),
    ],
)  # fmt: skip
def test_calls_are_read_however_they_are_cut(text: str, shown: str, calls: list[object]) -> None:
    assert [read(text, size) for size in (1, 2, 3, 7, len(text))] == [Told(shown, calls)] * 5


def test_a_call_that_was_cut_short_is_left_open() -> None:
    assert read(CALL[:50], is_cut=True).calls == [["terminal", '{"command": "ls']]


def test_a_value_streams_as_it_is_written() -> None:
    tags = FunctionTags((EDITOR,))
    tags.feed("<function=file_editor>\n<parameter=file_text>\n")
    assert [tags.feed(piece) for piece in ("one\n", 'two "', "3\n</par")] == [
        [CallChunk(0, arguments="one")],
        [CallChunk(0, arguments='\\ntwo \\"')],
        [CallChunk(0, arguments="3")],
    ]


WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@given(WORDS.filter(lambda text: "</" not in text and "<parameter" not in text), st.integers(1, 50))
def test_what_is_written_is_read_again(value: str, size: int) -> None:
    text = spelled("file_editor", {"command": "create", "file_text": value, "view_range": [1, 2]})
    assert read(text, size).calls == [["file_editor", {"command": "create", "file_text": value, "view_range": [1, 2]}]]


TAGS = st.sampled_from(
    [
        CALL,
        "<function=",
        "terminal>",
        "<parameter=",
        "command>",
        "\n",
        "</parameter>",
        "</function",
        ">",
        "`",
        "x y",
        "{",
    ]
)


@example(f"<function=terminal>{{{CALL}{CALL}", 3)
@given(st.lists(TAGS, max_size=12).map("".join), st.integers(1, 20))
def test_cuts_do_not_matter_and_nothing_raises(text: str, size: int) -> None:
    assert read(text, size) == read(text, 1)


# ---------------------------------------------------------------- what the model is told


def test_what_a_model_is_told_of_the_tools() -> None:
    assert described((TERMINAL, EDITOR)) == snapshot("""\
# Tools
You act by calling functions. These are there:

terminal: Run a command.
- command (string)
- timeout (number)
- background (boolean)

file_editor: View or create a file.
- command (string, required): one of view, create.
- path (string, required): From the project's folder.
- file_text (string)
- view_range (array): JSON array of {"type": "integer"}

Write a call like this: the function's name, then each parameter's name and its value as it is, without quotes or escapes, over several lines if it has them.

<function=terminal>
<parameter=command>
cat a.txt
</parameter>
</function>

<function=file_editor>
<parameter=command>
create
</parameter>
<parameter=path>
a.txt
</parameter>
<parameter=file_text>
first line
second line
</parameter>
</function>

Stop after a call: the next message brings its result. Never write a result yourself. What is not a call is shown to the person.\
""")


def test_a_tool_that_nobody_knows_is_its_own_example() -> None:
    search = ToolSpec("search", "Search.", {"type": "object", "properties": {"query": {"type": "string"}}})
    assert described((search,)).count(spelled("search", {"query": "the query"})) == 1


def test_earlier_calls_and_results_are_words() -> None:
    image = Image("image/png", "aGk=")
    calls = (CallMade("a", "terminal", json.dumps({"command": "ls"})), CallMade("b", "file_editor", '{"path": "x"}'))
    history: list[Message] = [
        SystemMessage("static", "dynamic"),
        UserMessage((Text("look"),)),
        AssistantMessage("I look.", calls),
        ToolMessage("a", "terminal", "x.png"),
        ToolMessage("b", "file_editor", "an image", (image,)),
        AssistantMessage("", (CallMade("c", "terminal", "{}"),)),
    ]
    assert rewritten(history, (TERMINAL,)) == [
        SystemMessage(f"static\n\n{described((TERMINAL,))}", "dynamic"),
        UserMessage((Text("look"),)),
        AssistantMessage(
            f"I look.\n\n{CALL}\n\n<function=file_editor>\n<parameter=path>\nx\n</parameter>\n</function>"
        ),
        UserMessage((Text("EXECUTION RESULT of [terminal]:\nx.png"),)),
        UserMessage((Text("EXECUTION RESULT of [file_editor]:\nan image"), image)),
        AssistantMessage("<function=terminal>\n</function>"),
        UserMessage((Text("EXECUTION RESULT of [terminal]:\ninterrupted, outcome unknown"),)),
    ]


# ---------------------------------------------------------------- round a model


@dataclass(slots=True)
class Says:
    """A model that says the same to everything, and notes what it was asked and that it was hung up on."""

    chunks: Sequence[Chunk]
    model: str = "fake/old"
    context_window: int | None = 4096
    sees_images: bool = False
    tools: tuple[ToolSpec, ...] | None = None
    sent: list[Chunk] = field(default_factory=list[Chunk])

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        self.tools = tools
        for chunk in self.chunks:
            self.sent.append(chunk)
            yield chunk


async def test_calls_come_as_any_model_makes_them() -> None:
    model = Says([ThoughtChunk("hm"), TextChunk("So:\n"), TextChunk(CALL), Finish("stop")])
    chunks = [chunk async for chunk in prompted(model).stream([], (TERMINAL,))]
    assert (told(chunks), chunks[0], chunks[-1]) == (Told("So:", [LS]), ThoughtChunk("hm"), Finish("stop"))
    assert model.tools == ()


async def test_without_tools_an_answer_is_left_as_it_is() -> None:
    model = Says([TextChunk(CALL), Finish("stop")])
    chunks = [chunk async for chunk in prompted(model).stream([], ())]
    assert chunks == [TextChunk(CALL), Finish("stop")]


async def test_a_model_that_makes_up_results_is_hung_up_on() -> None:
    model = Says([TextChunk(CALL), TextChunk("\nEXECUTION RESULT of"), TextChunk(" [terminal]: a"), Finish("stop")])
    chunks = [chunk async for chunk in prompted(model).stream([], (TERMINAL,))]
    assert (told(chunks), chunks[-1], len(model.sent)) == (Told("", [LS]), Finish("stop"), 2)

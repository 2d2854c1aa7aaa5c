"""Calls that models print: a corpus of what they really print, however it is cut into chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec
from openhands_acp.llm import called_in_text
from openhands_acp.llm.called_in_text import Sieve, with_printed_calls
from tests.llm.offered import EDITOR, TERMINAL, Told, told

pytestmark = pytest.mark.anyio

CORPUS = Path(__file__).parent / "printed_calls"
TOOLS = {TERMINAL.name: TERMINAL, EDITOR.name: EDITOR}


@dataclass(frozen=True, slots=True)
class Printed:
    """What a model printed, and what is to come of it; the first line of its file says so."""

    raw: str
    calls: list[Any]
    shown: str


def printed(path: Path) -> Printed:
    head, _, raw = path.read_text(encoding="utf-8").partition("\n")
    expected = json.loads(head)
    return Printed(raw.removesuffix("\n"), expected["calls"], expected["shown"])


def sifted(pieces: Sequence[str]) -> Told:
    sieve = Sieve(TOOLS)
    chunks: list[Chunk] = [TextChunk(text) for piece in pieces for text in sieve.feed(piece)]
    return told([*chunks, *sieve.finish(is_text=False)])


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_printed_call_is_made_and_nothing_else_is(path: Path) -> None:
    case = printed(path)
    sizes = [1, 2, 3, 5, 8, len(case.raw)]
    cuts = [[case.raw[at : at + size] for at in range(0, len(case.raw), size)] for size in sizes]
    assert [sifted(pieces) for pieces in cuts] == [Told(case.shown, case.calls)] * len(sizes)


def test_the_corpus_has_both_kinds() -> None:
    cases = [printed(path) for path in CORPUS.glob("*.txt")]
    assert (sum(bool(case.calls) for case in cases) > 40, sum(not case.calls for case in cases) > 20) == (True, True)


PIECES = st.sampled_from(
    [
        "```json\n", "```", "\n", "{", "}", "[", "]", '"name": ', '"terminal"', '"arguments": {"command": "ls"}', ", ",
        "<tool_call>", "</tool_call>", "<function=terminal>", "<parameter=command>\nls\n</parameter>", "</function>",
        "[TOOL_CALLS]", "<|python_tag|>", "terminal(", 'command="ls")', "`", "<", "prose ", "for example:\n", "é", " ",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=25), st.integers(1, 40))
@example(["<tool_call>"], 1)
@example(["```json\n", "{", "}"], 3)
def test_no_answer_is_lost_and_its_cuts_do_not_matter(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    whole = sifted([text])
    assert sifted([text[at : at + size] for at in range(0, len(text), size)]) == whole
    assert text.startswith(whole.text)
    assert whole.calls or whole.text == text


def test_prose_is_shown_as_it_comes() -> None:
    sieve = Sieve(TOOLS)
    text = "First I look [at](it).\nThen:\n- one {x}\n```python\nprint({})\n```\n{not a call}\n"
    held = [len(text[: end + 1]) - sum(map(len, passed)) for end, passed in _as_it_comes(sieve, text)]
    assert max(held) <= len("```python\nprint(")


def _as_it_comes(sieve: Sieve, text: str) -> list[tuple[int, list[str]]]:
    passed: list[str] = []
    found: list[tuple[int, list[str]]] = []
    for end, character in enumerate(text):
        passed += sieve.feed(character)
        found.append((end, list(passed)))
    return found


def test_a_long_text_that_may_be_a_call_is_looked_at_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    look = called_in_text.printed_calls

    def counted(text: str, tools: Any, *, is_end: bool) -> Any:
        nonlocal read
        read += len(text)
        return look(text, tools, is_end=is_end)

    monkeypatch.setattr(called_in_text, "printed_calls", counted)
    long = (
        '{"name": "file_editor", "arguments": {"command": "create", "path": "a", "file_text": "' + "x" * 50_000 + '"}}'
    )
    assert len(sifted(list(long)).calls) == 1
    assert read < 10 * len(long)


# ---------------------------------------------------------------- round a model


@dataclass(frozen=True, slots=True)
class Says:
    """A model that says the same to everything."""

    chunks: tuple[Chunk, ...]
    model: str = "fake/small-7b"
    context_window: int | None = 4096
    sees_images: bool = False

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        for chunk in self.chunks:
            yield chunk


CALL = '{"name": "terminal", "arguments": {"command": "ls"}}'
END = Finish("stop")


@pytest.mark.parametrize(
    ("chunks", "passed"),
    [
        pytest.param(
            (ThoughtChunk("hm"), TextChunk(CALL), END),
            [ThoughtChunk("hm"), CallChunk(0, "text00000", "terminal", '{"command": "ls"}'), END],
            id="a printed call is made",
        ),
        pytest.param(
            (TextChunk(CALL), CallChunk(0, "a", "terminal", "{}"), TextChunk(CALL), END),
            [TextChunk(CALL), CallChunk(0, "a", "terminal", "{}"), TextChunk(CALL), END],
            id="beside a native call it is text",
        ),
        pytest.param(
            (TextChunk(CALL), Finish("length")), [TextChunk(CALL), Finish("length")], id="cut off by its length"
        ),
        pytest.param((TextChunk("no call"), END), [TextChunk("no call"), END], id="prose"),
    ],
)
async def test_what_comes_of_an_answer(chunks: tuple[Chunk, ...], passed: list[Chunk]) -> None:
    stream = with_printed_calls(Says(chunks)).stream([], (TERMINAL, EDITOR))
    assert [chunk async for chunk in stream] == passed


async def test_without_tools_nothing_is_a_call() -> None:
    chunks = (TextChunk(CALL), END)
    assert [chunk async for chunk in with_printed_calls(Says(chunks)).stream([], ())] == list(chunks)

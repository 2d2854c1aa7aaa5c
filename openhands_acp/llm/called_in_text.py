"""Calls that a model printed in the place of making them, made after all.

A wrapper round the `LLM` port, for models that have native calls and do not always use them: local and
small ones. Text passes as it comes, but for what may be a call at the end of the answer; where that
turns out to be none, it is text again. An answer with a native call is left alone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Final, Literal, assert_never

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Aside, CallChunk, Chunk, Finish, TextChunk, ThoughtChunk, ToolSpec
from openhands_acp.engine.wrapped import Wrapped
from openhands_acp.llm.printed import LANGUAGES, PrintedCall, printed_calls


def with_printed_calls(llm: LLM) -> LLM:
    """Wrap a model so that it makes the calls that it prints."""
    return Wrapped(llm, _ask)


async def _ask(llm: LLM, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
    sieve = Sieve({tool.name: tool for tool in tools})
    calls_natively = not tools
    async with aclosing(llm.stream(messages, tools)) as chunks:
        async for chunk in chunks:
            match chunk:
                case TextChunk(text) if not calls_natively:
                    for passed in sieve.feed(text):
                        yield TextChunk(passed)
                case CallChunk() | Finish():
                    # Cut off by its length, an answer has no end at which a call could be.
                    is_text = isinstance(chunk, CallChunk) or chunk.reason != "stop"
                    for piece in sieve.finish(is_text=calls_natively or is_text):
                        yield piece
                    calls_natively = True
                    yield chunk
                case TextChunk() | ThoughtChunk() | Aside():
                    yield chunk
                case _:
                    assert_never(chunk)


_FENCE = re.compile(r"[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)")
_CALL_FENCE = re.compile(rf"(?:{LANGUAGES})?", re.IGNORECASE)
_BEGINS: Final = ("{", "[", "<tool", "<|", "<｜", "<function", "<invoke", "<minimax:tool", "<TOOLCALL>")
"""How a line begins that may be a call."""
_TOKENS: Final = ("<tool_call>", "<function=", "[TOOL_CALLS]", "<|python_tag|>", "<|tool_call", "<｜tool")
"""What begins a call behind a sentence, on the same line, too."""
_TOKEN = re.compile(rf"(?<!`)(?:{'|'.join(map(re.escape, _TOKENS))})")
_AS_EXAMPLE = re.compile(
    r"\b(?:examples?|e\.g\.|for instance|looks? like|format|schema|syntax|template|placeholder)\b", re.IGNORECASE
)
_REMEMBERED: Final = 300
"""Characters of a line."""
_GROWTH: Final = 1.2
"""What is held is looked at again when it has grown by this, so that all looks together stay linear."""


class Sieve:
    """Parts the text of one answer in what is shown and what may be a call. Pure."""

    def __init__(self, tools: Mapping[str, ToolSpec]) -> None:
        self._tools = tools
        self._begins = (*_BEGINS, *(f"{name}(" for name in tools))
        self._rest = ""
        """Text that is not decided yet."""
        self._is_held = False
        """`_rest` may be a call."""
        self._calls: tuple[PrintedCall, ...] = ()
        """What `_rest` is, as far as it was looked at."""
        self._next_look = 0
        """How long `_rest` has to be before it is looked at again."""
        self._line = ""
        """What has passed of a line that has not ended."""
        self._last_line = ""
        """The last before it that was not empty."""
        self._is_line_begun = False
        """Its begin is none of a call's."""
        self._fence = ""
        """Of the code block that is open in what has passed: nothing in there is a call."""

    def feed(self, text: str) -> list[str]:
        """Take what came, and return what can be shown."""
        self._rest += text
        return list(self._passed(is_end=False))

    def finish(self, *, is_text: bool) -> list[TextChunk | CallChunk]:
        """Decide on what is held; `is_text` is the decision already."""
        if is_text:
            text, self._rest = self._rest, ""
            return [TextChunk(text)] if text else []
        texts = [TextChunk(text) for text in self._passed(is_end=True)]
        return [*texts, *(_chunk(index, call) for index, call in enumerate(self._calls))]

    def _passed(self, *, is_end: bool) -> Iterator[str]:
        while self._rest:
            if self._is_held:
                if self._may_be_call(is_end=is_end):
                    return
                # Only where it began is decided: another call may begin behind that.
                self._is_held, self._is_line_begun = False, True
                yield self._take(1)
            elif not self._is_line_begun:
                verdict = self._begin_of_line()
                if verdict == "unknown" and not is_end:
                    return
                self._is_held, self._next_look = verdict == "call", 0
                self._is_line_begun = verdict != "call"
            else:
                until = self._safe(is_end=is_end)
                if until:
                    yield self._take(until)
                elif not self._is_held:
                    return

    def _may_be_call(self, *, is_end: bool) -> bool:
        if len(self._rest) < self._next_look and not is_end:
            return True
        self._next_look = int(len(self._rest) * _GROWTH) + 1
        calls = printed_calls(self._rest, self._tools, is_end=is_end)
        self._calls = calls or ()
        if calls is None and (fence := _FENCE.match(self._rest)):
            self._fence = fence["fence"]
        return calls is not None

    def _begin_of_line(self) -> Literal["call", "text", "unknown"]:
        line, is_whole, _ = self._rest.partition("\n")
        if not is_whole and re.fullmatch(r"[ \t]*(?:`{1,2}|~{1,2})?", line):
            return "unknown"
        fence = _FENCE.match(line)
        if fence is not None:
            return self._begin_of_block(fence, is_whole=bool(is_whole) or fence.end() < len(line))
        word = line.lstrip(" \t")
        if self._fence or not word or _AS_EXAMPLE.search(self._last_line):
            return "text"
        if word.startswith(self._begins):
            return "call"
        return "unknown" if not is_whole and any(each.startswith(word) for each in self._begins) else "text"

    def _begin_of_block(self, fence: re.Match[str], *, is_whole: bool) -> Literal["call", "text", "unknown"]:
        if not is_whole:
            return "unknown"
        if self._fence:
            self._fence = "" if fence["fence"].startswith(self._fence) and not fence["language"] else self._fence
            return "text"
        if _CALL_FENCE.fullmatch(fence["language"]) and not _AS_EXAMPLE.search(self._last_line):
            return "call"
        self._fence = fence["fence"]
        return "text"

    def _safe(self, *, is_end: bool) -> int:
        """Tell how much of `_rest` is text: to the end of the line, or to what begins a call within it."""
        line_end = self._rest.find("\n") + 1 or len(self._rest)
        if self._fence:
            return line_end
        before = self._line[-1:]
        if token := _TOKEN.search(before + self._rest[:line_end], len(before)):
            self._is_held, self._next_look = token.start() == len(before), 0
            return token.start() - len(before)
        if is_end or self._rest.endswith("\n", 0, line_end):
            return line_end
        sizes = range(1, min(line_end + 1, max(map(len, _TOKENS))))
        begun = (
            size for size in sizes if any(each.startswith(self._rest[line_end - size : line_end]) for each in _TOKENS)
        )
        return line_end - max(begun, default=0)

    def _take(self, until: int) -> str:
        text, self._rest = self._rest[:until], self._rest[until:]
        self._line = (self._line + text)[-_REMEMBERED:]
        if text.endswith("\n"):
            self._last_line = self._line if self._line.strip() else self._last_line
            self._line, self._is_line_begun = "", False
        return text


def _chunk(index: int, call: PrintedCall) -> CallChunk:
    return CallChunk(index, f"text{index:05}", call.name, call.arguments)

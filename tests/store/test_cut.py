"""A journal that ends anywhere: what is whole is read, and the next request is one that no provider refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from itertools import accumulate, count
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import anyio
import pytest
from jsonschema import Draft202012Validator

from openhands_acp.engine.events import Durable, Entry, TurnStarted
from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import ToolSpec
from openhands_acp.llm.assemble import to_chat
from openhands_acp.llm.dialect import dialect_of
from openhands_acp.llm.responses import to_responses
from openhands_acp.llm.thinking import claude_in
from openhands_acp.store.codec import entry_schema
from openhands_acp.store.library import Library
from openhands_acp.store.reading import BLOBS_NAME, JOURNAL_NAME, read_journal
from tests.harness.check import MemoryJournal, TestBackend, agent
from tests.harness.history import check_history
from tests.harness.history_anthropic import check_messages
from tests.harness.history_responses import check_responses
from tests.harness.model import ScriptedModel
from tests.harness.rules import Memory
from tests.store.whole_life import lived_through

pytestmark = pytest.mark.anyio

KINDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Durable)}

_ID = "0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a"
# Loosely typed, as what it gives is.
_CLAUDE: Any = import_module("litellm.llms.anthropic.chat.transformation").AnthropicConfig()


@dataclass(frozen=True, slots=True)
class Life:
    entries: list[Entry]
    folder: Path
    """Of its journal."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    root = tmp_path_factory.mktemp("life")
    entries = anyio.run(lived_through, root)
    assert {type(entry.event) for entry in entries} == set(get_args(Durable))
    library = Library(root / "sessions")
    journal = library.journal(_ID, pytest.fail)
    journal.claim()
    for entry in entries:
        journal.append(entry)
    journal.close()
    assert library.read(_ID).entries == entries
    return Life(entries, root / "sessions" / _ID.replace("-", ""))


def test_each_record_fits_the_schema(life: Life) -> None:
    validator = Draft202012Validator(entry_schema())
    for line in (life.folder / JOURNAL_NAME).read_bytes().splitlines():
        record = json.loads(line)
        assert list(validator.iter_errors(record)) == [], record  # pyright: ignore[reportUnknownMemberType]
        assert record.keys() >= {field.name for field in fields(KINDS[record["kind"]])}


def test_a_journal_may_end_round_the_end_of_any_record(life: Life, tmp_path: Path) -> None:
    path, data = _beside(life, tmp_path), (life.folder / JOURNAL_NAME).read_bytes()
    for cut, whole in _cuts(data):
        path.write_bytes(data[:cut])
        stored = read_journal(tmp_path)
        assert (stored.entries, bool(stored.notes)) == (life.entries[:whole], cut > stored.size), cut
        assert data[:cut].rfind(b"\n") + 1 == stored.size


def test_a_record_of_any_kind_may_end_at_any_byte(life: Life, tmp_path: Path) -> None:
    path = _beside(life, tmp_path)
    lines = (life.folder / JOURNAL_NAME).read_bytes().splitlines(keepends=True)
    shortest: dict[str, tuple[bytes, Entry]] = {}
    for line, entry in sorted(zip(lines, life.entries, strict=True), key=lambda pair: len(pair[0])):
        shortest.setdefault(type(entry.event).__name__, (line, entry))
    assert len(shortest) == len(get_args(Durable))
    for line, entry in shortest.values():
        path.write_bytes(lines[0] + line)
        assert read_journal(tmp_path).entries == [life.entries[0], entry]
        for cut in reversed(range(len(lines[0]) + 1, len(lines[0] + line))):
            os.truncate(path, cut)
            stored = read_journal(tmp_path)
            assert (stored.entries, stored.size, len(stored.notes)) == (life.entries[:1], len(lines[0]), 1), (line, cut)


def test_what_comes_next_is_put_behind_what_is_whole(life: Life, tmp_path: Path) -> None:
    library, lines = Library(tmp_path), (life.folder / JOURNAL_NAME).read_bytes().splitlines(keepends=True)
    path = _beside(life, tmp_path / life.folder.name)
    later = Entry("later", life.entries[0].timestamp, TurnStarted("later"))
    for length in range(len(lines) + 1):
        whole = b"".join(lines[:length])
        path.write_bytes(whole + b"".join(lines[length:])[:7])
        journal = library.journal(_ID, pytest.fail, library.read(_ID))
        journal.claim()
        journal.append(later)
        journal.close()
        assert path.read_bytes().startswith(whole)
        stored = library.read(_ID)
        assert (stored.entries, stored.notes) == ([*life.entries[:length], later], ())


@pytest.mark.slow
async def test_after_any_record_the_next_request_is_one_that_no_provider_refuses(life: Life, tmp_path: Path) -> None:
    path = _beside(life, tmp_path)
    lines = (life.folder / JOURNAL_NAME).read_bytes().splitlines(keepends=True)
    cuts: list[list[Entry]] = []
    for length in range(len(lines) + 1):
        path.write_bytes(b"".join(lines[:length]) + b'{"v":1,"kind":"Mess')
        cuts.append(read_journal(tmp_path).entries)
    seen: set[str] = set()
    for first in range(0, len(cuts), _AT_ONCE):
        for length, (messages, tools) in enumerate(await _requests(tmp_path, cuts[first : first + _AT_ONCE]), first):
            chat, claude, gpt = _chat(messages, tools), _anthropic(messages, tools), _responses(messages, tools)
            assert check_history(chat) == [], length
            assert check_messages(claude, _SIGNED) == [], length
            assert check_responses(gpt, _SIGNED) == [], length
            for body in (chat, claude, gpt):
                assert "and now?" in json.dumps(body), length
            seen |= _thoughts(claude) | _thoughts(gpt)
    # Each of the two is sent back what it signed itself.
    assert seen == {*_CLAUDES, *_GPTS}


_AT_ONCE = 12
"""So many sessions are taken up by one process."""
_CLAUDES = {f"claude{number}" for number in (1, 2, 4, 6, 7)} | {f"seal{number}" for number in (1, 2, 4, 6, 7)}
_GPTS = {f"gpt{number}" for number in (3, 5)}
_SIGNED = Memory({f"claude{number}": ("anthropic", f"Thought {number}.") for number in range(8)})
"""What they would know again: a thought that is not as it was is refused."""


async def _requests(root: Path, cuts: Sequence[list[Entry]]) -> list[tuple[list[Message], tuple[ToolSpec, ...]]]:
    """Take each up and prompt; return what their model is sent."""
    model = ScriptedModel((), sees_images=True)
    journals = {str(UUID(int=number)): MemoryJournal(entries) for number, entries in enumerate(cuts)}
    # Ids count here; those of the journals were counted before.
    async with agent(root, backend=TestBackend(model, journals=journals, ids=count(10_000))) as running:
        for number in range(len(cuts)):
            running.session_id = str(UUID(int=number))
            taken: dict[str, Any] = {"sessionId": running.session_id, "cwd": str(root), "mcpServers": []}
            # What loading tells besides is compared elsewhere, with what was told live.
            await running.editor.request("session/resume" if number else "session/load", **taken)
            assert await running.prompt("and now?") == {"stopReason": "end_turn"}, number
            await running.editor.request("session/close", sessionId=running.session_id)
    return list(zip(model.requests, model.offered, strict=True))


def _chat(messages: list[Message], tools: tuple[ToolSpec, ...]) -> dict[str, Any]:
    chat, specs = to_chat(messages, tools, dialect_of("openai", "gpt-4o", "chat", {}, is_own_url=False))
    return {"model": "gpt-4o", "messages": chat, "tools": specs}


def _anthropic(messages: list[Message], tools: tuple[ToolSpec, ...]) -> dict[str, Any]:
    name, knows = "claude-sonnet-4-5", {"supports_reasoning": True}
    dialect = dialect_of("anthropic", name, "auto", {}, is_own_url=False)
    owner, level = claude_in(messages, "high", {"reasoning_effort": "high"}, knows, {})
    chat, specs = to_chat(messages, tools, replace(dialect, owner=owner))
    options: dict[str, Any] = _CLAUDE.map_openai_params({"tools": specs, "max_tokens": 9999, **level}, {}, name, False)
    return _CLAUDE.transform_request(name, chat, options, {}, {})


def _responses(messages: list[Message], tools: tuple[ToolSpec, ...]) -> dict[str, Any]:
    body = to_responses(messages, tools, dialect_of("openai", "gpt-5", "responses", {}, is_own_url=False))
    return {"model": "gpt-5", **body}


def _thoughts(body: dict[str, Any]) -> set[str]:
    """What is sent back of thoughts that were signed."""
    blocks = [
        block for message in body.get("messages", ()) for block in message["content"] if not isinstance(block, str)
    ]
    sealed = [block.get("signature") or block.get("data") for block in blocks] + [
        item.get("encrypted_content") for item in body.get("input", ())
    ]
    return {each for each in sealed if each}


def _beside(life: Life, folder: Path) -> Path:
    """Give a folder the large texts of a life; return where its journal is to be."""
    folder.mkdir(exist_ok=True)
    (folder / BLOBS_NAME).symlink_to(life.folder / BLOBS_NAME)
    return folder / JOURNAL_NAME


def _cuts(data: bytes) -> Iterator[tuple[int, int]]:
    """Where to cut, and how many records are whole there: round the end of each."""
    ends = [0, *accumulate(len(line) + 1 for line in data.split(b"\n")[:-1])]
    for cut in sorted({end + step for end in ends for step in (-1, 0, 1)}):
        if 0 <= cut <= len(data):
            yield cut, sum(end <= cut for end in ends[1:])

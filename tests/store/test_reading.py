"""A journal back into entries, whatever happened to its bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from openhands_acp.engine.events import (
    ConversationStarted,
    Durable,
    Entry,
    MessageEvent,
    ObservationEvent,
    ThoughtEvent,
)
from openhands_acp.engine.messages import Image, JsonValue, Text
from openhands_acp.store.blobs import LIMIT
from openhands_acp.store.codec import VERSION, entry_schema, to_json
from openhands_acp.store.journal import FileJournal
from openhands_acp.store.reading import JOURNAL_NAME, NoSuchSession, Stored, UnreadableSession, read_journal
from tests.store.examples import BEGAN, ENTRIES, IN_VERSION_1, IN_VERSION_2, LATER
from tests.store.test_codec import ENTRIES as RANDOM_ENTRIES
from tests.store.values import found, possible

FIXTURES = Path(__file__).parent / "fixtures"
NEWEST = (FIXTURES / f"v{VERSION}.jsonl").read_bytes()
VALIDATOR = Draft202012Validator(entry_schema())
EVERYTHING = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, data: bytes) -> Stored:
    folder.mkdir(exist_ok=True)
    (folder / JOURNAL_NAME).write_bytes(data)
    return read_journal(folder)


def kept(folder: Path, entries: list[Entry]) -> Stored:
    journal = FileJournal(folder, pytest.fail, Stored(entries, (), 0))
    journal.claim()
    journal.append(ENTRIES[1])
    journal.close()
    return read_journal(folder)


# ---------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("v1", ENTRIES[:IN_VERSION_1]),
        ("v2", ENTRIES[:IN_VERSION_2]),
        ("v3", ENTRIES),
        ("v3-later", LATER),
    ],
)
def test_every_version_is_read_for_ever(tmp_path: Path, name: str, entries: list[Entry]) -> None:
    data = (FIXTURES / f"{name}.jsonl").read_bytes()
    assert read(tmp_path, data) == Stored(entries, (), len(data))


def test_the_newest_fixture_holds_every_kind_as_it_is_written_today() -> None:
    records = [json.loads(line) for line in NEWEST.splitlines()]
    written: list[Any] = json.loads(json.dumps(list(map(to_json, ENTRIES))))
    # Fields that came since have their defaults there.
    assert [without_the_new(record, old) for record, old in zip(written, records, strict=True)] == records
    assert {record["kind"] for record in records} == {kind.__name__ for kind in get_args(Durable)}


def without_the_new(value: Any, old: Any) -> Any:
    if isinstance(value, dict) and isinstance(old, dict):
        record = cast("dict[str, Any]", value)
        return {name: without_the_new(each, old[name]) for name, each in record.items() if name in old}
    if isinstance(value, list) and isinstance(old, list):
        items = cast("list[Any]", value)
        return [without_the_new(*pair) for pair in zip(items, cast("list[Any]", old), strict=True)]
    return cast("Any", value)


@pytest.mark.parametrize("name", ["v1", "v2", "v3", "v3-later"])
def test_every_version_fits_the_schema(name: str) -> None:
    for line in (FIXTURES / f"{name}.jsonl").read_bytes().splitlines():
        assert faults(json.loads(line)) == []


def faults(record: Any) -> list[str]:
    found: Any = VALIDATOR.iter_errors(record)  # pyright: ignore[reportUnknownMemberType]
    return [str(error) for error in found]


def test_a_value_that_no_fixture_has_wants_a_new_version() -> None:
    """An older program would leave the whole record out: see ARCHITECTURE.md."""
    assert found([*ENTRIES, *LATER]) == possible()


@pytest.mark.parametrize("line", [0, 5, -1])
def test_a_journal_with_anything_newer_in_it_is_refused_and_left_alone(tmp_path: Path, line: int) -> None:
    lines = NEWEST.splitlines(keepends=True)
    lines[line] = b'{"v":99,"kind":"Marvel","id":"x"}\n'
    with pytest.raises(UnreadableSession, match=r"newer openhands-acp.*99.*update"):
        read(tmp_path, b"".join(lines))
    assert (tmp_path / JOURNAL_NAME).read_bytes() == b"".join(lines)


# ---------------------------------------------------------------- damage


def test_cut_at_every_byte_it_gives_what_was_whole(tmp_path: Path) -> None:
    chosen = [0, 1, 3, 7, 9, 20]
    data = b"".join(NEWEST.splitlines(keepends=True)[number] for number in chosen)
    entries = [ENTRIES[number] for number in chosen]
    for size in range(len(data) + 1):
        whole = data.rfind(b"\n", 0, size) + 1
        stored = read(tmp_path, data[:size])
        assert (stored.entries, stored.size) == (entries[: data.count(b"\n", 0, size)], whole)
        assert [str(size - whole) in note for note in stored.notes] == [True] * (size > whole)


@EVERYTHING
@given(st.lists(RANDOM_ENTRIES, min_size=1, max_size=5), st.data())
def test_any_conversation_cut_anywhere_gives_its_beginning(
    tmp_path: Path, entries: list[Entry], data: st.DataObject
) -> None:
    lines = b"".join(json.dumps(to_json(entry)).encode() + b"\n" for entry in entries)
    size = data.draw(st.integers(0, len(lines)))
    assert read(tmp_path, lines[:size]).entries == entries[: lines.count(b"\n", 0, size)]


@EVERYTHING
@given(st.integers(0, len(NEWEST)), st.integers(0, 40), st.binary(max_size=40))
def test_damage_costs_no_more_than_the_lines_it_hit(tmp_path: Path, at: int, length: int, junk: bytes) -> None:
    stored = read(tmp_path, NEWEST[:at] + junk + NEWEST[at + length :])
    before, after = NEWEST.count(b"\n", 0, at), NEWEST.count(b"\n", min(at + length, len(NEWEST)))
    assert stored.entries[:before] == ENTRIES[:before]
    # The line in which the damage ends is lost with it.
    assert [entry for entry in ENTRIES[len(ENTRIES) - max(after - 1, 0) :] if entry not in stored.entries] == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"v":1}',
        b'{"v":true,"kind":"InterruptEvent","id":5,"timestamp":"2026-01-01T00:00:00+00:00"}',
        b'{"v":1,"kind":"InterruptEvent","id":"e","timestamp":"0001-01-01T00:00:00+09:00"}',
        b'{"v":1,"kind":"TurnEnded","id":"e","timestamp":"2026-01-01T00:00:00+00:00","turn_id":"t","stop_reason":"bored"}',
        b'{"v":1,"kind":"MessageEvent","id":"e","timestamp":"2026-01-01T00:00:00+00:00","message_id":"m","role":"user","content":"hi"}',
        b'{"v":1,"kind":"MessageEvent","id":"e","timestamp":"2026-01-01T00:00:00+00:00","message_id":"m","role":"user","content":[{"type":"Text","text":{"$blob":5}}]}',
        b'{"v":1,"kind":"PlanUpdated","id":"e","timestamp":"2026-01-01T00:00:00+00:00","entries":[{"content":"x"}]}',
        b'{"v":1,"kind":"UsageEvent","id":"e","timestamp":"2026-01-01T00:00:00+00:00","usage":null,"model":"m","context_window":1}',
    ],
)
def test_a_line_that_cannot_be_read_is_left_out_and_told(tmp_path: Path, line: bytes) -> None:
    lines = NEWEST.splitlines()
    lines.insert(3, line)
    stored = read(tmp_path, b"\n".join(lines) + b"\n")
    assert stored.entries == ENTRIES
    assert [note.startswith("line 4 of the journal was left out") for note in stored.notes] == [True]
    assert len(stored.notes[0]) < 300


def test_a_heap_of_broken_lines_is_told_in_a_few(tmp_path: Path) -> None:
    stored = read(tmp_path, NEWEST + b"what?\n" * 1000 + NEWEST)
    assert (stored.entries, len(stored.notes)) == ([*ENTRIES, *ENTRIES], 21)
    assert stored.notes[-1] == "and 980 more like these"


def test_where_there_is_nothing_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder" / JOURNAL_NAME).mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    real = tmp_path / "real"
    read(real, NEWEST)
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / JOURNAL_NAME).symlink_to(real / JOURNAL_NAME)
    for name in ("missing", "empty", "folder", "file", "link", "inner"):
        with pytest.raises(NoSuchSession):
            read_journal(tmp_path / name)


# ---------------------------------------------------------------- large texts

LONG = "é\ud800" * LIMIT
IMAGE = Image("image/png", "A" * (LIMIT + 1))
BLOCKS: JsonValue = [{"type": "thinking", "thinking": LONG}]
OWN: JsonValue = {"$blob": "0" * 64, "size": 3}
RAW: dict[str, JsonValue] = {
    "out": LONG,
    "own": [OWN, {"$blob": "", "value": OWN}, {"$blob": LONG}],
    "edge": "x" * LIMIT,
}
SMALL = Image("image/png", "iVBO")
LARGE: list[Durable] = [
    ENTRIES[0].event,
    MessageEvent("m", "user", (Text(LONG), IMAGE, Text("short"))),
    ThoughtEvent("m", "r", "t", BLOCKS),
    ObservationEvent("c", "a", "t", LONG, raw_output=RAW, images=(SMALL, IMAGE)),
]
LARGE_ENTRIES = [Entry(str(number), BEGAN, event) for number, event in enumerate(LARGE)]


def blobs(folder: Path) -> list[Path]:
    return sorted((folder / "blobs").iterdir())


def test_large_texts_stand_beside_the_journal_once_and_come_back(tmp_path: Path) -> None:
    stored = kept(tmp_path / "s", LARGE_ENTRIES)
    assert (stored.entries[:-1], stored.notes) == (LARGE_ENTRIES, ())
    assert stored.size < 2 * LIMIT
    assert len(blobs(tmp_path / "s")) == 2
    assert [oct(path.stat().st_mode & 0o077) for path in blobs(tmp_path / "s")] == ["0o0", "0o0"]
    records = [json.loads(line) for line in (tmp_path / "s" / JOURNAL_NAME).read_bytes().splitlines()]
    assert [VALIDATOR.is_valid(record) for record in records] == [True] * 5  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.parametrize("damage", ["missing", "short", "changed", "folder", "link"])
def test_a_large_text_that_is_lost_is_told_in_its_place(tmp_path: Path, damage: str) -> None:
    kept(tmp_path / "s", LARGE_ENTRIES)
    for path in blobs(tmp_path / "s"):
        data = path.read_bytes()
        path.unlink()
        match damage:
            case "short":
                path.write_bytes(data[:-1])
            case "changed":
                path.write_bytes(b"x" + data[1:])
            case "folder":
                path.mkdir()
            case "link":
                (tmp_path / path.name).write_bytes(data)
                path.symlink_to(tmp_path / path.name)
            case _:
                pass
    stored = read_journal(tmp_path / "s")
    size = len(LONG.encode("utf-8", "surrogatepass"))
    lost = f"(a text of {size} bytes stood here; its file was lost)"
    expected: list[Durable] = [
        ENTRIES[0].event,
        MessageEvent("m", "user", (Text(lost), Text("(an image stood here; its file was lost)"), Text("short"))),
        # A provider takes its own reasoning back whole or not at all.
        ThoughtEvent("m", "r", "t", None),
        ObservationEvent(
            "c",
            "a",
            "t",
            lost,
            raw_output={**RAW, "out": lost, "own": [OWN, {"$blob": "", "value": OWN}, {"$blob": lost}]},
            images=(SMALL,),
        ),
    ]
    assert [entry.event for entry in stored.entries[:-1]] == expected
    assert [f"line {number} " in note for number, note in zip((2, 2, 3, 4, 4, 4, 4), stored.notes, strict=True)] == [
        True
    ] * 7


@pytest.mark.parametrize("damage", [b"", b"\0"], ids=["short", "changed"])
def test_a_large_text_that_was_damaged_is_whole_again_once_it_is_said_again(tmp_path: Path, damage: bytes) -> None:
    kept(tmp_path / "s", LARGE_ENTRIES)
    for path in blobs(tmp_path / "s"):
        path.write_bytes(damage * path.stat().st_size)
    assert read_journal(tmp_path / "s").notes != ()
    journal = FileJournal(tmp_path / "s", pytest.fail, read_journal(tmp_path / "s"))
    journal.claim()
    for entry in [ENTRIES[1], *LARGE_ENTRIES]:
        journal.append(entry)
    journal.close()
    assert read_journal(tmp_path / "s").notes == ()


@pytest.mark.parametrize("name", ["../../../etc/passwd", "", "0" * 63, "G" * 64])
def test_the_name_of_a_large_text_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    record: dict[str, Any] = {**to_json(ENTRIES[15]), "text": {"$blob": name, "size": 3}}
    stored = read(tmp_path, NEWEST + json.dumps(record).encode() + b"\n")
    assert len(stored.notes) == 1
    assert [type(entry.event) for entry in stored.entries].count(ConversationStarted) == 1


JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "x", LONG, "$blob"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["$blob", "size", "value", "type", "data"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@EVERYTHING
@given(JSON)
def test_json_that_looks_like_ours_comes_back_as_it_was(tmp_path: Path, value: Any) -> None:
    entry = Entry("e", BEGAN, ThoughtEvent("m", "r", "t", value))
    folder = tmp_path / "s"
    (folder / JOURNAL_NAME).unlink(missing_ok=True)
    assert kept(folder, [entry]).entries[0] == entry

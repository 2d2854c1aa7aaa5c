"""What events say of the outputs beside a journal: copied with a conversation, and told where they are lost."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.events import Condensation, Entry, ObservationEvent, Shortened
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.outputs import copied, keep, what_is_lost
from tests.store.examples import BEGAN

SESSION, COPY = "0" * 31 + "1", "0" * 31 + "2"
PRINTED = b"one\ntwo\n"


def put(file: Path, data: bytes = PRINTED) -> KeptOutput:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return KeptOutput(AbsPath(str(file)), sha256(data).hexdigest(), len(data))


def observed(output: KeptOutput) -> Entry:
    text, raw = f"two\n[the whole output is in {output.path}: search it]", {"log": output.path, "exit_code": 0}
    return Entry("e", BEGAN, ObservationEvent("c", "a", "terminal", text, raw_output=raw, output=output))


def test_a_copy_names_files_of_its_own_and_is_told_of_nothing_else(tmp_path: Path) -> None:
    output = put(tmp_path / SESSION / "output" / "1-ab.txt")
    place = tmp_path / COPY / "output" / "1-ab.txt"
    again = list(copied(copied([observed(output)] * 2, tmp_path / COPY), tmp_path / COPY))
    assert again == [observed(replace(output, path=AbsPath(str(place))))] * 2
    os.unlink(output.path)
    assert place.read_bytes() == PRINTED


def left_out(first: KeptOutput, second: KeptOutput | None) -> Entry:
    places = f"all of it is in {first.path} and {Path(first.path).parent}/history-2.txt"
    shortened = (Shortened("c", f"[left out; {places}]"),)
    return Entry("k", BEGAN, Condensation("k", "summary", 9, 3, 1, (0,), f"Done. {places}", shortened, second))


def test_what_was_left_out_of_a_conversation_is_copied_with_it_and_found_in_the_copy(tmp_path: Path) -> None:
    def kept(session: str) -> tuple[KeptOutput, KeptOutput]:
        folder = AbsPath(str(tmp_path / session / "output"))
        return KeptOutput(AbsPath(f"{folder}/1-ab.txt")), KeptOutput(AbsPath(f"{folder}/history-2.txt"))

    (first, second), (first_there, second_there) = kept(SESSION), kept(COPY)
    put(Path(first.path))
    put(Path(second.path), b"all of it\n")
    entries = [observed(first), left_out(first, second), left_out(first, None)]
    there = [observed(first_there), left_out(first_there, second_there), left_out(first_there, None)]
    assert list(copied(entries, tmp_path / COPY)) == there
    assert Path(second_there.path).read_bytes() == b"all of it\n"


def test_a_text_is_kept_for_the_owner_alone_and_leaves_copies_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / SESSION / "output"
    place = folder / "history-1.txt"
    first = keep(folder, "history-1.txt", "é\n\ud800")
    assert first == KeptOutput(AbsPath(str(place)), sha256("é\n?".encode()).hexdigest(), 4)
    os.link(place, tmp_path / "copy.txt")
    keep(folder, "history-1.txt", "anew")
    assert (place.read_text(), (tmp_path / "copy.txt").read_text()) == ("anew", "é\n?")
    assert os.listdir(folder) == ["history-1.txt"]
    if os.name == "posix":
        assert (folder.stat().st_mode & 0o777, place.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_disk_that_refuses_costs_the_text_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert keep(tmp_path / "file" / "output", "history-1.txt", "text") is None


@pytest.mark.parametrize(
    "name",
    [
        "elsewhere.txt",
        f"{SESSION}/journal.jsonl",
        f"{SESSION}/output/link.txt",
        f"{SESSION}/output/folder.txt",
        f"{SESSION}/output/gone.txt",
        "linked/output/1.txt",
        f"{'3' * 32}/output/1.txt",
    ],
)
def test_nothing_but_an_output_of_a_session_is_copied(tmp_path: Path, name: str) -> None:
    put(tmp_path / "elsewhere.txt")
    put(tmp_path / SESSION / "journal.jsonl")
    put(tmp_path / "linked/output/1.txt")
    (tmp_path / SESSION / "output" / "folder.txt").mkdir(parents=True)
    (tmp_path / SESSION / "output" / "link.txt").symlink_to(tmp_path / "elsewhere.txt")
    (tmp_path / ("3" * 32)).symlink_to(tmp_path / "linked")
    entry = observed(KeptOutput(AbsPath(str(tmp_path / name)), "", 0))
    assert list(copied([entry], tmp_path / COPY)) == [entry]
    assert [path for path in tmp_path.glob(f"{COPY}/**/*") if path.is_file()] == []


CHANGED = ("the whole output of a command is not what it was (FILE)",)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (PRINTED, ()),
        (None, ("the whole output of a command is lost: No such file or directory (FILE)",)),
        (b"ONE\ntwo\n", CHANGED),
        (b"", CHANGED),
        ("/dev/zero", CHANGED),
    ],
)
def test_what_is_not_what_a_command_printed_is_told(
    tmp_path: Path, now: bytes | str | None, said: tuple[str, ...]
) -> None:
    file = tmp_path / SESSION / "output" / "1-ab.txt"
    output = put(file)
    file.unlink()
    if isinstance(now, str):
        file.symlink_to(now)
    elif now is not None:
        file.write_bytes(now)
    # Named first while it ran: what it came to counts.
    entries = [observed(KeptOutput(output.path)), observed(output), observed(output)]
    assert tuple(each.replace(str(file), "FILE") for each in what_is_lost(entries)) == said

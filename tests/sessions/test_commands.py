"""`openhands-acp sessions` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import anyio
import pytest
from rich.cells import cell_len

from openhands_acp.cli import main, parse
from openhands_acp.engine import events
from openhands_acp.engine.paths import AbsPath
from openhands_acp.local.snapshots import LocalSnapshots
from openhands_acp.options import Options
from openhands_acp.store.codec import VERSION, to_json
from openhands_acp.store.library import Library
from openhands_acp.store.trajectory import to_openhands
from tests.harness.terminal import Terminal
from tests.harness.waiting import PATIENCE
from tests.sessions.shelves import LONG, OPENHANDS, ROOT, STARS, TIDES, keep, short, with_openhands


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENHANDS_PERSISTENCE_DIR", str(tmp_path))
    monkeypatch.delenv("OPENHANDS_CONVERSATIONS_DIR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["sessions", *words])
    out, err = capsys.readouterr()
    return code, out, err


def kept(home: Path) -> set[str]:
    page, _ = Library(home / "acp" / "sessions").page(None, None)
    return {summary.session_id for summary in page}


# ---------------------------------------------------------------- list


def test_the_list_is_of_one_folder_or_of_all_newest_first(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=2))
    keep(home, STARS, short(STARS, "Stars", AbsPath(os.path.realpath(home))), timedelta(days=1))
    os.utime(with_openhands(home) / OPENHANDS.replace("-", "") / "events", (10, 10))

    def titles(*words: str) -> list[str]:
        code, out, _ = run(capsys, "list", "--json", *words)
        assert code == 0
        return [session["title"] for session in json.loads(out)]

    assert titles("--all") == ["Stars", "Tides", "The high water of Tuesday is wrong"]
    assert titles("--cwd", str(home)) == ["Stars"]
    assert titles("--cwd", f"{home}/.") == ["Stars"]
    assert titles("--cwd", ROOT) == ["Tides", "The high water of Tuesday is wrong"]
    assert titles() == []


def test_the_list_as_json_says_everything(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = keep(home, TIDES, short(TIDES, "Tides"))
    assert json.loads(run(capsys, "list", "--all", "--json")[1]) == [
        {
            "id": TIDES,
            "title": "Tides",
            "roots": [ROOT],
            "updated_at": entries[-1].timestamp.isoformat(),
            "messages": 1,
            "is_openhands": False,
        }
    ]


def test_messages_that_nobody_counted_are_not_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_openhands(home)
    [listed] = json.loads(run(capsys, "list", "--all", "--json")[1])
    assert (listed["messages"], listed["is_openhands"]) == (4, True)
    [events] = home.glob("conversations/*/events")
    for number in range(300):
        (events / f"event-{1000 + number:05d}-{UUID(int=number)}.json").write_text("{}")
    [listed] = json.loads(run(capsys, "list", "--all", "--json")[1])
    assert (listed["messages"], listed["is_openhands"]) == (None, True)
    assert "None" not in run(capsys, "list", "--all")[1]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_list_fits_the_terminal_and_keeps_what_is_typed_again(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    keep(home, TIDES, short(TIDES, "A long title that goes on and on, 潮 and all, until there is no room"))
    keep(home, STARS, short(STARS, "\x1b[2JStars"))
    code, out, _ = run(capsys, "list", "--all")
    # Their first 8 characters are the same, so more of each is shown.
    assert (code, f"\n{TIDES[:13]} " in out, f"\n{STARS[:13]} " in out, "\x1b[2J" in out) == (0, True, True, False)
    assert [line for line in out.splitlines() if cell_len(line) > width or line != line.rstrip()] == []
    if width >= 80:
        # Of a folder the end is kept, which is what its name is.
        assert ("Stars" in out, out.count("tidepool")) == (True, 2)


def test_an_empty_list_says_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "list", "--cwd", str(home))[1] == f"No session in {home}; --all lists those of every folder.\n"
    assert run(capsys, "list", "--all") == (0, "No session yet.\n", "")


# ---------------------------------------------------------------- which one


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("aa", f"'aa' is the beginning of 2 sessions: {STARS}, {TIDES}"),
        ("bb", "no session 'bb'; `openhands-acp sessions list --all` shows what there is"),
        ("", "no session ''; `openhands-acp sessions list --all` shows what there is"),
        ("../..", "no session '../..'; `openhands-acp sessions list --all` shows what there is"),
    ],
)
@pytest.mark.parametrize("command", ["show", "export", "delete"])
def test_an_id_of_none_or_of_several_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], command: str, written: str, told: str
) -> None:
    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=1))
    keep(home, STARS, short(STARS, "Stars"))
    assert run(capsys, command, written) == (1, "", f"openhands-acp sessions: {told}\n")
    assert kept(home) == {TIDES, STARS}


@pytest.mark.parametrize("written", [STARS, STARS.upper(), STARS.replace("-", ""), STARS[:-1] + "2", "last"])
def test_a_whole_id_and_the_latest_are_found(home: Path, capsys: pytest.CaptureFixture[str], written: str) -> None:
    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=1))
    keep(home, STARS, short(STARS, "Stars"))
    assert json.loads(run(capsys, "show", "--json", written)[1])["session"]["id"] == STARS


def test_a_session_of_a_newer_version_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"))
    journal = home / "acp" / "sessions" / TIDES.replace("-", "") / "journal.jsonl"
    journal.write_text(journal.read_text("utf-8").replace(f'"v":{VERSION}', '"v":99'), "utf-8")
    code, out, err = run(capsys, "show", TIDES)
    assert (code, out, "newer openhands-acp" in err) == (1, "", True)


# ---------------------------------------------------------------- show, export


def test_show_as_json_is_the_journal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = keep(home, TIDES, LONG)
    shown = json.loads(run(capsys, "show", "--json", "aa")[1])
    assert shown["events"] == [json.loads(json.dumps(to_json(entry))) for entry in entries]
    assert shown["notes"] == []


def test_exports_are_trajectories(home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    trajectory = to_openhands(keep(home, TIDES, LONG))
    file, archive = tmp_path / "t.json", tmp_path / "t.zip"
    code, out, err = run(capsys, "export", "aa")
    assert (code, json.loads(out), err) == (0, trajectory, "")
    assert run(capsys, "export", "aa", "--output", str(file)) == (0, "", "")
    assert json.loads(file.read_text("utf-8")) == trajectory
    assert run(capsys, "export", "aa", "--format", "zip", "-o", str(archive)) == (0, "", "")
    with zipfile.ZipFile(archive) as opened:
        assert [json.loads(opened.read(name)) for name in opened.namelist()] == trajectory


@pytest.mark.parametrize(
    ("name", "first"), [("t.zip", b"PK\x03\x04"), ("t.HTML", b"<!doctype html>"), ("t.txt", b"[\n  {")]
)
def test_the_suffix_says_in_which_form_and_what_is_there_is_replaced(
    home: Path, capsys: pytest.CaptureFixture[str], name: str, first: bytes
) -> None:
    keep(home, TIDES, LONG)
    (home / name).write_text("earlier")
    assert run(capsys, "export", "aa", "-o", str(home / name)) == (0, "", "")
    assert (home / name).read_bytes().startswith(first)


def test_a_dash_is_stdout(home: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    keep(home, TIDES, LONG)
    written: list[tuple[int, bytes]] = []
    for words in (["--html", "-"], ["-o", "-"], ["-o", "-", "--format", "zip"], ["-o", "-", "--html", "-"]):
        code = main(["sessions", "export", "aa", *words])
        written.append((code, capsysbinary.readouterr().out[:4]))
    assert written == [(0, b"<!do"), (0, b"[\n  "), (0, b"PK\x03\x04"), (2, b"")]
    assert not Path("-").exists()


def test_an_export_to_nowhere_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, LONG)
    nowhere = home / "absent" / "t.json"
    told = f"openhands-acp sessions: cannot write {nowhere}: No such file or directory\n"
    assert run(capsys, "export", "aa", "--output", str(nowhere)) == (1, "", told)
    told = "openhands-acp sessions export: a zip needs a file: give --output FILE\n"
    assert run(capsys, "export", "aa", "--format", "zip") == (2, "", told)


def test_openhands_own_are_shown_and_exported_and_never_deleted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = with_openhands(home)
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    page = home / "page.html"
    code, out, _ = run(capsys, "show", "7d1f")
    assert (code, "from     OpenHands (only read)" in out, "Edit tide.py" in out) == (0, True, True)
    code, out, err = run(capsys, "export", "7d1f", "--html", str(page))
    assert (code, out, len(err.splitlines()), "HIGH = 8" in page.read_text("utf-8")) == (0, "", 4, True)
    where = folder / OPENHANDS.replace("-", "")
    told = f"openhands-acp sessions: {OPENHANDS} is OpenHands' own and only read here; its folder is {where}\n"
    assert run(capsys, "delete", "7d1f", "--yes") == (1, "", told)
    assert run(capsys, "prune", "--older-than", "0d", "--yes") == (0, "No session is that old.\n", "")
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


# ---------------------------------------------------------------- where it goes


def in_process(home: Path, *words: str, **environ: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "openhands_acp", "sessions", *words],
        env=os.environ | {"OPENHANDS_PERSISTENCE_DIR": str(home)} | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_where_there_are_only_letters_marks_are_letters(home: Path) -> None:
    keep(home, TIDES, LONG)
    out, err = in_process(home, "show", "aa", PYTHONIOENCODING="ascii").communicate(timeout=PATIENCE)
    lines = out.decode("ascii").splitlines()
    wanted = ["> Mend the *tide*.", "* I will look first.", "+ View tide.py", "x $ git push  (rejected)", "# stopped"]
    assert ([line for line in wanted if line not in lines], b"?" in out.replace(b"And now?", b""), err) == (
        [],
        False,
        b"",
    )


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_failure_to_speak_of(home: Path) -> None:
    # More than a pipe holds.
    keep(home, TIDES, [*short(TIDES, "Tides"), *[events.NoticeEvent("n", "text", "x" * 1000)] * 200])
    process = in_process(home, "show", "aa")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"Tides\n"
    process.stdout.close()
    assert (process.stderr.read(), process.wait(PATIENCE)) == (b"", 1)
    process.stderr.close()


# ---------------------------------------------------------------- delete, prune


def test_what_is_deleted_is_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"))
    keep(home, STARS, short(STARS, "Stars"))
    code, out, err = run(capsys, "delete", "--yes", TIDES)
    assert (code, "Tides" in out, "Stars" in out, out.splitlines()[-1], err) == (
        0,
        True,
        False,
        "Deleted 1 session.",
        "",
    )
    assert kept(home) == {STARS}


def test_only_the_old_are_pruned_of_one_folder_if_it_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=31))
    keep(home, STARS, short(STARS, "Stars"), timedelta(days=29))
    code, out, _ = run(capsys, "prune", "--older-than", "30d", "--cwd", str(home), "--yes")
    assert (code, out, kept(home)) == (0, "No session is that old.\n", {TIDES, STARS})
    code, out, _ = run(capsys, "prune", "--older-than", "30d", "--yes")
    assert (code, "Tides" in out, "Stars" in out, kept(home)) == (0, True, False, {STARS})
    run(capsys, "prune", "--older-than", "4w", "--yes")
    assert kept(home) == set()


def test_what_goes_takes_its_outputs_and_its_states_along(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def take_a_state() -> None:
        snapshots = LocalSnapshots(home / "acp", TIDES, (AbsPath(str(home / "project")),))
        with anyio.fail_after(PATIENCE):
            await snapshots.begin().done()
            await snapshots.close()

    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=31))
    (home / "project").mkdir()
    (home / "project" / "tide.py").write_text("HIGH = 7\n")
    anyio.run(take_a_state)
    outputs = Library(home / "acp" / "sessions").output_folder(TIDES)
    outputs.mkdir()
    (outputs / "1.txt").write_text("all of it")
    assert len(list((home / "acp" / "snapshots").iterdir())) == 1
    assert run(capsys, "prune", "--older-than", "30d", "--yes")[0] == 0
    assert [path for path in (home / "acp").rglob("*") if path.is_file() and "index" not in path.name] == []


@pytest.mark.parametrize(
    ("age", "pruned"),
    [
        *[
            (age, True)
            for age in ("30d", "30 days", "720h", "720 Hours", "43200min", "43200 minutes", "1mo", "1 month")
        ],
        *[(age, False) for age in ("5w", "5 weeks", "2MO", "1y", "3 years", "999999y")],
    ],
)
def test_an_age_is_spelt_in_many_ways(home: Path, capsys: pytest.CaptureFixture[str], age: str, pruned: bool) -> None:
    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=31))
    assert run(capsys, "prune", "--older-than", age, "--yes")[0] == 0
    assert kept(home) == (set() if pruned else {TIDES})


def test_a_dry_run_tells_what_would_be_deleted_and_asks_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=31))
    code, out, err = run(capsys, "prune", "--older-than", "30d", "--dry-run")
    assert (code, "Tides" in out, out.splitlines()[-1], err) == (0, True, "1 session would be deleted.", "")
    assert kept(home) == {TIDES}


def test_pruning_spares_what_is_open_and_has_done_its_work(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"), timedelta(days=31))
    keep(home, STARS, short(STARS, "Stars"), timedelta(days=31))
    library = Library(home / "acp" / "sessions")
    journal = library.journal(TIDES, pytest.fail, library.read(TIDES))
    journal.claim()
    code, out, err = run(capsys, "prune", "--older-than", "30d", "--yes")
    journal.close()
    assert (code, out.splitlines()[-1], len(err.splitlines())) == (0, "Deleted 1 of 2 sessions.", 1)
    assert (err.startswith(f"openhands-acp sessions: {TIDES}: "), kept(home)) == (True, {TIDES})


def test_without_a_terminal_nothing_is_deleted_unless_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"))
    for words in (["delete", TIDES], ["prune", "--older-than", "0m"]):
        code, out, err = run(capsys, *words)
        assert (code, "Tides" in out, "give --yes" in err, kept(home)) == (2, True, True, {TIDES})


def test_a_session_that_is_open_elsewhere_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"))
    keep(home, STARS, short(STARS, "Stars"))
    library = Library(home / "acp" / "sessions")
    journal = library.journal(TIDES, pytest.fail, library.read(TIDES))
    journal.claim()
    code, out, err = run(capsys, "delete", "--yes", TIDES, STARS)
    journal.close()
    assert (code, out.splitlines()[-1], err.startswith(f"openhands-acp sessions: {TIDES}: ")) == (
        1,
        "Deleted 1 of 2 sessions.",
        True,
    )
    assert kept(home) == {TIDES}


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, set[str]()), ("", 1, {TIDES}), ("no", 1, {TIDES})])
def test_a_person_is_asked_before(home: Path, answer: str, code: int, left: set[str]) -> None:
    keep(home, TIDES, short(TIDES, "Tides"))
    with Terminal(home, "sessions", "delete", "aa") as terminal:
        shown = terminal.answer("Delete 1 session for good? [y/N]", answer)
        assert (terminal.wait(), "Tides" in shown, kept(home)) == (code, True, left)


# ---------------------------------------------------------------- command lines


@pytest.mark.parametrize(
    "words",
    [
        "",
        "lisst",
        "list --all --cwd /",
        "list now",
        "show",
        "export",
        "export aa --format csv",
        "delete",
        "prune",
        "prune --older-than soon",
        "prune --older-than 30",
        "prune --older-than -1d",
        "prune --older 30d",
    ],
)
def test_a_command_line_that_makes_no_sense_exits_with_2(
    home: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["sessions", *words.split()])
    assert (exit_.value.code, capsys.readouterr().out) == (2, "")


@pytest.mark.parametrize(
    ("words", "resume"),
    [
        ("", None),
        ("--resume 7d1f", "7d1f"),
        ("--resume=7d1f --yolo", "7d1f"),
        ("--resume --last", "last"),
        ("--last --resume", "last"),
        ("--resume last", "last"),
        ("--resume last --last", "last"),
    ],
)
def test_a_session_to_continue_is_an_option(words: str, resume: str | None) -> None:
    assert parse(words.split()) == Options(resume=resume, mode="always-approve" if "--yolo" in words else None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--resume", "--resume needs an ID, as `openhands-acp sessions list` shows it, or --last"),
        ("--resume --yolo", "--resume needs an ID, as `openhands-acp sessions list` shows it, or --last"),
        ("--last", "--last goes with --resume: give --resume --last"),
        ("--resume 7d1f --last", "--resume takes an ID or --last, not both"),
    ],
)
def test_a_session_to_continue_that_is_none_is_told(capsys: pytest.CaptureFixture[str], words: str, told: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse(words.split())
    assert (exit_.value.code, capsys.readouterr().err.splitlines()[-1]) == (2, f"openhands-acp: error: {told}")

"""What a person trusts is kept by folder and by what it was; nothing that cannot be read trusts anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openhands_acp.engine.guidance.inventory import Withheld
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.trusted import Trusted


def thing(folder: Path, digest: str = "1") -> Withheld:
    return Withheld(AbsPath(str(folder)), "runs something", digest)


def test_trust_is_of_one_thing_in_one_folder(tmp_path: Path) -> None:
    path = tmp_path / "home/trust.json"
    assert Trusted(path).extend([thing(tmp_path / "a")], for_good=True) == ""
    later = Trusted(path)
    assert later.covers(thing(tmp_path / "a"))
    assert not later.covers(thing(tmp_path / "a", "2"))
    assert not later.covers(thing(tmp_path / "b"))
    assert not later.covers(thing(tmp_path / "a/inner"))


def test_for_this_time_is_only_for_this_session(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    first = Trusted(path)
    first.extend([thing(tmp_path)], for_good=False)
    assert first.covers(thing(tmp_path))
    assert not Trusted(path).covers(thing(tmp_path))
    assert not path.exists()


def test_what_is_taken_back_is_trusted_no_more_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    trusted = Trusted(path)
    trusted.extend([thing(tmp_path / "a", "1"), thing(tmp_path / "b", "2")], for_good=True)
    trusted.extend([thing(tmp_path / "a", "3")], for_good=False)
    a = AbsPath(str(tmp_path / "a"))
    assert trusted.extended([a]) == 2
    assert trusted.forget([a]) == ""
    assert trusted.extended([a]) == 0
    for each in (trusted, Trusted(path)):
        assert not each.covers(thing(tmp_path / "a", "1"))
        assert each.covers(thing(tmp_path / "b", "2"))


def test_what_another_window_added_stays_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    one, other = Trusted(path), Trusted(path)
    one.extend([thing(tmp_path, "1")], for_good=True)
    other.extend([thing(tmp_path, "2")], for_good=True)
    assert one.covers(thing(tmp_path, "2"))
    assert other.covers(thing(tmp_path, "1"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"folders": []}',
        b'{"folders": {"ROOT": "1"}}',
        b'{"folders": {"ROOT": [1]}}',
        b"[" * 9999,
    ],
)
def test_a_file_that_makes_no_sense_trusts_nothing_and_is_written_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trust.json"
    path.write_bytes(content.replace(b"ROOT", str(tmp_path).encode()))
    trusted = Trusted(path)
    assert not trusted.covers(thing(tmp_path))
    assert trusted.extend([thing(tmp_path)], for_good=True) == ""
    assert Trusted(path).covers(thing(tmp_path))


def test_where_the_disk_refuses_it_counts_in_this_session_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    trusted = Trusted(tmp_path / "home/trust.json")
    assert "in this session only" in trusted.extend([thing(tmp_path)], for_good=True)
    assert trusted.covers(thing(tmp_path))


def test_a_folder_of_the_settings_covers_all_inside_and_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "work/link").symlink_to(tmp_path / "elsewhere")
    trusted = Trusted(tmp_path / "trust.json", [str(tmp_path / "work")])
    assert trusted.covers(thing(tmp_path / "work"))
    assert trusted.covers(thing(tmp_path / "work/a/b"))
    assert not trusted.covers(thing(tmp_path / "work2"))
    # Where a link leads is what it is.
    assert not trusted.covers(thing(tmp_path / "work/link"))


def test_only_so_much_is_kept_and_the_latest_of_it(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    Trusted(path).extend([thing(tmp_path, str(number)) for number in range(3_000)], for_good=True)
    [digests] = json.loads(path.read_text())["folders"].values()
    assert (len(digests), digests[-1]) == (2_000, "2999")

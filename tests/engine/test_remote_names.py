"""What a model calls other people's tools: names that every provider takes, one for each tool, and always the same."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.servers.remote_names import LONGEST, remote_name

# Few characters, so that names that come close to each other are found.
PARTS = st.one_of(st.text("a_-1 é", max_size=6), st.text(max_size=80), st.text("ab_", min_size=40, max_size=80))
PAIRS = st.tuples(PARTS, PARTS)
TAKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("github", "create_issue", "github__create_issue"),
        ("my-server_2", "list", "my-server_2__list"),
        ("a", "_b", "a___b"),
        ("a_", "b", "a___b_dcd870fd18"),
        ("a", "b__c", "a__b__c"),
        ("a__b", "c", "a__b__c_bf3c0c39c6"),
        ("21st", "x", "_21st__x_acd295a832"),
        ("io.github.me/notes", "read note", "io_github_me_notes__read_note_5d518c1e1d"),
        ("s", "t" * 80, "s__" + "t" * 50 + "_32613ea34e"),
        ("s", "t_0123456789", "s__t_0123456789_07041042a0"),
    ],
)
def test_a_name_is_as_plain_as_it_can_be(server: str, tool: str, name: str) -> None:
    assert remote_name(server, tool) == name


@given(PAIRS)
def test_every_provider_takes_the_name(pair: tuple[str, str]) -> None:
    name = remote_name(*pair)
    assert len(name) <= LONGEST
    assert TAKEN.fullmatch(name)


@given(st.sets(PAIRS, max_size=12))
def test_no_two_tools_share_a_name(pairs: set[tuple[str, str]]) -> None:
    names = [remote_name(*pair) for pair in pairs]
    assert len(set(names)) == len(pairs)


@given(st.text("ab_", max_size=8), st.text("ab_", max_size=8))
def test_wherever_a_name_is_cut_in_two_it_is_another(left: str, right: str) -> None:
    whole = f"{left}__{right}"
    cuts = [match.start() for match in re.finditer("(?=__)", whole)]
    names = [remote_name(whole[:cut], whole[cut + 2 :]) for cut in cuts]
    assert all(one != other for one, other in combinations(names, 2))

"""A judgement is read strictly, and of the right work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.items import Item
from openhands_acp.engine.judging import Verdict, since, verdict_in
from openhands_acp.engine.messages import Text, UserMessage


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"score": 0.5, "complete": false, "missing": " tests "}', Verdict(False, "tests", 0.5)),
        ('```json\n{"complete": true, "missing": ""}\n```', Verdict(True, "")),
        ('I looked at {x}. {"complete": true, "score": 1}. Well done {you}!', Verdict(True, "", 1.0)),
        ('{"complete": false} No: {"complete": true}', Verdict(True, "")),
        ('{"complete": true, "score": 7, "missing": null}', Verdict(True, "")),
        ('{"complete": true, "score": true}', Verdict(True, "")),
        ('{"complete": "true"}', None),
        ('{"verdict": {"complete": true}}', Verdict(True, "")),
        ('{"complete": true', None),
        ("", None),
    ],
)
def test_a_judgement_is_read_whatever_stands_around_it(text: str, verdict: Verdict | None) -> None:
    assert verdict_in(text) == verdict


@given(st.text(alphabet='{}"complet:rufas, 01', max_size=60))
def test_no_text_breaks_the_reading(text: str) -> None:
    verdict = verdict_in(text)
    assert verdict is None or verdict.is_complete in (True, False)


def test_the_work_is_what_came_after() -> None:
    # Equal, but not the same: what was said twice is two things.
    first, again = UserMessage((Text("go"),)), UserMessage((Text("go"),))
    items: list[Item] = [first, again]
    assert since(items, None) == items
    assert list(since(items, first)) == [again]
    assert since(items, again) == []
    assert since([again], first) == [again]

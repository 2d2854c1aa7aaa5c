"""The first rung of a compaction costs nothing: what old calls resulted in, and long texts that they were given, go."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.context.compaction import RECENT, without_old_outputs
from openhands_acp.engine.items import Item, Step, messages_of, weight_of_item
from openhands_acp.engine.messages import AssistantMessage, CallMade, JsonValue, ToolMessage

LONG = "x" * 1_000
NOTE = "[1,000 characters, which were here, are left out to save room]"
RESULT = "[1,000 characters that file_editor resulted in are left out to save room; WHERE c]"


def step(arguments: str, result: str = "ok", blocks: JsonValue = None, key: str = "c") -> Step:
    return Step(calls={key: CallMade(key, "file_editor", arguments)}, results={key: (result, ())}, blocks=blocks)


def read_of(item: Step) -> tuple[str, str]:
    """What a model reads of an old call: arguments and result."""
    items: list[Item] = [item, *(Step(text="so") for _ in range(RECENT))]
    plan = without_old_outputs(items, lambda key: f"WHERE {key}")
    messages = messages_of(plan.of(items)[0] if plan else item)
    match messages:
        case [AssistantMessage(calls=(made,)), ToolMessage(text=result)]:
            return made.arguments, result
        case _:
            raise AssertionError(messages)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"command": "create", "file_text": LONG}, {"command": "create", "file_text": NOTE}),
        ({"edits": [{"old_str": LONG, "new_str": "b"}]}, {"edits": [{"old_str": NOTE, "new_str": "b"}]}),
        ({"path": "a", "view_range": [1, 2], "deep": None}, None),
        ({"é": "é" * 1_000}, {"é": NOTE}),
        ({"many": ["x" * 300] * 9}, None),
    ],
)
def test_long_texts_in_arguments_give_way_to_a_note(given: Mapping[str, JsonValue], read: JsonValue) -> None:
    arguments, result = read_of(step(json.dumps(given)))
    assert (json.loads(arguments), result) == (given if read is None else read, "ok")


@pytest.mark.parametrize("arguments", [f'{{"file_text": "{LONG}', LONG, f'{{"a": {"[" * 100_000}'])
def test_what_is_no_json_stays(arguments: str) -> None:
    assert read_of(step(arguments)) == (arguments, "ok")


def test_calls_that_came_with_a_signed_thought_stay_as_they_were() -> None:
    arguments = json.dumps({"file_text": LONG})
    assert read_of(step(arguments, LONG, blocks=[{"signature": "s"}])) == (arguments, RESULT)
    assert read_of(step(arguments, LONG)) == (json.dumps({"file_text": NOTE}), RESULT)


VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([LONG, "é" * 500]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), max_size=7))
def test_an_object_stays_one_and_nothing_grows_and_the_last_steps_stay(
    calls: Sequence[Mapping[str, JsonValue]],
) -> None:
    items: list[Item] = [step(json.dumps(arguments), key=f"c{number}") for number, arguments in enumerate(calls)]
    plan = without_old_outputs(items, lambda _key: "")
    after = plan.of(items) if plan else items
    assert after[-RECENT:] == items[-RECENT:]
    for before, now in zip(items, after, strict=True):
        assert isinstance(before, Step)
        assert isinstance(now, Step)
        assert weight_of_item(now) <= weight_of_item(before)
        ((was,), (made,)) = before.calls.values(), now.calls.values()
        assert json.loads(made.arguments).keys() == json.loads(was.arguments).keys()

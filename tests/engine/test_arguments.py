"""What models write for the arguments of a call, and what they mean by it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from openhands_acp.engine.arguments import End, Reading, Unreadable, fitted, read, tool_named
from openhands_acp.engine.messages import JsonObject

LS: JsonObject = {"command": "ls"}


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        # By the letter.
        ('{"command": "ls"}', LS),
        ("", {}),
        ("{}", {}),
        (' {"a": [1, -2.5e3, null, true]} ', {"a": [1, -2500.0, None, True]}),
        # Raw control characters in a text.
        ('{"file_text": "one\ntwo\tthree\x00"}', {"file_text": "one\ntwo\tthree\x00"}),
        # Twice encoded, in a list, in a fence.
        (json.dumps(json.dumps(LS)), LS),
        ('[{"command": "ls"}]', LS),
        ('```json\n{"command": "ls"}\n```', LS),
        # Doubled, or behind an empty object that some servers send ahead.
        ('{"command": "ls"}{"command": "ls"}', LS),
        ('{}{"command": "ls"}', LS),
        ('{"command": "ls"}\n{"command": "ls"}{"command": "ls"}', LS),
        # Trailing garbage.
        ('{"command": "ls"}}', LS),
        ('{"command": "ls"}</function>\n</tool_call>', LS),
        ('{"command": "ls"}<|tool_call_end|>', LS),
        ('{"command": "ls"}]}\n', LS),
        # Python, and JavaScript.
        ("{'command': 'ls'}", LS),
        ("{'really': True, 'job': None, 'sure': false}", {"really": True, "job": None, "sure": False}),
        ("{'command': 'echo \"hi\"'}", {"command": 'echo "hi"'}),
        ("""{'command': "it's"}""", {"command": "it's"}),
        (r"{'command': 'it\'s'}", {"command": "it's"}),
        ('{command: "ls"}', LS),
        ('{"command": "ls",}', LS),
        ('{"range": [1, 2,],}', {"range": [1, 2]}),
        # A backslash that is not escaped, where no other is.
        (r'{"pattern": "\d+\s*\("}', {"pattern": r"\d+\s*\("}),
        (r'{"pattern": "a\.b", "path": "x\ny"}', {"pattern": r"a\.b", "path": "x\ny"}),
        (r'{"command": "echo \$HOME \"x\""}', {"command": r'echo $HOME "x"'.replace("$", r"\$")}),
        ("{'a': '\\u00e9\\ud83d\\ude00'}", {"a": "é😀"}),
    ],
)
def test_what_can_be_meant_in_one_way_only_is_read(written: str, arguments: JsonObject) -> None:
    reading = read(written)
    assert (reading.arguments, reading.end) == (arguments, "whole")


@pytest.mark.parametrize(
    ("written", "arguments", "end"),
    [
        ('{"command": "ls"', LS, "no brackets"),
        ('{"command": "ls"\n', LS, "no brackets"),
        ('{"edits": [{"old_str": "a"', {"edits": [{"old_str": "a"}]}, "no brackets"),
        ('{"edits": [{"old_str": "a"}]', {"edits": [{"old_str": "a"}]}, "no brackets"),
        ('{"really": true', {"really": True}, "no brackets"),
        ('{"command": "ls', LS, "no quote"),
        ("{'command': 'ls", LS, "no quote"),
        ('{"timeout": 12', {"timeout": 12}, "no quote"),
    ],
)
def test_what_is_missing_at_the_end_is_told(written: str, arguments: JsonObject, end: End) -> None:
    assert read(written) == Reading(arguments, end=end)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("ls", "have something that is no value, at character 0, near 'ls'"),
        ("[1, 2]", "must be one JSON object, got [1, 2]"),
        ('"ls"', "have something that is no value, at character 0, near 'ls'"),
        ("NaN", "have something that is no value, at character 0, near 'NaN'"),
        ('{"command": "echo "hi""}', "have a quote inside a text that is not escaped, at character 19, near "),
        ("{'command': 'echo 'hi''}", "have a quote inside a text that is not escaped, at character 19, near "),
        # Python would join the two; what was meant has a quote in it.
        ('{"command": "echo ""hi"""}', "have a quote inside a text that is not escaped, at character 19, near "),
        ('{"command": "ls"}{"command": "pwd"}', "are several JSON objects, where a call takes one"),
        ('{"file_text": "x"} and "more"}', "have something that is no value, at character 19, near "),
        ('{"command": "ls", "time', "have no name where one has to come, at character 23, near "),
        ('{"command": "ls",', "have no name where one has to come, at character 17, near "),
        ('{"command":', "end where a value has to come, at character 11, near "),
        ('{"command" "ls"}', "have a quote inside a text that is not escaped, at character 11, near "),
        # `\b` may be a backspace, or the word boundary that the rest of the pattern makes likely.
        (r'{"pattern": "\bfoo\d"}', "have a backslash that is not escaped, at character 21, near "),
        (r'{"command": "it\'s"}', "have a backslash that is not escaped, at character 19, near "),
        (r'{"pattern": "\u12"}', "have a backslash that is not escaped, at character 18, near "),
        ('{"a":' * 5_000, "are nested too deeply"),
        ("[" * 100_000, "are nested too deeply"),
    ],
)
def test_what_may_be_meant_in_several_ways_is_told(written: str, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(written)
    assert str(caught.value).startswith(reason)


def objects_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
    values: st.SearchStrategy[Any] = st.recursive(
        scalars,
        lambda parts: st.lists(parts, max_size=4) | st.dictionaries(texts, parts, max_size=4),
        max_leaves=10,
    )
    return st.dictionaries(texts, values, max_size=4)


json_objects = objects_of(st.text())
# Of characters that do not print, Python's escapes are not JSON's.
printing = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" \n\t\"'\\"))


@settings(max_examples=60, deadline=None)
@given(json_objects, st.booleans())
def test_what_is_json_is_read_by_the_letter(arguments: dict[str, Any], ascii_only: bool) -> None:
    assert read(json.dumps(arguments, ensure_ascii=ascii_only)) == Reading(arguments, is_exact=True)


@settings(max_examples=60, deadline=None)
@given(objects_of(printing))
def test_what_python_prints_for_json_is_read(arguments: dict[str, Any]) -> None:
    assert read(repr(arguments)).arguments == arguments


@settings(max_examples=60, deadline=None)
@given(json_objects, st.data())
def test_what_was_cut_off_is_never_taken_for_whole(arguments: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(arguments)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    with suppress(Unreadable):
        assert read(cut).end != "whole"


@settings(max_examples=60, deadline=None)
@given(st.text() | st.text(alphabet="{}[]\"':,\\ntrue1 <>", max_size=40))
def test_whatever_is_written_is_an_object_or_told(text: str) -> None:
    with suppress(Unreadable):
        assert json.loads(json.dumps(read(text).arguments)) is not None


# ---------------------------------------------------------------- against the schema

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "command": {"type": "string"},
        "mode": {"type": "string", "enum": ["str_replace", "view"]},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "really": {"type": "boolean"},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "either": {"type": ["boolean", "null"]},
        "view_range": {"type": "array", "items": {"type": "integer"}},
        "edits": {
            "type": "array",
            "items": {"type": "object", "properties": {"old_str": {"type": "string"}, "all": {"type": "boolean"}}},
        },
    },
}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"Command": "ls"}, LS),
        ({"cmd": "ls"}, LS),
        ({"viewRange": [1, 2], "VIEW-RANGE ": 1}, {"viewRange": [1, 2], "VIEW-RANGE ": 1}),
        ({"viewRange": "[1, -1]"}, {"view_range": [1, -1]}),
        ({"command": "ls", "cmd": "pwd"}, {"command": "ls", "cmd": "pwd"}),
        ({"mode": "View"}, {"mode": "view"}),
        ({"mode": "strReplace"}, {"mode": "str_replace"}),
        ({"mode": "undo"}, {"mode": "undo"}),
        ({"command": 5}, {"command": "5"}),
        ({"command": True}, {"command": "true"}),
        ({"command": ["ls", "-l"]}, {"command": ["ls", "-l"]}),
        ({"count": "5", "ratio": " 2.5 ", "really": "True"}, {"count": 5, "ratio": 2.5, "really": True}),
        ({"count": "five", "ratio": "true", "really": "1"}, {"count": "five", "ratio": "true", "really": "1"}),
        ({"count": True, "really": 1}, {"count": True, "really": 1}),
        ({"maybe": "7", "either": "false"}, {"maybe": 7, "either": False}),
        ({"view_range": ["1", 2]}, {"view_range": [1, 2]}),
        ({"edits": "[{'old_str': 'a', 'all': True}]"}, {"edits": [{"old_str": "a", "all": True}]}),
        ({"edits": '[{"old_str": "a"'}, {"edits": '[{"old_str": "a"'}),
        ({"edits": [{"oldStr": 1, "all": "true"}]}, {"edits": [{"old_str": "1", "all": True}]}),
        ({"unknown": 1}, {"unknown": 1}),
    ],
)
def test_names_and_types_become_those_of_the_schema_where_one_can_be_meant(
    given: JsonObject, taken: JsonObject
) -> None:
    assert fitted(given, SCHEMA) == taken


def test_a_tool_that_takes_any_name_is_given_the_names_that_were_written() -> None:
    schema: JsonObject = {"type": "object", "properties": {"path": {"type": "string"}}, "additionalProperties": True}
    assert fitted({"file": "a", "Path": "b"}, schema) == {"file": "a", "Path": "b"}


_of_type: Mapping[str, st.SearchStrategy[Any]] = {
    "string": st.text(),
    "integer": st.integers(),
    "number": st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    "boolean": st.booleans(),
}


def _of_more(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(st.text(max_size=5), parts, max_size=3)
    return st.fixed_dictionaries({"type": st.just("array"), "items": parts}) | st.fixed_dictionaries(
        {"type": st.just("object"), "properties": properties}
    )


schemas: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([{"type": name} for name in _of_type]), _of_more, max_leaves=6
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match schema["type"]:
        case "array":
            return st.lists(fitting(schema["items"]), max_size=3)
        case "object":
            return st.fixed_dictionaries({}, optional={k: fitting(v) for k, v in schema["properties"].items()})
        case name:
            return _of_type[name]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_fits_a_schema_is_never_changed(data: st.DataObject) -> None:
    properties = data.draw(st.dictionaries(st.text(max_size=5), schemas, max_size=4))
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    arguments = data.draw(fitting(schema))
    validator: Any = Draft202012Validator(schema)
    assert validator.is_valid(arguments)
    assert fitted(arguments, schema) == arguments


@settings(max_examples=60, deadline=None)
@given(json_objects)
def test_fitting_twice_changes_no_more_than_once(arguments: dict[str, Any]) -> None:
    once = fitted(arguments, SCHEMA)
    assert fitted(once, SCHEMA) == once


# ---------------------------------------------------------------- names of tools

TOOLS = ("terminal", "file_editor", "apply_patch", "think")


@pytest.mark.parametrize(
    ("written", "tool"),
    [
        ("terminal", "terminal"),
        ("Terminal", "terminal"),
        ("FileEditor", "file_editor"),
        ("file-editor", "file_editor"),
        ("functions.terminal", "terminal"),
        ("functions.terminal:0", "terminal"),
        ("terminal</function>", "terminal"),
        ("terminal<|channel|>commentary", "terminal"),
        ('terminal"', "terminal"),
        ("bash", "terminal"),
        ("execute_bash", "terminal"),
        ("str_replace_editor", "file_editor"),
        ("str_replace_based_edit_tool", "file_editor"),
        ("weather", "weather"),
        ("", ""),
    ],
)
def test_a_tool_is_known_by_what_models_call_it(written: str, tool: str) -> None:
    assert tool_named(written, TOOLS) == tool


def test_a_tool_of_that_name_counts_more_than_what_others_call_ours() -> None:
    assert tool_named("bash", ("terminal", "bash")) == "bash"
    assert tool_named("bash", ("think",)) == "bash"

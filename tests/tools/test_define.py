"""How a tool is made of a pydantic model: its schema, and what its arguments may look like."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.cards import Card
from openhands_acp.engine.messages import JsonObject
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.tool import Hands, Tool, ToolError, ToolResult
from openhands_acp.tools import BUILTIN
from openhands_acp.tools.define import RISK, define, settled
from openhands_acp.tools.file_editor import FileEditorArgs, file_editor
from openhands_acp.tools.finish import FinishArgs, finish
from openhands_acp.tools.task_tracker import TaskTrackerArgs, task_tracker
from openhands_acp.tools.think import ThinkArgs, think

ROOT = AbsPath("/w")


class Item(BaseModel):
    name: str
    size: float = 1.5


class Args(BaseModel):
    model_config = ConfigDict(defer_build=True)

    mode: Literal["fast", "slow"] = Field(description="How.")
    count: int = Field(default=3, ge=0, le=9)
    items: list[Item] | None = None
    really: bool = False


async def _run(args: Args, _hands: Hands) -> ToolResult:
    return ToolResult(args.mode)


def _sketch(arguments: JsonObject, _root: AbsPath) -> Card | None:
    return Card(json.dumps([arguments, settled(arguments)]), "other")


def _tool(risk: JsonObject | None = None) -> Tool:
    return define(
        name="try",
        description="Try.",
        args=Args,
        run=_run,
        card=lambda args, root: Card(f"{args.mode} {root}", "other"),
        sketch=_sketch,
        is_read_only=lambda args: args.mode == "slow",
        risk=risk,
    )


PROPERTIES = {
    "mode": {"type": "string", "enum": ["fast", "slow"], "description": "How."},
    "count": {"type": "integer", "minimum": 0, "maximum": 9, "default": 3},
    "items": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "size": {"type": "number", "default": 1.5}},
            "required": ["name"],
        },
    },
    "really": {"type": "boolean", "default": False},
}


def test_the_schema_is_inlined_and_has_no_titles() -> None:
    assert _tool().spec.parameters == {"type": "object", "properties": PROPERTIES, "required": ["mode"]}


def test_the_tools_that_every_request_carries_are_small() -> None:
    specs = [tool().spec for tool in BUILTIN]
    assert [spec.name for spec in specs] == [
        "terminal",
        "file_editor",
        "grep",
        "glob",
        "task_tracker",
        "think",
        "fetch",
        "ask_user",
        "exit_plan_mode",
        "finish",
    ]
    sent = [
        {
            "type": "function",
            "function": {"name": each.name, "description": each.description, "parameters": each.parameters},
        }
        for each in specs
    ]
    assert len(json.dumps(sent, separators=(",", ":")).encode()) <= 11_000


def test_a_risky_tool_asks_for_the_models_estimate_first_and_does_not_require_it() -> None:
    parameters = json.loads(json.dumps(_tool(RISK).spec.parameters))
    assert list(parameters["properties"]) == ["security_risk", *PROPERTIES]
    assert parameters["properties"]["security_risk"]["enum"] == ["LOW", "MEDIUM", "HIGH"]
    assert parameters["required"] == ["mode"]


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        (_tool(), Args),
        (file_editor(), FileEditorArgs),
        (task_tracker(), TaskTrackerArgs),
        (think(), ThinkArgs),
        (finish(), FinishArgs),
    ],
    ids=lambda each: each.spec.name if isinstance(each, Tool) else "",
)
def test_the_schema_says_what_pydantics_own_says(tool: Tool, args: type[BaseModel]) -> None:
    ours = json.loads(json.dumps(tool.spec.parameters))
    ours["properties"].pop("security_risk", None)
    theirs = args.model_json_schema()
    assert ours == _compact(theirs, theirs.get("$defs", {}))


def _compact(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Reduce pydantic's schema to ours: titles, references, null branches and null defaults resolved."""
    if "$ref" in schema:
        return _compact(definitions[schema["$ref"].split("/")[-1]], definitions)
    if "anyOf" in schema:
        (branch,) = (each for each in schema["anyOf"] if each != {"type": "null"})
        beside = {key: value for key, value in schema.items() if key != "anyOf"}
        return _compact({**branch, **beside}, definitions)
    if schema.get("type") == "object":
        properties = {key: _compact(value, definitions) for key, value in schema["properties"].items()}
        required = {"required": schema["required"]} if "required" in schema else {}
        return {"type": "object", "properties": properties, **required}
    return {
        key: _compact(value, definitions) if key == "items" else value
        for key, value in schema.items()
        if key != "title" and not (key == "default" and value is None)
    }


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ({"mode": "fast"}, Args(mode="fast")),
        ({"mode": "fast", "security_risk": "LOW", "count": None, "items": None}, Args(mode="fast")),
        ({"mode": "fast", "count": "5", "really": "true"}, Args(mode="fast", count=5, really=True)),
        ({"mode": "fast", "items": [{"name": "a", "size": None}]}, Args(mode="fast", items=[Item(name="a")])),
        ({"mode": "fast", "made_up": 1}, Args(mode="fast")),
    ],
)
def test_what_models_get_nearly_right_is_taken(arguments: JsonObject, args: Args) -> None:
    assert _tool().parse(arguments) == args


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "`mode` is missing"),
        ({"security_risk": "LOW"}, "`mode` is missing"),
        ({"Mode": "fast"}, "`mode` is missing; unknown: 'Mode'"),
        ({"mode": "quick"}, "`mode` must be one of 'fast' or 'slow', got 'quick'"),
        ({"mode": "fast", "count": "many"}, "`count` must be a whole number, got 'many'"),
        ({"mode": "fast", "count": 10}, "`count` should be less than or equal to 9, got 10"),
        ({"mode": "fast", "items": "[1"}, "`items` must be a list, got '[1'"),
        ({"mode": "fast", "items": ["a"]}, "`items[0]` must be an object, got 'a'"),
        (
            {"mode": 1, "items": [{"name": 1}, {}], "really": "perhaps"},
            "`mode` must be one of 'fast' or 'slow', got 1; `items[0].name` must be a string, got 1; "
            "`items[1].name` is missing; `really` must be true or false, got 'perhaps'",
        ),
        ({"mode": "x" * 100}, f"`mode` must be one of 'fast' or 'slow', got '{'x' * 59}..."),
    ],
)
def test_wrong_arguments_are_named_in_one_line(arguments: JsonObject, error: str) -> None:
    with pytest.raises(ToolError) as caught:
        _tool().parse(arguments)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("prefix", "arguments", "sure"),
    [
        ('{"mode": "fa', {"mode": "fa"}, {}),
        ('{"mode": "fast", "it', {"mode": "fast"}, {}),
        ('{"mode": "fast", "items": [{"name": "a', {"mode": "fast", "items": [{"name": "a"}]}, {"mode": "fast"}),
        ('{"mode": "a\\', {"mode": "a"}, {}),
        ("{", {}, {}),
    ],
)
def test_a_sketch_sees_what_can_be_told_of_a_prefix(prefix: str, arguments: object, sure: object) -> None:
    card = _tool().sketch(prefix, ROOT)
    assert card is not None
    assert json.loads(card.title) == [arguments, sure]


@pytest.mark.parametrize("prefix", ["", "x", "[1, 2", '"text', '{"a": nonsense'])
def test_what_is_no_object_has_no_sketch(prefix: str) -> None:
    assert _tool().sketch(prefix, ROOT) is None


def test_a_tool_without_a_sketch_or_a_claim_to_be_read_only_has_neither() -> None:
    tool = define(name="try", description="Try.", args=Args, run=_run, card=lambda _args, _root: None)
    assert tool.sketch('{"mode": "fast"}', ROOT) is None
    assert tool.is_read_only(Args(mode="slow")) is False
    assert _tool().is_read_only(Args(mode="slow")) is True


def test_a_type_that_has_no_schema_fails_at_once() -> None:
    class Odd(BaseModel):
        when: complex

    async def run(_args: Odd, _hands: Hands) -> ToolResult:
        return ToolResult("")

    with pytest.raises(TypeError, match="complex"):
        define(name="odd", description="", args=Odd, run=run, card=lambda _args, _root: None)

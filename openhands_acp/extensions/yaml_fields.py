"""The fields in front of a text, in YAML, with the lines that they are in. The one door of PyYAML, loaded late."""

from __future__ import annotations

import re
from typing import Any, Protocol

import yaml

from openhands_acp.extensions.frontmatter import Malformed

_FIELD = re.compile(r"^([A-Za-z_][\w-]*):[ \t]+(?![\"'\[{|>&*!])(.*:(?:[ \t].*)?)$")


_NUMBER = "tag:yaml.org,2002:int"
_MOST_DIGITS = 300


class _Loader(Protocol):
    """What is used of PyYAML's, which has no types of its own."""

    def get_single_node(self) -> yaml.Node | None: ...

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any: ...


def read_fields(text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the fields and their lines in the file, whose first line is the fence. Raises Malformed."""
    try:
        return _loaded(yaml.SafeLoader(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        malformed = Malformed(error.problem or "is not YAML", (mark.line if mark else 0) + 2)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A character that may not be there, a date that is none, lists in lists, thousands deep.
        raise Malformed(str(error).partition("\n")[0] or "is nested too deeply", 1) from None
    try:
        return _loaded(yaml.SafeLoader("\n".join(map(_quoted, text.splitlines()))))
    except (yaml.YAMLError, ValueError, RecursionError):
        raise malformed from None


def _refuse_long_numbers(root: yaml.Node) -> None:
    """Numbers of thousands of digits can be read, but not written out again."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        # What an alias stands for is looked at once, however often it is there.
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case yaml.MappingNode():
                waiting += [each for pair in node.value for each in pair]
            case yaml.SequenceNode():
                waiting += node.value
            case _ if node.tag == _NUMBER and len(node.value) > _MOST_DIGITS:
                raise Malformed("a number has too many digits", node.start_mark.line + 2)
            case _:
                pass


def _quoted(line: str) -> str:
    """Quote a text with a colon in it, which people forget: `description: Use when: always`."""
    if (found := _FIELD.match(line)) is None:
        return line
    doubled = found[2].replace("'", "''")
    return f"{found[1]}: '{doubled}'"


def _loaded(loader: _Loader) -> tuple[dict[str, Any], dict[str, int]]:
    node = loader.get_single_node()
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise Malformed("must be fields with names", 2)
    _refuse_long_numbers(node)
    fields: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 2
        if not isinstance(key, yaml.ScalarNode):
            raise Malformed("the name of a field must be a text", line)
        # Names are texts here, whatever YAML makes of `on` and `1`.
        name = str(key.value)
        if name in lines:
            raise Malformed(f"`{name}` is given twice", line)
        lines[name] = line
        fields[name] = loader.construct_object(value, deep=True)
    return fields, lines

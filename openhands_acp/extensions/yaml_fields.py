"""The fields in front of a text, in YAML, with the lines that they are in. The one door of PyYAML, loaded late."""

from __future__ import annotations

import re
from typing import Any, Protocol

import yaml

from openhands_acp.extensions.frontmatter import Malformed

_FIELD = re.compile(r"^([A-Za-z_][\w-]*):[ \t]+(?![\"'\[{|>&*!])(.*:(?:[ \t].*)?)$")


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
    fields: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        # Names are texts here, whatever YAML makes of `on` and `1`.
        name, line = str(key.value), key.start_mark.line + 2
        if name in lines:
            raise Malformed(f"`{name}` is given twice", line)
        lines[name] = line
        fields[name] = loader.construct_object(value, deep=True)
    return fields, lines

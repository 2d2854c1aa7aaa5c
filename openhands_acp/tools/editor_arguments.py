"""What models call the file editor's arguments, and what they write for a path.

Pure; knows no files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import cast

_SAME: Mapping[str, str] = {
    "old_string": "old_str",
    "old_text": "old_str",
    "new_string": "new_str",
    "new_text": "new_str",
    "replacements": "edits",
}
"""Other editors' words, but for those that every tool's arguments are translated from (`engine.arguments`)."""
_TEXT = ("content", "contents", "text", "insert_text", "code")
"""What is new, under whatever name; which of ours that is, the command says."""
_REMARKS = frozenset(("summary", "description", "explanation", "thought", "reason"))
"""Said about the call, not to it."""
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_OF_AN_EDIT = ("old_str", "new_str", "replace_all")


def in_our_words(given: Mapping[str, object], fields: Collection[str]) -> dict[str, object]:
    """Translate arguments that have another name elsewhere. Raises ValueError for what is no argument at all."""
    result = {key: value for key, value in given.items() if key in fields}
    foreign = {key: value for key, value in given.items() if key not in fields and key not in _REMARKS}
    everywhere = foreign.pop("replace_all", None)
    for key in list(foreign):
        ours = _translated(key, result, fields)
        if ours is not None:
            result[ours] = foreign.pop(key)
    _refuse(foreign, fields)
    if everywhere and not result.get("edits") and "old_str" in result:
        only = {key: result.pop(key) for key in ("old_str", "new_str") if key in result}
        result["edits"] = [{**only, "replace_all": everywhere}]
    edits = result.get("edits")
    if isinstance(edits, Mapping):
        edits = [cast("object", edits)]
    if isinstance(edits, list):
        result["edits"] = [_one(each) for each in cast("list[object]", edits)]
    return result


def _one(edit: object) -> object:
    if not isinstance(edit, Mapping):
        return edit
    ours = {_SAME.get(key, key): value for key, value in cast("Mapping[str, object]", edit).items()}
    _refuse({key: value for key, value in ours.items() if key not in _REMARKS}, _OF_AN_EDIT, only=True)
    return {key: value for key, value in ours.items() if key in _OF_AN_EDIT}


def _refuse(foreign: Mapping[str, object], known: Collection[str], *, only: bool = False) -> None:
    wrong = [f"`{key}`" for key in foreign if key not in known]
    if wrong:
        where = "an edit has" if only else "there are"
        raise ValueError(f"there is no argument {' and no '.join(wrong)}; {where} {', '.join(known)}")


def _translated(key: str, given: Mapping[str, object], known: Collection[str]) -> str | None:
    ours = _SAME.get(key)
    if key in _TEXT:
        ours = "file_text" if given.get("command") == "create" else "new_str"
    return ours if ours and ours in known and ours not in given else None


def _decoded(found: re.Match[str]) -> str:
    return bytes.fromhex(found[0].replace("%", "")).decode("utf-8", "replace")


def usable_path(path: str) -> str:
    """Take a path as it was meant. Raises ValueError, with what to write instead, for what no file can be called."""
    meant = path.strip("\r\n")
    if meant.startswith("file://"):
        meant = "/" + _PERCENT.sub(_decoded, meant.removeprefix("file://")).partition("/")[2]
    if not meant.strip():
        raise ValueError("is empty; name the file or directory")
    if "\0" in meant or "\n" in meant:
        raise ValueError(f"must be one line without NUL characters, got {meant[:60]!r}")
    try:
        meant.encode()
    except UnicodeEncodeError:
        raise ValueError(f"has half a character in it: {meant[:60]!r}; write the name anew") from None
    return meant

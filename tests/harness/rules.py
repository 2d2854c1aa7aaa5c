"""What the validators of all protocols share: shapes of JSON, and what a provider remembers of its answers."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

Body = Mapping[str, Any]

NOTHING: Body = {}


@dataclass(frozen=True, slots=True)
class Memory:
    """What a provider said, as far as it wants it back unchanged."""

    signed: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """By the signature: in which protocol, and the text of the thought."""
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    """Responses: by an item's id, the id of the reasoning that it followed."""

    def signature_faults(self, where: str, protocol: str, signature: str, text: str) -> Iterator[str]:
        """A signature that was never given here is believed: histories may be made up."""
        given_in, said = self.signed.get(signature, (protocol, text))
        if not signature or given_in != protocol:
            yield f"{where}: Invalid `signature` in `thinking` block"
        elif said != text:
            yield f"{where}: `thinking` blocks in the latest assistant message cannot be modified"


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def objects(value: object, where: str, faults: list[str]) -> list[Body]:
    """The objects in a list that must have something in it, and nothing else; what is wrong goes to `faults`."""
    if not is_list(value) or not value:
        faults.append(f"{where}: not a list with something in it")
        return []
    found: list[Body] = [each for each in value if is_object(each)]
    if len(found) != len(value):
        faults.append(f"{where}: one is not an object")
    return found


def unknown(fields: Body, known: Collection[str], where: str) -> Iterator[str]:
    for name in fields:
        if name not in known:
            yield f"{where}: unknown field {name!r}"


def is_json_object(text: object) -> bool:
    try:
        return isinstance(text, str) and is_object(json.loads(text))
    except ValueError:
        return False


def duplicates(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})

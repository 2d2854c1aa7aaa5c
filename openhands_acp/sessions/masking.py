"""Keys out of what is kept, before a person passes it on: in every text of a conversation, wherever it stands.

Knows the events' shapes; how a key looks is `redaction`'s. What is on the disk stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

from openhands_acp.display import plain
from openhands_acp.engine.events import ActionEvent, Entry
from openhands_acp.engine.messages import Image
from openhands_acp.options import Options
from openhands_acp.providers import keys_in
from openhands_acp.redaction import redactor
from openhands_acp.settings import load_settings
from openhands_acp.store.listing import Summary
from openhands_acp.store.reading import Stored

Mask = Callable[[str], str]

_KEPT = frozenset("role mode kind security_risk rejection_source option channel status stop_reason key moment".split())
"""Fields of fixed words: where a person's key is such a word (servers at home take any), the spelling still stands."""

_ESCAPE = re.compile(r"(\\(?:[nrtbfve]|[ux][0-9A-Fa-f]{2,4}|033)(?:\[[0-9;]*[A-Za-z])?|%[0-9A-Fa-f]{2})")
"""Characters spelt with letters, as a line break in JSON: a key behind one does not seem to begin a word."""


def masking(environ: Mapping[str, str], home: Path) -> Mask:
    """Return what masks all keys that are configured here, in force or not, and whatever looks like one."""
    in_files = load_settings(Options(), {**environ, "OPENHANDS_PERSISTENCE_DIR": str(home)}).secrets
    redact = redactor([*keys_in(environ), *(secret.value for secret in in_files)])

    def by_pieces(text: str) -> str:
        masked = redact(text)
        pieces = _ESCAPE.split(masked)
        return "".join(map(redact, pieces)) if len(pieces) > 1 else masked

    def mask(text: str) -> str:
        masked = by_pieces(text)
        bare = plain(masked)
        # Colours that end at a key, or stand in it, hide it from the pattern, but not from a reader.
        return masked if bare == masked or (found := by_pieces(bare)) == bare else found

    return mask


def masked_stored(stored: Stored, mask: Mask) -> Stored:
    entries = [Entry(entry.id, entry.timestamp, _masked(entry.event, mask)) for entry in stored.entries]
    return replace(stored, entries=entries, notes=_masked(stored.notes, mask))


def masked_summary(summary: Summary, mask: Mask) -> Summary:
    return replace(summary, title=_masked(summary.title, mask), roots=_masked(summary.roots, mask))


def _masked(value: Any, mask: Mask) -> Any:
    """Mask every text in a value of the events' types, or in JSON, and leave its shape as it is."""
    match value:
        case str():
            return mask(value)
        case Image():
            # Base64 has no keys to read, and a chance hit would spoil the picture.
            return value
        case ActionEvent():
            mended = value.mended and _masked_json(value.mended, mask)
            return replace(_masked_fields(value, mask), arguments=_masked_json(value.arguments, mask), mended=mended)
        case tuple() | list():
            items = [_masked(item, mask) for item in cast("Sequence[Any]", value)]
            return tuple(items) if isinstance(value, tuple) else items
        case Mapping():
            pairs = cast("Mapping[Any, Any]", value).items()
            return {_masked(name, mask): _masked(item, mask) for name, item in pairs}
        case _:
            return _masked_fields(value, mask) if is_dataclass(value) else value


def _masked_fields(value: Any, mask: Mask) -> Any:
    names = [field.name for field in fields(value) if field.name not in _KEPT and not field.name.endswith("_id")]
    return replace(value, **{name: _masked(getattr(value, name), mask) for name in names})


def _masked_json(text: str, mask: Mask) -> str:
    """Mask what a model wrote as JSON, by its values, so that it stays JSON; what is none is masked as text."""
    try:
        value: Any = json.loads(text, strict=False, object_pairs_hook=_without_repetition)
        masked = _masked(value, mask)
    except (ValueError, RecursionError):
        return mask(text)
    # Where nothing is masked, it stays as the model spelt it.
    return text if masked == value else json.dumps(masked, ensure_ascii=False)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        # A key in the first of two would be read by people, and by no parser.
        raise ValueError("a name twice")
    return value

"""JSON Schemas of what people write and read, generated from the code that reads and writes it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from openhands_acp.engine.messages import JsonObject
from openhands_acp.settings_files import AcpFile
from openhands_acp.store.codec import entry_schema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> Mapping[str, JsonObject]:
    """Return every schema by the name of its file."""
    return {
        "acp.toml.schema.json": {"$schema": _DIALECT, **AcpFile.model_json_schema()},
        "journal-entry.schema.json": entry_schema(),
    }


def as_text(schema: JsonObject) -> str:
    """Spell a schema as its file does."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(argv: Sequence[str]) -> int:
    """Write all schemas to a directory, or print them as one object by file name."""
    parser = argparse.ArgumentParser(
        prog="openhands-acp schemas",
        description="JSON Schemas of the settings file and the journal.",
        allow_abbrev=False,
    )
    parser.add_argument("directory", type=Path, nargs="?", help="write one file each there; without it, print them")
    directory: Path | None = parser.parse_args(argv).directory
    if directory is None:
        sys.stdout.write(as_text(schemas()))
        return 0
    directory.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (directory / name).write_text(as_text(schema), encoding="utf-8", newline="\n")
    return 0

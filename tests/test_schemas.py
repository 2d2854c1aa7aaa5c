from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError, validate

from openhands_acp.cli import main
from openhands_acp.schemas import as_text, schemas
from openhands_acp.settings_files import AcpFile

FOLDER = Path(__file__).parent.parent / "schemas"


def test_the_files_are_those_that_the_code_makes() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert written == {name: as_text(schema) for name, schema in schemas().items()}, "run `make schemas`"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_each_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        ('model = "a/b"\nmax_steps = 3\n[deadlines]\nconnect = 1', True),
        ("", True),
        ("max_steps = 0", False),
        ('max_steps = "3"', False),
        ("mode = 'yolo'", False),
        ("max_step = 3", False),
        ("[deadlines]\nconnect = 0", False),
    ],
)
def test_the_schema_of_acp_toml_accepts_what_the_program_accepts(text: str, is_valid: bool) -> None:
    table = tomllib.loads(text)
    by_schema = fails(ValidationError, lambda: validate(table, schemas()["acp.toml.schema.json"]))
    by_program = fails(ValueError, lambda: AcpFile.model_validate(table))
    assert (by_schema, by_program) == (not is_valid, not is_valid)


def fails(error: type[Exception], check: Callable[[], object]) -> bool:
    try:
        check()
    except error:
        return True
    return False


def test_the_command_prints_them_all_as_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schemas"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(as_text(schemas()))


def test_the_command_writes_them_to_a_directory(tmp_path: Path) -> None:
    assert main(["schemas", str(tmp_path / "new")]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(schemas())

"""What a person is told about a settings file that is not right, and what of it still counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.settings_files import AcpFile, DeadlinesTable, OpenHandsFile, read_acp, read_openhands

GOOD = 'model = "openai/a"\n'


@pytest.mark.parametrize(
    ("text", "problems", "file"),
    [
        pytest.param(GOOD, [], AcpFile(model="openai/a"), id="good"),
        pytest.param("\ufeff" + GOOD.replace("\n", "\r\n"), [], AcpFile(model="openai/a"), id="as Notepad saves it"),
        pytest.param("", [], AcpFile(), id="empty"),
        pytest.param(
            GOOD + 'max_steps = "many"\n',
            [", line 2, max_steps: must be a valid integer"],
            AcpFile(model="openai/a"),
            id="wrong type",
        ),
        pytest.param(
            "model = 5\nmax_steps = 3",
            [", line 1, model: must be text in quotes"],
            AcpFile(max_steps=3),
            id="number for text",
        ),
        pytest.param(
            "# max_step = 1\n\nmax_step = 3\n" + GOOD,
            [", line 3, max_step: no such setting; did you mean 'max_steps'?"],
            AcpFile(model="openai/a"),
            id="misspelt",
        ),
        pytest.param(
            GOOD + 'mode = "yolo"\n',
            [
                ", line 2, mode: must be 'always-ask', 'accept-edits', 'llm-approve', 'always-approve' or 'plan'",
            ],
            AcpFile(model="openai/a"),
            id="no such mode",
        ),
        pytest.param(
            GOOD + "[deadlines]\nconnect = 0\nfirst_token = 9\nfist_token = 9\n",
            [
                ", line 3, deadlines.connect: must be greater than 0",
                ", line 5, deadlines.fist_token: no such setting; did you mean 'first_token'?",
            ],
            AcpFile(model="openai/a", deadlines=DeadlinesTable(first_token=9)),
            id="in a table",
        ),
        pytest.param(
            "deadlines.connect = false\n" + GOOD,
            [", line 1, deadlines.connect: must be a valid number"],
            AcpFile(model="openai/a", deadlines=DeadlinesTable()),
            id="dotted",
        ),
        pytest.param(
            GOOD + 'models = [\n  "openai/b",\n  5,\n  6,\n]\n',
            [", line 2, models.1: must be text in quotes", ", line 2, models.2: must be text in quotes"],
            AcpFile(model="openai/a"),
            id="in a list",
        ),
        pytest.param(
            'api_key = "sk-unclosed\n' + GOOD,
            [", line 1: not TOML: illegal character '\\n'"],
            AcpFile(model="openai/a"),
            id="unclosed quote",
        ),
        pytest.param(
            GOOD + "[deadlines\nconnect = 3\nmax_steps = 5\n",
            [", line 2: not TOML: expected ']' at the end of a table declaration"],
            AcpFile(model="openai/a"),
            id="a header that is none takes its table with it",
        ),
        pytest.param(
            GOOD + 'model = "openai/b"\nmax_steps = 2',
            [", line 2: not TOML: cannot overwrite a value"],
            AcpFile(model="openai/a", max_steps=2),
            id="twice",
        ),
    ],
)
def test_acp_toml(tmp_path: Path, text: str, problems: list[str], file: AcpFile) -> None:
    path = tmp_path / "acp.toml"
    path.write_text(text, encoding="utf-8", newline="")
    assert read_acp(path) == (file, [f"{path}{problem}" for problem in problems])


@pytest.mark.parametrize(
    ("text", "problems", "file"),
    [
        ('{"llm": {"model": "openai/a", "temperature": 0}}', [], OpenHandsFile(model="openai/a")),
        (
            '{"tools": [{"model": 1}],\n "llm": {\n  "model": 5,\n  "api_key": "k"}}',
            [", line 3, llm.model: must be text in quotes"],
            OpenHandsFile(api_key="k"),
        ),
        ('{"llm": \n nope}', [", line 2: not JSON: Expecting value"], OpenHandsFile()),
        ("[1]", [": has no `llm` object"], OpenHandsFile()),
        ('{"llm": "x"}', [": has no `llm` object"], OpenHandsFile()),
    ],
)
def test_agent_settings_json(tmp_path: Path, text: str, problems: list[str], file: OpenHandsFile) -> None:
    path = tmp_path / "agent_settings.json"
    path.write_text(text, encoding="utf-8")
    assert read_openhands(path) == (file, [f"{path}{problem}" for problem in problems])


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "acp.toml"
    path.write_bytes(b'model = "\xff"')
    assert read_acp(path) == (AcpFile(), [f"{path}: not UTF-8 at byte 9"])
    assert read_acp(tmp_path) == (AcpFile(), [f"{tmp_path}: cannot be read: Is a directory"])


@pytest.mark.parametrize("value", ["[" * 100_000, "9" * 5_000])
def test_a_value_beyond_all_bounds_is_told(tmp_path: Path, value: str) -> None:
    toml, json = tmp_path / "acp.toml", tmp_path / "agent_settings.json"
    toml.write_text(f"max_steps = {value}", encoding="utf-8")
    json.write_text(f'{{"llm": {value}}}', encoding="utf-8")
    acp, (toml_problem,) = read_acp(toml)
    openhands, (json_problem,) = read_openhands(json)
    assert (acp, openhands) == (AcpFile(), OpenHandsFile())
    assert toml_problem.startswith(f"{toml}: not TOML: ")
    assert json_problem.startswith(f"{json}: not JSON: ")


def test_a_key_of_the_wrong_type_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "acp.toml"
    path.write_text('api_key = ["sk-hidden"]\n', encoding="utf-8")
    assert "sk-hidden" not in " ".join(read_acp(path)[1])


_LINES = st.sampled_from(
    ['model = "a/b"', "model = 1", "[deadlines]", "[deadlines", "connect = 1", 'x = "', "'''", "{", "models = [", "]"]
)


@given(text=st.lists(_LINES | st.text(max_size=12), max_size=12).map("\n".join))
def test_no_file_stops_the_program(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    file, problems = read_acp(path)
    assert isinstance(file, AcpFile)
    assert all(problem.startswith(str(path)) for problem in problems)

"""What the papers say is so: commands are understood, settings are read, files and tests that are named exist."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from openhands_acp.acp.options import MODES
from openhands_acp.cli import main, parse
from openhands_acp.engine.commands.table import COMMANDS
from openhands_acp.extensions.hooks import hooks_in
from openhands_acp.extensions.shelf import Shelf
from openhands_acp.settings_files import AcpFile, DeadlinesTable, read_acp
from tests.harness.process import ROOT

PAPERS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "ARCHITECTURE.md")}
PAPERS["editor-configs/README.md"] = (ROOT / "editor-configs/README.md").read_text(encoding="utf-8")
README, ARCHITECTURE = PAPERS["README.md"], PAPERS["ARCHITECTURE.md"]
PACKAGE = ROOT / "openhands_acp"
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
CONFIGS = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "editor-configs").glob("*.json")}


@dataclass(frozen=True, slots=True)
class Block:
    paper: str
    language: str
    text: str


def blocks(language: str) -> list[Block]:
    fenced = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = [Block(paper, *match.groups()) for paper, text in PAPERS.items() for match in fenced.finditer(text)]
    return [block for block in found if block.language == language]


def inline(text: str) -> list[str]:
    """Return what stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def row_names(text: str, header: str) -> list[str]:
    """Return what is in backticks in the first column of the table that begins with `header`."""
    rows = text.partition(header)[2].partition("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in inline(row.split("|")[1])]


# ---------------------------------------------------------------- blocks


def test_every_block_is_of_a_kind_that_is_tried() -> None:
    fences = [line for text in PAPERS.values() for line in text.splitlines() if line.startswith("```")]
    assert set(fences[::2]) == {"```sh", "```json", "```toml", "```text"}
    assert set(fences[1::2]) == {"```"}


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.paper)
def test_a_settings_file_is_read_without_a_problem_and_shows_every_setting(tmp_path: Path, block: Block) -> None:
    path = tmp_path / "acp.toml"
    path.write_text(block.text, encoding="utf-8")
    file, problems = read_acp(path)
    assert problems == []
    assert (file.model_fields_set, file.deadlines and file.deadlines.model_fields_set) == (
        set(AcpFile.model_fields),
        set(DeadlinesTable.model_fields),
    )


def test_an_editors_block_is_its_file() -> None:
    shown = [json.loads(block.text) for block in blocks("json") if block.paper == "README.md"]
    others = [document for document in shown if document not in CONFIGS.values() and "hooks" not in document]
    assert others == [_env()]
    assert [name for name, file in CONFIGS.items() if file not in shown] == []
    assert [json.loads(block.text) for block in blocks("json") if block.paper != "README.md"] == [_env()]


def test_hooks_are_read_without_a_problem(tmp_path: Path) -> None:
    [written] = [block.text for block in blocks("json") if "hooks" in json.loads(block.text)]
    file, shelf = tmp_path / "hooks.json", Shelf()
    file.write_text(written, encoding="utf-8")
    assert [hook.event for hook in hooks_in(file, shelf)] == ["PreToolUse", "Stop"]
    assert shelf.problems == ()


def _env() -> Any:
    return {"env": {"LLM_MODEL": "anthropic/claude-sonnet-4-5", "LLM_API_KEY": "YOUR-KEY"}}


LINES = [line for block in blocks("sh") for line in block.text.splitlines()]


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_is_understood(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    match shlex.split(line):
        case ["make", target]:
            assert target in make_targets()
        case ["openhands-acp", *words]:
            understood(words, capsys)
        case ["toad", "acp", command, _folder, "-t", _title]:
            program, *options = shlex.split(command)
            understood(options, capsys)
            assert f'toad acp "{program}"' in (ROOT / "editor-configs/toad.sh").read_text(encoding="utf-8")
        case ["acpx", *words]:
            assert [word for word in words if word.startswith("-")] in ([], ["--approve-all"], ["--resume-session"])
        case words:
            assert words in (
                ["pip", "install", "."],
                ["uv", "tool", "install", "."],
                ["command", "-v", "openhands-acp"],
            )


def understood(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if words and not words[0].startswith("-"):
        command, *rest = words
        # Behind it is what another program is told.
        rest = rest[: rest.index("--")] if "--" in rest else rest
        assert [word for word in rest if word.startswith("-") and word not in options_of(command, capsys)] == []
    else:
        parse(words)


def options_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert exit_.value.code == 0
    return set(re.findall(r"--[a-z][a-z-]*", text))


def make_targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony
    return set(phony[1].split())


# ---------------------------------------------------------------- README


def test_the_two_commands_and_the_package_are_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"make demo", "make test"} <= set(LINES)
    assert {f"pip install {project['name']}", f"uvx {next(iter(project['scripts']))}"} <= set(inline(README))
    low, high = re.findall(r"3\.\d+", project["requires-python"])
    assert f"Python {low} to 3.{int(high[2:]) - 1}" in README


def test_every_pinned_release_runs_on_the_oldest_python_that_is_promised() -> None:
    oldest = re.findall(r"Python (3\.\d+) to", README)[0] + ".0"
    pins = re.findall(r"^(\S+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    installed = [found for found in distributions() if found.name.lower() in map(str.lower, pins)]
    wants = {each.name: (each.metadata.get_all("Requires-Python") or [""])[0] for each in installed}
    assert len(wants) > len(pins) / 2
    assert {name: python for name, python in wants.items() if not SpecifierSet(python).contains(oldest)} == {}


def test_make_targets_in_the_text_exist() -> None:
    named = [words.split()[1] for text in PAPERS.values() for words in inline(text) if words.startswith("make ")]
    assert named
    assert set(named) <= make_targets()


def test_every_option_is_explained_and_none_is_invented(capsys: pytest.CaptureFixture[str]) -> None:
    named = {option for words in inline(README) for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", words)}
    ours = options_of("acp", capsys)
    others = options_of("demo", capsys) | options_of("sessions", capsys)
    assert named - ours - others == {"--approve-all"}  # acpx's
    assert ours - named == {"--help", "--setup"}


def test_every_setting_has_its_row() -> None:
    table = README.partition("| option | environment |")[2].partition("\n\n")[0]
    columns = list(zip(*(row.split("|")[1:-1] for row in table.splitlines()[2:]), strict=True))
    assert set(inline("".join(columns[2]))) == set(AcpFile.model_fields)
    source = "".join(SOURCES[PACKAGE / name] for name in ("settings.py", "model_sources.py", "providers.py"))
    assert [name for name in inline("".join(columns[1])) if f'"{name}"' not in source] == []


def test_every_mode_has_its_row() -> None:
    assert row_names(README, "| mode |") == list(MODES)


def test_every_command_has_its_row_and_none_is_invented() -> None:
    shown = " ".join(row_names(README, "| command |"))
    assert set(re.findall(r"/(\w+)", shown)) == {command.name for command in COMMANDS}


# ---------------------------------------------------------------- links and names


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("paper", sorted(PAPERS))
def test_links_lead_somewhere(paper: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", PAPERS[paper]):
        path, _, fragment = target.partition("#")
        if path.startswith("https:"):
            continue
        linked = (ROOT / paper).parent / path if path else ROOT / paper
        assert linked.is_file(), target
        if fragment:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert fragment in map(anchor, headings), target


def test_each_line_of_the_architecture_is_one_sentence_and_no_link_is_to_a_line() -> None:
    prose = re.sub(r"^```.*?^```$", "", ARCHITECTURE, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if re.search(r"[a-z`)][.?!] +[A-Z`]", line)] == []
    assert re.findall(r"\.py:\d+|#L\d+", ARCHITECTURE) == []


def test_every_module_is_on_the_map_and_every_file_on_it_exists() -> None:
    named = {name for name in inline(ARCHITECTURE) if re.fullmatch(r"[\w/.-]+\.(py|toml|txt|md)", name)}
    modules = {path.relative_to(PACKAGE).as_posix() for path in SOURCES if path.name != "__init__.py"}
    assert modules - named == set()
    assert [name for name in named if not (ROOT / name).is_file() and not (PACKAGE / name).is_file()] == []
    folders = [name for name in inline(ARCHITECTURE) if name.endswith("/")]
    assert [name for name in folders if not (ROOT / name).is_dir() and not (PACKAGE / name).is_dir()] == []


def test_every_test_that_holds_an_invariant_exists() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", ARCHITECTURE))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_every_name_in_the_architecture_is_in_the_code() -> None:
    words = {word for text in SOURCES.values() for word in re.findall(r"\w+", text)}
    # Of `Session.emit` the last part. Files, options, methods and tests are looked up elsewhere.
    names = {name.rpartition(".")[2] for name in inline(ARCHITECTURE) if re.fullmatch(r"[A-Za-z_]+(\.[a-z_]+)?", name)}
    names -= {"md", "py", "toml", "txt", "code", "skip", "xfail", "fastmcp"}
    assert {name for name in names - words if not name.startswith("test_")} == set()


def test_the_layers_are_drawn_as_they_are_checked() -> None:
    [drawn] = [block.text for block in blocks("text") if block.paper == "ARCHITECTURE.md"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [layers] = [each["layers"] for each in project["tool"]["importlinter"]["contracts"] if each["type"] == "layers"]
    rows = [sorted(re.findall(r"\w+", row)) for row in drawn.splitlines()]
    assert [row for row in rows if row] == [sorted(re.findall(r"\w+", layer)) for layer in layers]


# ---------------------------------------------------------------- invariants that are held here


def test_only_acp_and_the_demo_spell_the_protocol() -> None:
    protocol = re.compile(
        r"""["'](session/\w+|fs/\w+|terminal/\w+|initialize|sessionUpdate|toolCallId|sessionId)["']"""
    )
    spelling = {path.relative_to(PACKAGE).parts[0] for path, text in SOURCES.items() if protocol.search(text)}
    assert spelling == {"acp", "demo"}


def test_a_tool_has_no_door_of_its_own() -> None:
    doors = {"os", "io", "pathlib.Path", "shutil", "socket", "subprocess", "tempfile", "urllib", "importlib", "open"}
    used: list[str] = []
    for path, text in SOURCES.items():
        if path.parent.name == "tools":
            used += [f"{path.name}: {name}" for name in _imported_and_called(ast.parse(text)) if name in doors]
    assert used == []


def _imported_and_called(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield alias.name.partition(".")[0]
            case ast.ImportFrom(module=str(module), names=names):
                yield module.partition(".")[0]
                for alias in names:
                    yield f"{module}.{alias.name}"
            case ast.Call(func=ast.Name(id=name)):
                yield name
            case _:
                pass

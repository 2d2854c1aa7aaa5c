"""The rules of the house that no linter knows, checked on the source and on fresh interpreters."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import openhands_acp

PACKAGE = Path(openhands_acp.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
TESTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if "node_modules" not in path.parts
}

POSIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
HEAVY = ("charset_normalizer", "fastmcp", "httpx", "litellm", "openai", "rich", "tomlkit")
# The doors to what takes seconds to import, and what only they are for.
DOORS = ("openhands_acp.llm.via_litellm", "openhands_acp.tools.mcp")


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = sorted(module_of(path) for path in SOURCES if not path.endswith("__main__.py"))


@pytest.mark.parametrize("path", sorted(SOURCES))
def test_a_file_is_read_at_one_sitting(path: str) -> None:
    tree = ast.parse(SOURCES[path])
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    too_long = [f"{node.name}, line {node.lineno}" for node in functions if (node.end_lineno or 0) - node.lineno >= 60]
    assert (SOURCES[path].count("\n") <= 400, too_long) == (True, [])


@pytest.mark.parametrize("path", sorted(SOURCES))
def test_a_file_opens_by_saying_what_it_is(path: str) -> None:
    tree = ast.parse(SOURCES[path])
    is_empty = not tree.body
    assert is_empty or ast.get_docstring(tree)


def test_at_most_three_places_catch_everything() -> None:
    broad = [
        f"{path}, line {node.lineno}"
        for path, text in SOURCES.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node)
    ]
    assert len(broad) <= 3, broad


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Tell whether it only undoes something on the way out, and lets the exception go on."""
    match handler.body[-1]:
        case ast.Raise(exc=None):
            return True
        case _:
            return False


def _is_broad(caught: ast.expr | None) -> bool:
    match caught:
        case None | ast.Name(id="Exception" | "BaseException"):
            return True
        case ast.Tuple(elts=elements):
            return any(_is_broad(element) for element in elements)
        case _:
            return False


# Spelt in pieces, or this file would break its own rule.
# What remains is a `pyright: ignore` that names its rule, for where somebody else's package has no types.
SILENCERS = re.compile("#" + r"\s*(noqa|type:\s*ignore|pyright:\s*(ignore(?!\[)|basic|standard))", re.IGNORECASE)


@pytest.mark.parametrize("path", [*sorted(SOURCES), *sorted(TESTS)])
def test_no_checker_is_silenced(path: str) -> None:
    text = SOURCES.get(path) or TESTS.get(path) or ""
    assert [line for line in text.splitlines() if SILENCERS.search(line)] == []


@pytest.mark.parametrize("path", sorted(SOURCES))
def test_nothing_inherits_but_protocols_exceptions_and_models(path: str) -> None:
    classes = [node for node in ast.walk(ast.parse(SOURCES[path])) if isinstance(node, ast.ClassDef)]
    heirs = {node.name: [ast.unparse(base).split("[")[0].rsplit(".")[-1] for base in node.bases] for node in classes}
    allowed = {"Protocol", "Exception", "BaseModel", "Generic", "TypedDict"}
    # A protocol says so itself, whatever protocols it joins; a model may build on a model of the same file.
    allowed |= {name for name, bases in heirs.items() if "BaseModel" in bases}
    wrong = {name: bases for name, bases in heirs.items() if "Protocol" not in bases and not set(bases) <= allowed}
    assert wrong == {}


def test_every_module_imports_where_posix_is_not() -> None:
    # Twice: the first time loads everybody else's modules, which would not load under a false platform.
    script = f"""
import sys
from importlib import import_module
modules = {[module for module in MODULES if module not in DOORS]!r}
for module in modules:
    import_module(module)
for name in [name for name in sys.modules if name.partition(".")[0] == "openhands_acp"]:
    del sys.modules[name]
for name in {POSIX_ONLY!r}:
    sys.modules[name] = None
sys.platform = "win32"
for module in modules:
    import_module(module)
"""
    assert _python(script) == ""


def test_the_server_imports_nothing_that_takes_seconds() -> None:
    module = "openhands_acp.server" if "openhands_acp.server" in MODULES else "openhands_acp.settings"
    script = f"import sys, openhands_acp.cli, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    assert _python(script).strip() == ""


def _python(script: str) -> str:
    """Run `script` in a fresh interpreter; return what it printed, or the traceback."""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return result.stdout if result.returncode == 0 else result.stderr

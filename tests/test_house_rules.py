"""The rules of the house that no linter knows, checked on the source and on fresh interpreters."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

import openhands_acp
from tests.harness.waiting import PATIENCE

PACKAGE = Path(openhands_acp.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
SOURCES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
TESTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests").rglob("*.py"))
    if "node_modules" not in path.parts
}

Node = TypeVar("Node", bound=ast.stmt | ast.excepthandler)

POSIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
HEAVY = ("charset_normalizer", "fastmcp", "httpx", "litellm", "openai", "rich", "tomlkit")
# The doors to what takes seconds to import, and what only they are for.
DOORS = ("openhands_acp.llm.via_litellm", "openhands_acp.tools.mcp")


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = sorted(module_of(path) for path in SOURCES if not path.endswith("__main__.py"))


@cache
def trees() -> dict[str, ast.Module]:
    return {path: ast.parse(text) for path, text in SOURCES.items()}


def nodes(*kinds: type[Node]) -> list[tuple[str, Node]]:
    """Find what is of these kinds, each with where it stands."""
    return [
        (f"{path}, line {node.lineno}", node)
        for path, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]


def test_a_file_is_read_at_one_sitting() -> None:
    assert [path for path, text in SOURCES.items() if text.count("\n") > 400] == []


def test_a_function_is_seen_at_one_glance() -> None:
    functions = nodes(ast.FunctionDef, ast.AsyncFunctionDef)
    assert [where for where, node in functions if (node.end_lineno or 0) - node.lineno >= 60] == []


def test_a_file_opens_by_saying_what_it_is() -> None:
    assert [path for path, tree in trees().items() if tree.body and not ast.get_docstring(tree)] == []


def test_at_most_three_places_catch_everything() -> None:
    handlers = nodes(ast.ExceptHandler)
    broad = [where for where, node in handlers if _is_broad(node.type) and not _raises_again(node)]
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


def test_no_checker_is_silenced() -> None:
    lines = [(path, line) for path, text in {**SOURCES, **TESTS}.items() for line in text.splitlines()]
    assert [(path, line) for path, line in lines if SILENCERS.search(line)] == []


def test_nothing_inherits_but_protocols_exceptions_and_models() -> None:
    assert {path: wrong for path, tree in trees().items() if (wrong := _other_heirs(tree))} == {}


def _other_heirs(tree: ast.Module) -> dict[str, list[str]]:
    """Find the classes that build on something else, and on what."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    heirs = {node.name: [ast.unparse(base).split("[")[0].rsplit(".")[-1] for base in node.bases] for node in classes}
    allowed = {"Protocol", "Exception", "BaseModel", "Generic", "TypedDict"}
    # A protocol says so itself, whatever protocols it joins; a model may build on a model of the same file.
    allowed |= {name for name, bases in heirs.items() if "BaseModel" in bases}
    return {name: bases for name, bases in heirs.items() if "Protocol" not in bases and not set(bases) <= allowed}


@pytest.mark.slow
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
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    return result.stdout if result.returncode == 0 else result.stderr

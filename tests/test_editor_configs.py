"""The ready files for editors: each is what its editor reads, and what it says starts the server."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from openhands_acp import __version__
from tests.harness.process import ROOT, environment, line_of
from tests.harness.waiting import PATIENCE

FOLDER = ROOT / "editor-configs"
OURS = "openhands-acp"
# What each editor says of itself in `initialize`, as far as the answer may depend on it.
FILES = {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": True}
ZED = FILES | {"auth": {"terminal": True}, "_meta": {"terminal_output": True, "terminal-auth": True}}
REGISTRY = {"terminal": True, "fs": FILES["fs"], "_meta": {"terminal_output": True, "terminal-auth": True}}


@dataclass(frozen=True, slots=True)
class Launch:
    """How a file has the server started."""

    command: str
    args: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def zed(file: Any) -> Launch:
    server = file["agent_servers"]["OpenHands"]
    assert (set(file), set(server)) == ({"agent_servers"}, {"type", "command", "args", "env"})
    assert server["type"] == "custom"
    return Launch(server["command"], server["args"], server["env"])


def jetbrains(file: Any) -> Launch:
    server = file["agent_servers"]["OpenHands"]
    assert set(file) == {"default_mcp_settings", "agent_servers"}
    assert file["default_mcp_settings"] == {"use_idea_mcp": False, "use_custom_mcp": False}
    assert server["command"].startswith("/"), "a JetBrains IDE takes nothing but an absolute path"
    return Launch(server["command"], server["args"], server["env"])


def vscode(file: Any) -> Launch:
    assert set(file) == {"acp.agents"}
    return Launch(**file["acp.agents"]["OpenHands"])


def acpx(file: Any) -> Launch:
    assert set(file) == {"defaultAgent", "agents"}
    return Launch(**file["agents"][file["defaultAgent"]])


def registry(file: Any) -> Launch:
    package = file["distribution"]["uvx"]["package"]
    name, _, version = package.partition("@")
    # `uvx PACKAGE` runs the script that is called like the package, and no other.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["name"], list(project["scripts"]), version) == (name, [name], __version__)
    return Launch(name, file["distribution"]["uvx"]["args"])


READERS: dict[str, tuple[Callable[[Any], Launch], dict[str, Any]]] = {
    "zed.settings.json": (zed, ZED),
    "jetbrains.acp.json": (jetbrains, FILES),
    "vscode.settings.json": (vscode, FILES),
    "acpx.config.json": (acpx, FILES),
    "registry/agent.json": (registry, REGISTRY),
}


def test_every_file_is_tried() -> None:
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert files == {*READERS, "README.md", "toad.sh", "registry/icon.svg"}


@pytest.mark.parametrize("name", sorted(READERS))
def test_the_server_starts_and_offers_a_way_to_log_in(tmp_path: Path, name: str) -> None:
    reader, capabilities = READERS[name]
    launch = reader(read(name))
    assert Path(launch.command).name == OURS
    answer = first_answer([*installed(), *launch.args], environment(tmp_path, **launch.env), tmp_path, capabilities)
    types = ["agent", "terminal"] if capabilities in (ZED, REGISTRY) else ["agent"]
    assert [method.get("type", "agent") for method in answer["authMethods"]] == types
    assert answer["agentInfo"] == {"name": OURS, "title": "OpenHands", "version": __version__}
    assert list(tmp_path.iterdir()) == [], "it wrote something before anything was asked of it"


@pytest.mark.parametrize("name", sorted(set(READERS) - {"registry/agent.json"}))
def test_no_key_and_no_home_is_in_a_file(name: str) -> None:
    launch = READERS[name][0](read(name))
    # An LLM_API_KEY left here as a placeholder would count more than the key that `setup` saves.
    assert launch.env == {}
    assert launch.command in (OURS, f"/home/YOU/.local/bin/{OURS}")


def test_toads_script_starts_the_server_in_the_folder(tmp_path: Path) -> None:
    # In Toad's place: the command is one line, run in the folder.
    programs = {"toad": 'test "$1" = acp && cd "$3" && exec sh -c "$2"', OURS: f'exec {shlex.join(installed())} "$@"'}
    for name, text in programs.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    project = tmp_path / "a project"
    project.mkdir()
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = [str(FOLDER / "toad.sh"), str(project)]
    answer = first_answer(command, environment(tmp_path / "home", PATH=path), tmp_path, FILES)
    assert answer["agentInfo"]["name"] == OURS


# ---------------------------------------------------------------- the registry's own rules


def test_the_registry_would_take_it() -> None:
    entry = read("registry/agent.json")
    assert re.fullmatch(r"[a-z][a-z0-9-]*", entry["id"])
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", entry["version"])
    known = {"id", "name", "version", "description", "repository", "website", "authors", "license", "license_url"}
    assert set(entry) - known == {"distribution"}
    assert {"id", "name", "version", "description"} <= set(entry)
    assert (set(entry["distribution"]), set(entry["distribution"]["uvx"])) == ({"uvx"}, {"package", "args"})
    assert (entry["id"], entry["version"]) == (OURS, __version__)


def test_the_icon_is_small_square_and_of_one_colour() -> None:
    icon = ElementTree.fromstring((FOLDER / "registry/icon.svg").read_text(encoding="utf-8"))
    assert (icon.get("width"), icon.get("height"), icon.get("viewBox")) == ("16", "16", "0 0 16 16")
    elements = list(icon.iter())
    assert {element.tag for element in elements} == {f"{{http://www.w3.org/2000/svg}}{tag}" for tag in ("svg", "path")}
    colours = {element.get(name) for element in elements for name in ("fill", "stroke")} - {None}
    assert "currentColor" in colours
    assert colours <= {"currentColor", "none"}
    assert [element.get("style") or element.get("class") for element in elements] == [None] * len(elements)


# ---------------------------------------------------------------- the server


def installed() -> list[str]:
    """The command that a file names, as it is on this machine."""
    script = Path(sys.executable).with_name(OURS)
    return [str(script)] if script.exists() else [sys.executable, "-m", "openhands_acp"]


def first_answer(
    command: Sequence[str], environ: Mapping[str, str], cwd: Path, capabilities: Mapping[str, Any]
) -> dict[str, Any]:
    """Start the command, say `initialize`, end it by closing its stdin, and return what it answered."""
    with subprocess.Popen(
        command, env=environ, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            params = {"protocolVersion": 1, "clientCapabilities": capabilities}
            process.stdin.write(line_of({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}))
            process.stdin.flush()
            line = process.stdout.readline()
            process.stdin.close()
            rest, log = process.stdout.read(), process.stderr.read()
            code = process.wait()
        finally:
            watchdog.cancel()
            process.kill()
    assert (code, rest, log) == (0, b"", b""), line
    return json.loads(line)["result"]

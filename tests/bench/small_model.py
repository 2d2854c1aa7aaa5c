"""`python -m tests.bench.small_model BASE_URL MODEL`: three tasks for a real small model, each checked on the disk.

Opt-in, because it takes such a model (llama.cpp's server, say) and minutes of its time. Prints the conversation,
and exits with 1 if a task failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.harness.process import SETTINGS, command, environment, line_of, prompt

NOTES = "Meeting notes\n\nThe release is on Friday, 4 December. Ada writes the changelog.\n"


@dataclass(frozen=True, slots=True)
class Task:
    prompt: str
    is_done: Callable[[str, Path], bool]
    """Judges by what the agent said last, and by the project's folder."""


TASKS = (
    Task("List the files of this project.", lambda said, _: "notes.txt" in said and "README.md" in said),
    Task(
        "When is the release, according to notes.txt? Read the file and answer.", lambda said, _: "4 December" in said
    ),
    Task("Create a file hello.py that prints Hello, world!", lambda _, folder: _printed(folder / "hello.py")),
)


def _printed(program: Path) -> bool:
    run = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=20, check=False)
    return run.stdout == "Hello, world!\n"


@dataclass(frozen=True, slots=True)
class Client:
    """The simplest there is: a process and its lines. A real model takes as long as it takes."""

    process: subprocess.Popen[bytes]

    def ask(self, method: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield what comes up to the answer, with it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line_of({"jsonrpc": "2.0", "id": method, "method": method, "params": params}))
        self.process.stdin.flush()
        for line in self.process.stdout:
            message = json.loads(line)
            yield message
            if message.get("id") == method:
                return

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        return [*self.ask(method, **params)][-1]["result"]


def play(client: Client, session_id: str, task: Task, folder: Path) -> bool:
    """Have one task done, telling what happens; return whether it was."""
    begun, said = time.monotonic(), ""
    _tell(f"\n> {task.prompt}")
    for message in client.ask("session/prompt", **prompt(session_id, task.prompt)):
        update = message.get("params", {}).get("update", {})
        match update.get("sessionUpdate"):
            case "agent_message_chunk":
                said += update["content"].get("text", "")
            case "tool_call" | "tool_call_update" if "rawInput" in update:
                said = ""  # the answer is what comes behind the last call
                _tell(f"  {time.monotonic() - begun:6.1f} s  {json.dumps(update['rawInput'])}")
            case "usage_update":
                _tell(f"  {time.monotonic() - begun:6.1f} s  {update['used']} tokens of context")
            case _:
                pass
    is_done = task.is_done(said, folder)
    _tell(f"  {time.monotonic() - begun:6.1f} s  {said.strip()}\n  {'done' if is_done else 'NOT DONE'}")
    return is_done


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.small_model", description=__doc__)
    parser.add_argument("base_url", help="of an OpenAI-compatible server: http://127.0.0.1:8080/v1")
    parser.add_argument("model", help="as LiteLLM spells it: openai/qwen2.5-coder-1.5b")
    parser.add_argument("--tool-calls", default="auto", choices=["auto", "native", "prompted"])
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        home, folder = Path(place, "home"), Path(place, "project")
        (home / SETTINGS).parent.mkdir(parents=True)
        (home / SETTINGS).write_text(f'titles = false\ncontext_window = 32768\ntool_calls = "{options.tool_calls}"\n')
        folder.mkdir()
        (folder / "notes.txt").write_text(NOTES)
        (folder / "README.md").write_text("# Demo\n")
        environ = environment(home, LLM_MODEL=options.model, LLM_BASE_URL=options.base_url, LLM_API_KEY="none")
        server = subprocess.Popen(
            command("--always-approve"), env=environ, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with server:
            client = Client(server)
            client.result("initialize", protocolVersion=1, clientCapabilities={})
            session_id = client.result("session/new", cwd=str(folder), mcpServers=[])["sessionId"]
            done = [play(client, session_id, task, folder) for task in TASKS]
            assert server.stdin is not None
            server.stdin.close()
    return 0 if all(done) else 1


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

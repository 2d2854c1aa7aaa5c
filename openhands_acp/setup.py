"""`openhands-acp setup`: ask for a model and its key, try them with one small call, save them.

The person is at a terminal here; an editor runs it there when the agent needs a key.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Literal

import anyio
import tomlkit
from rich.console import Console
from rich.prompt import Prompt
from tomlkit.exceptions import TOMLKitError

from openhands_acp.engine.messages import Message, Text, UserMessage
from openhands_acp.engine.tool import TurnError
from openhands_acp.keys import Keys, NoKey
from openhands_acp.llm.model import ModelSettings
from openhands_acp.options import Options
from openhands_acp.providers import KEY_NAMES, PROVIDERS, provider_id
from openhands_acp.settings import Settings, load_settings

_INTRODUCTION = """\
Which model should work for you? Write it as PROVIDER/NAME, for example
anthropic/claude-sonnet-4-5, openai/gpt-5.5, gemini/gemini-2.5-pro, openrouter/... or ollama_chat/...
"""
_NO_TERMINAL = """\
openhands-acp setup asks questions, so it needs a terminal on stdin and stdout.
Without one, set LLM_MODEL and LLM_API_KEY in the environment, or write model and api_key to {path}
"""


@dataclass(frozen=True, slots=True)
class Answers:
    model: str
    typed_key: str | None
    """None: what the environment or the file has."""
    base_url: str | None


def main() -> int:
    """Ask, try and save; return the exit code."""
    path = load_settings(Options()).home / "acp.toml"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.stderr.write(_NO_TERMINAL.format(path=path))
        return 2
    # LiteLLM takes seconds to import: they pass while the person types.
    Thread(target=import_module, args=["openhands_acp.llm.via_litellm"], daemon=True).start()
    console = Console(highlight=False)
    try:
        answers = _ask_until_it_works(console)
    except (EOFError, KeyboardInterrupt):
        answers = None
    if answers is None:
        console.print("\nNothing was saved.")
        return 1
    kept = save(path, answers)
    if kept:
        console.print(f"The old file could not be read as TOML; it is kept as {kept}", markup=False)
    console.print(f"Saved to {path} (only you can read it).", markup=False)
    console.print("Next: start a session in your editor, with `openhands-acp` as the agent's command.", markup=False)
    console.print("If the editor already runs it, try again there: no restart is needed.")
    return 0


def save(path: Path, answers: Answers) -> Path | None:
    """Write `answers` to `path` with mode 0600, keeping the other settings and comments.

    Returns where the old file was put if it was no TOML.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    document, kept = _open(path)
    if answers.typed_key is not None or not _is_same_provider(document.get("model"), answers.model):
        # The key there is replaced, or was another provider's.
        gone = ("api_key_file", "api_key_keyring", "api_key_command", *(() if answers.typed_key else ("api_key",)))
        for name in gone:
            document.pop(name, None)
    changes = {"model": answers.model, "api_key": answers.typed_key, "base_url": answers.base_url}
    for name, value in changes.items():
        if value is not None:
            document[name] = value
    if answers.base_url is None:
        document.pop("base_url", None)
    _write_private(path, tomlkit.dumps(document))
    return kept


def _open(path: Path) -> tuple[MutableMapping[str, object], Path | None]:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8-sig")), None
    except FileNotFoundError:
        return tomlkit.document(), None
    except (TOMLKitError, UnicodeDecodeError):
        kept = path.with_name(f"{path.name}.bak")
        path.replace(kept)
        return tomlkit.document(), kept


def _is_same_provider(written: object, model: str) -> bool:
    return written is None or (isinstance(written, str) and provider_id(written) == provider_id(model))


def _write_private(path: Path, text: str) -> None:
    # mkstemp makes the file for its owner alone, so the key is at no moment readable by others.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    Path(name).replace(path)


# ---------------------------------------------------------------- questions


def _ask_until_it_works(console: Console) -> Answers | None:
    console.print(_INTRODUCTION, markup=False)
    answers: Answers | None = None
    while True:
        answers = _ask(console, answers)
        with console.status("Asking the model for one word ..."):
            failure = _try(answers)
        if failure is None:
            console.print("[green]It answers.[/green]")
            return answers
        console.print(failure, style="red", markup=False)
        match _what_now(console):
            case "retry":
                continue
            case "save":
                return answers
            case "quit":
                return None


def _ask(console: Console, before: Answers | None) -> Answers:
    now = load_settings(Options())
    default = before.model if before else now.model
    model = ""
    while not model:
        model = _line(console, "Model", default)
    settings = load_settings(Options(model=model))
    return Answers(model, _ask_key(console, model, settings), _ask_base(console, before, settings))


def _ask_key(console: Console, model: str, settings: Settings) -> str | None:
    provider = PROVIDERS.get(provider_id(model) or "")
    whose = f"{provider.name} API key" if provider else "API key"
    empty = "keeps the one that is set" if settings.api_key or settings.late_key else "none"
    console.print(f"{whose} (not shown as you type; empty: {empty})", markup=False)
    return Prompt.ask("Key", console=console, password=True, default="", show_default=False).strip() or None


def _ask_base(console: Console, before: Answers | None, settings: Settings) -> str | None:
    default = before.base_url if before else settings.base_url
    console.print("Address of the API, for a proxy or a server of your own (`none`: the provider's usual one)")
    answer = _line(console, "Base URL", default or "none")
    return None if answer == "none" else answer


def _line(console: Console, question: str, default: str | None) -> str:
    if default is None:
        return Prompt.ask(question, console=console).strip()
    return Prompt.ask(question, console=console, default=default).strip()


def _what_now(console: Console) -> Literal["retry", "save", "quit"]:
    question = "Try again (retry), save it all the same (save), or stop (quit)?"
    answer = Prompt.ask(question, console=console, choices=["retry", "save", "quit"], default="retry")
    return "save" if answer == "save" else "quit" if answer == "quit" else "retry"


# ---------------------------------------------------------------- trial


def _try(answers: Answers) -> str | None:
    """Make one small call; return None if the model answers, else what a person should read."""
    try:
        anyio.run(_one_call, answers)
    except (NoKey, TurnError) as error:
        # Worded for a chat: here is no prompt to send.
        return str(error).replace(", then send the prompt again.", ".")
    return None


async def _one_call(answers: Answers) -> None:
    from openhands_acp.llm.via_litellm import LiteLLM

    settings = load_settings(Options(model=answers.model))
    key = answers.typed_key or await _key_that_is_set(settings)
    model = LiteLLM(ModelSettings(answers.model, key, answers.base_url, settings.deadlines))
    messages: list[Message] = [UserMessage((Text("Reply with the word: ready"),))]
    try:
        async with aclosing(model.stream(messages, ())) as chunks:
            async for _ in chunks:
                pass
    finally:
        await model.close()


async def _key_that_is_set(settings: Settings) -> str | None:
    if settings.api_key is not None or settings.late_key is None:
        return settings.api_key.value if settings.api_key else None
    return (await Keys(_environ, lambda _key: None).get(settings.late_key)).value


async def _environ() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name not in KEY_NAMES}

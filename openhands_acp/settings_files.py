"""The two settings files: what is right in them, and a line for a person about each thing that is not.

Knows the files only; which of several sources counts is decided in `settings`.
"""

from __future__ import annotations

import json
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhands_acp.engine.modes import Mode

Words = Annotated[str, Field(min_length=1)]
Dollars = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ThoughtLevel: TypeAlias = Literal["default", "off", "low", "medium", "high"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# Building a validator costs milliseconds of start-up, so it waits until there is a file to read (`defer_build`).
# Strict, because TOML has types: "500" in quotes is a mistake worth telling.
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)


class DeadlinesTable(BaseModel):
    """Seconds that the model's provider may stay silent before the turn ends with an explanation."""

    model_config = _CONFIG

    connect: Seconds | None = Field(default=None, description="Until the connection stands; 30 if not set.")
    first_token: Seconds | None = Field(
        default=None,
        description="From the request to the first piece of the answer; 120 if not set, 600 on this machine.",
    )
    between_chunks: Seconds | None = Field(
        default=None, description="From one piece of the answer to the next; 60 if not set, 600 on this machine."
    )


class AcpFile(BaseModel):
    """Settings of openhands-acp: `acp.toml` in ~/.openhands, or in OPENHANDS_PERSISTENCE_DIR."""

    model_config = _CONFIG

    model: Words | None = Field(
        default=None,
        description="The model, as LiteLLM spells it: PROVIDER/NAME.",
        examples=["anthropic/claude-sonnet-4-5"],
    )
    api_key: Words | None = Field(
        default=None, description="The provider's key. LLM_API_KEY in the environment counts more."
    )
    base_url: Words | None = Field(
        default=None,
        description="Address of the provider's API, if not its usual one.",
        examples=["http://localhost:8000/v1"],
    )
    models: list[Words] = Field(default=[], description="More models to offer in the editor's model picker.")
    mode: Mode = Field(default="always-ask", description="The mode that a new session starts in.")
    titles: bool = Field(
        default=True, description="Ask the model for a session's title after its first turn (one small call)."
    )
    thought_level: ThoughtLevel = Field(
        default="default",
        description="How much the model is asked to think, if it can be; the provider decides if not set.",
    )
    max_cost: Dollars | None = Field(
        default=None, description="Dollars that one session may cost, as far as prices are known; then it stops."
    )
    max_steps: int = Field(default=500, ge=1, description="Model calls in one turn; then the turn ends.")
    context_window: int | None = Field(
        default=None, ge=1, description="Tokens that the model can read, if LiteLLM does not know the model."
    )
    terminal: Literal["local", "client"] = Field(
        default="local",
        description="Where commands run: here, or in the editor's own terminals where it offers them.",
    )
    pass_env: list[Words] = Field(
        default=[],
        description="Variables with keys of model providers that commands may see; else they see none.",
        examples=[["OPENAI_API_KEY"]],
    )
    deadlines: DeadlinesTable | None = None


class OpenHandsFile(BaseModel):
    """The part that counts here of OpenHands' own `agent_settings.json`: its `llm` object. Never written."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)

    model: str | None = None
    api_key: str | None = None
    base_url: str | None = None


File = TypeVar("File", AcpFile, OpenHandsFile)
_Loc: TypeAlias = tuple[int | str, ...]


def read_acp(path: Path) -> tuple[AcpFile, list[str]]:
    """Return what is right in `acp.toml` and what is wrong; a file that is not there is neither."""
    text, problems = _read(path)
    if not text:
        return AcpFile.model_construct(), problems
    table, problems = _lenient_toml(path, text)
    file, more = _keep_the_good(AcpFile, table, path, text)
    return file, problems + more


def read_openhands(path: Path) -> tuple[OpenHandsFile, list[str]]:
    """Return the model that OpenHands itself was set up with."""
    text, problems = _read(path)
    if not text:
        return OpenHandsFile.model_construct(), problems
    try:
        document: Any = json.loads(text)
    except json.JSONDecodeError as error:
        return OpenHandsFile(), [f"{path}, line {error.lineno}: not JSON: {error.msg}"]
    except (ValueError, RecursionError) as error:
        return OpenHandsFile(), [f"{path}: not JSON: {error}"]
    llm = _table(_table(document).get("llm"))
    if not llm:
        return OpenHandsFile(), [f"{path}: has no `llm` object"]
    file, problems = _keep_the_good(OpenHandsFile, llm, path, text, ("llm",))
    # OpenHands saves a key that it may not show as asterisks.
    masked = file.api_key is not None and not file.api_key.strip("* ")
    return file.model_copy(update={"api_key": None}) if masked else file, problems


def _table(value: object) -> dict[str, Any]:
    # JSON objects and TOML tables have text for keys; only the type checker does not know it.
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _read(path: Path) -> tuple[str, list[str]]:
    try:
        return path.read_text(encoding="utf-8-sig"), []
    except FileNotFoundError:
        return "", []
    except UnicodeDecodeError as error:
        return "", [f"{path}: not UTF-8 at byte {error.start}"]
    except OSError as error:
        return "", [f"{path}: cannot be read: {error.strerror or error}"]


# ---------------------------------------------------------------- syntax


_MOST_BAD_LINES = 20


def _lenient_toml(path: Path, text: str) -> tuple[dict[str, Any], list[str]]:
    """Parse, leaving out lines that are not TOML, so that one typing error does not undo the whole file."""
    lines = text.splitlines()
    problems: list[str] = []
    for _ in range(_MOST_BAD_LINES):
        try:
            return tomllib.loads("\n".join(lines) + "\n"), problems
        except tomllib.TOMLDecodeError as error:
            message, bad = _located(error, len(lines))
        except (ValueError, RecursionError) as error:
            # A number of thousands of digits, brackets in brackets without end: it says no line.
            return {}, [*problems, f"{path}: not TOML: {error}"]
        problems.append(f"{path}, line {bad + 1}: not TOML: {message}")
        if not lines[bad].strip():
            break
        for index in _fallout(lines, bad):
            lines[index] = ""
    return {}, problems


def _located(error: tomllib.TOMLDecodeError, lines: int) -> tuple[str, int]:
    """Split tomllib's message into what and on which line (0-based)."""
    message, _, place = str(error).partition(" (at ")
    line = re.match(r"line (\d+)", place)
    # An unclosed value on the last line is reported on the empty one behind it.
    return message[:1].lower() + message[1:], min(int(line[1]) if line else lines, lines) - 1


def _fallout(lines: list[str], bad: int) -> range:
    # Without its header, a table's keys would be read as another table's: they go with it.
    if not lines[bad].lstrip().startswith("["):
        return range(bad, bad + 1)
    next_header = (index for index in range(bad + 1, len(lines)) if lines[index].lstrip().startswith("["))
    return range(bad, next(next_header, len(lines)))


# ---------------------------------------------------------------- fields


def _keep_the_good(
    kind: type[File], table: dict[str, Any], path: Path, text: str, inside: tuple[str, ...] = ()
) -> tuple[File, list[str]]:
    try:
        return kind.model_validate(table), []
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=True)
    problems: list[str] = []
    for each in wrong:
        loc = each["loc"]
        field = ".".join(str(part) for part in (*inside, *loc))
        line = _line_of((*inside, *loc), text)
        place = f"{path}, line {line}" if line else str(path)
        problems.append(f"{place}, {field}: {_said(kind, loc, each['type'], each['msg'])}")
        _drop(table, loc)
    return kind.model_validate(table), problems


def _said(kind: type[BaseModel], loc: _Loc, error: str, message: str) -> str:
    """Word one error for a person. The value is never shown: it may be a key."""
    if error == "extra_forbidden":
        names = DeadlinesTable.model_fields if loc[0] == "deadlines" else kind.model_fields
        near = get_close_matches(str(loc[-1]), names, n=1)
        return f"no such setting; did you mean {near[0]!r}?" if near else f"no such setting; known: {', '.join(names)}"
    return message.replace("Input should be", "must be").replace("a valid string", "text in quotes")


def _drop(table: dict[str, Any], loc: _Loc) -> None:
    """Take the field at `loc` out, so that the rest can count; a wrong entry takes its list with it."""
    for part in map(str, loc[:-1]):
        if not _table(table.get(part)):
            table.pop(part, None)
            return
        table = table[part]
    table.pop(str(loc[-1]), None)


def _line_of(loc: _Loc, text: str) -> int | None:
    """Find by search the line where the field at `loc` is set; TOML and JSON look alike enough."""
    at = 0
    found: int | None = None
    for part in loc:
        key = re.compile(rf"""(?m)^(?!\s*\#)[^\n\#]*?(?<![\w-])(["']?){re.escape(str(part))}\1\s*[=:.\]]""")
        match = key.search(text, at) if isinstance(part, str) else None
        if match is None:
            break
        found = text.count("\n", 0, match.end() - 1) + 1
        at = match.end()
    return found

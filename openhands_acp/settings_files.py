"""The settings files: what can stand in them, and what does.

Knows the files only; which of several sources counts is decided in `settings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.modes import Mode
from openhands_acp.lenient import as_table, keep_the_good, parse_json, parse_toml, read_text
from openhands_acp.llm.model import Api, ToolCalls

Words = Annotated[str, Field(min_length=1)]
Dollars = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PromptSize: TypeAlias = Literal["auto", "full", "slim"]
ThoughtLevel: TypeAlias = Literal["default", "off", "low", "medium", "high"]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]

Command = Annotated[list[Words], Field(min_length=1)]
KeyringName = Annotated[str, Field(pattern=r"^[^/]+/.+$")]
ProfileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
_KEY_FILE = "A file that holds nothing but the key; from the folder of the settings if it is no whole path."
_KEY_KEYRING = "Where the system's keyring has the key: SERVICE/USER."
_KEY_COMMAND = "A program that prints the key, and its arguments; no shell reads them."

# Building a validator costs milliseconds of start-up, so it waits until there is a file to read (`defer_build`).
# Strict, because TOML has types: "500" in quotes is a mistake worth telling.
_CONFIG = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)


LOCAL_SERVERS = (
    "http://127.0.0.1:11434",
    "http://127.0.0.1:1234",
    "http://127.0.0.1:8080",
    "http://127.0.0.1:8000",
)
"""Where Ollama, LM Studio, llama.cpp and vLLM listen, in this order."""
_TOOL_CALLS = "How the model calls tools: native, as prompted (for one that has no calls of its own), or auto."
_API = "Which of OpenAI's protocols to speak with a server that knows both: chat, responses, or auto, by the model."
_VISION = "Whether the model sees images, if LiteLLM does not know it."
_PROMPT = "How much a new session's model is told: full, slim (for small models), or auto, by the model's name."


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
    whole: Seconds | None = Field(
        default=None, description="From the request to the end of the answer; 1800 if not set, 7200 on this machine."
    )


class LimitTable(BaseModel):
    """Where the agent stops and asks whether to go on."""

    model_config = _CONFIG

    max_cost: Dollars | None = Field(default=None, description="Dollars, of all models, whatever they are asked for.")
    max_tokens: int | None = Field(default=None, ge=1, description="Tokens read and written, cached ones too.")
    max_steps: int | None = Field(default=None, ge=1, description="Answers of the session's model.")


class LimitsTable(BaseModel):
    """Where the agent stops and asks whether to go on; without an answer it stops."""

    model_config = _CONFIG

    turn: LimitTable = Field(default=LimitTable.model_construct(), description="From a prompt to its answer.")
    session: LimitTable = Field(default=LimitTable.model_construct(), description="All turns of a session together.")


class ProfileTable(BaseModel):
    """A model with all that belongs to it, to choose under a name. What is not set is as it is without a profile."""

    model_config = _CONFIG

    model: Words | None = Field(default=None, description="As LiteLLM spells it; the model of the settings if not set.")
    api_key: Words | None = Field(default=None, description="Its provider's key.")
    api_key_file: Words | None = Field(default=None, description=_KEY_FILE)
    api_key_keyring: KeyringName | None = Field(default=None, description=_KEY_KEYRING)
    api_key_command: Command | None = Field(default=None, description=_KEY_COMMAND)
    base_url: Words | None = Field(default=None, description="Address of the provider's API, if not its usual one.")
    thought_level: ThoughtLevel | None = Field(
        default=None, description="How much the model is asked to think while the session itself does not say."
    )
    context_window: int | None = Field(default=None, ge=1, description="Tokens that the model can read.")
    max_output_tokens: int | None = Field(default=None, ge=1, description="Tokens that one answer may have.")
    api: Api | None = Field(default=None, description=_API)
    tool_calls: ToolCalls | None = Field(default=None, description=_TOOL_CALLS)
    vision: bool | None = Field(default=None, description=_VISION)
    prompt: PromptSize | None = Field(default=None, description=_PROMPT)
    max_cost: Dollars | None = Field(default=None, description="Short for `max_cost` in its [limits.session].")
    max_steps: int | None = Field(default=None, ge=1, description="Short for `max_steps` in its [limits.turn].")
    limits: LimitsTable | None = Field(
        default=None, description="What counts over the general limits while it is the session's model."
    )
    deadlines: DeadlinesTable | None = None


class PurposesTable(BaseModel):
    """Models for what is not the conversation itself; the session's own where none is set."""

    model_config = _CONFIG

    title: Words | None = Field(default=None, description="Writes a session's title.")
    compaction: Words | None = Field(default=None, description="Sums up a conversation that has grown too long.")
    subagent: Words | None = Field(default=None, description="Works for sub-agents.")
    vision: Words | None = Field(default=None, description="Describes images for a model that sees none.")
    ask: Words | None = Field(default=None, description="Answers /ask.")
    critic: Words | None = Field(default=None, description="Judges finished work, if the critic is on.")
    goal: Words | None = Field(default=None, description="Judges whether the goal of /goal is reached.")


class CriticTable(BaseModel):
    """A second look at finished work, which may send it back."""

    model_config = _CONFIG

    enabled: bool = Field(default=False, description="Have the work of each turn judged before the turn ends.")
    max_rounds: int = Field(default=3, ge=1, description="Times that the work of one turn may be sent back.")
    threshold: float = Field(default=0.6, ge=0, le=1, description="The score, of 0 to 1, that is good enough.")


@dataclass(frozen=True, slots=True)
class Profile:
    """A model with all that belongs to it, as it is written in a file."""

    table: ProfileTable
    extra: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], repr=False)
    """More arguments of a completion, as LiteLLM names them; some are secret."""
    path: Path | None = None
    """OpenHands' own file; None: `acp.toml`."""
    has_hidden_key: bool = False
    """Its file has a key that only OpenHands itself can read."""


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
    api_key_file: Words | None = Field(default=None, description=_KEY_FILE, examples=["~/.config/openai.key"])
    api_key_keyring: KeyringName | None = Field(default=None, description=_KEY_KEYRING, examples=["openai/me"])
    api_key_command: Command | None = Field(
        default=None, description=_KEY_COMMAND, examples=[["pass", "show", "openai"]]
    )
    base_url: Words | None = Field(
        default=None,
        description="Address of the provider's API, if not its usual one.",
        examples=["http://localhost:8000/v1"],
    )
    models: list[Words] = Field(default=[], description="More models to offer in the editor's model picker.")
    local_servers: list[Words] = Field(
        default=list(LOCAL_SERVERS),
        description="Where servers of models are looked for, to offer theirs: Ollama, LM Studio, llama.cpp, vLLM.",
    )
    mode: Mode = Field(default="always-ask", description="The mode that a new session starts in.")
    titles: bool = Field(
        default=True, description="Ask the model for a session's title after its first turn (one small call)."
    )
    thought_level: ThoughtLevel = Field(
        default="default",
        description="How much the model is asked to think, if it can be; the provider decides if not set.",
    )
    max_cost: Dollars | None = Field(default=None, description="Short for `max_cost` in [limits.session].")
    max_steps: int = Field(default=500, ge=1, description="Short for `max_steps` in [limits.turn].")
    retries: int = Field(
        default=5, ge=0, description="How often a model that cannot answer for the moment is asked once more."
    )
    fallback: list[Words] = Field(
        default=[],
        description="Models that are asked, one after the other, when the session's own does not answer.",
        examples=[["openai/gpt-5.5"]],
    )
    context_window: int | None = Field(
        default=None, ge=1, description="Tokens that `model` can read; what its provider or LiteLLM says if not set."
    )
    api: Api = Field(default="auto", description=_API)
    tool_calls: ToolCalls = Field(default="auto", description=_TOOL_CALLS)
    vision: bool | None = Field(default=None, description=_VISION)
    prompt: PromptSize = Field(default="auto", description=_PROMPT)
    terminal: Literal["local", "client"] = Field(
        default="local",
        description="Where commands run: here, or in the editor's own terminals where it offers them.",
    )
    pass_env: list[Words] = Field(
        default=[],
        description="Variables with keys of model providers that commands may see; else they see none.",
        examples=[["OPENAI_API_KEY"]],
    )
    trusted: list[Words] = Field(
        default=[],
        description="Folders whose projects are trusted with all that they bring along: nobody is asked about it.",
        examples=[["~/work"]],
    )
    fetch_private: list[Words] = Field(
        default=[],
        description="Hosts and networks that may be fetched from though they are not public.",
        examples=[["localhost:3000", "*.corp.example", "10.0.0.0/8"]],
    )
    disabled_skills: list[Words] = Field(
        default=[],
        description="Names of skills that are not to be used, wherever they are from.",
        examples=[["deploy"]],
    )
    load_public_skills: bool = Field(
        default=True,
        description="Use OpenHands' public skills, where OpenHands has put them on this machine; nothing is fetched.",
    )
    plugins: list[Words] = Field(
        default=[],
        description="Folders that are plugins, or hold some, besides those in their usual places; they are trusted.",
        examples=[["~/src/my-plugin"]],
    )
    deadlines: DeadlinesTable | None = None
    limits: LimitsTable = LimitsTable.model_construct()
    purposes: PurposesTable = PurposesTable.model_construct()
    critic: CriticTable = CriticTable.model_construct()
    profiles: dict[ProfileName, ProfileTable] = Field(
        default={}, description="Models to choose under names of one's own."
    )


class OpenHandsFile(BaseModel):
    """The part that counts here of OpenHands' own `agent_settings.json`: its `llm` object. Never written."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True)

    model: str | None = None
    api_key: str | None = None
    base_url: str | None = None


def read_acp(path: Path) -> tuple[AcpFile, list[str]]:
    """Return what is right in `acp.toml` and what is wrong; a file that is not there is neither."""
    text, problems = read_text(path)
    if not text:
        return AcpFile.model_construct(), problems
    table, problems = parse_toml(path, text)
    file, more = keep_the_good(AcpFile, table, path, text, whole=("profiles",))
    return file, problems + more


def read_openhands(path: Path) -> tuple[OpenHandsFile, list[str]]:
    """Return the model that OpenHands itself was set up with."""
    text, problems = read_text(path)
    if not text:
        return OpenHandsFile.model_construct(), problems
    document, problems = parse_json(path, text)
    llm = as_table(document.get("llm"))
    if not llm:
        return OpenHandsFile(), problems or [f"{path}: has no `llm` object"]
    file, problems = keep_the_good(OpenHandsFile, llm, path, text, inside=("llm",))
    # OpenHands saves a key that it may not show as asterisks.
    masked = file.api_key is not None and not file.api_key.strip("* ")
    return file.model_copy(update={"api_key": None}) if masked else file, problems

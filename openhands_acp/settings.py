"""Everything that can be set, from options, environment and files, as one frozen value.

The only reader of what a person sets. Knows nothing of ACP; only `backend`, `wire` and `setup` ask it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from openhands_acp.engine.modes import Mode
from openhands_acp.llm.model import Deadlines, default_deadlines
from openhands_acp.options import Options
from openhands_acp.providers import is_address, key_in, provider_id
from openhands_acp.redaction import Secret
from openhands_acp.settings_files import AcpFile, DeadlinesTable, OpenHandsFile, read_acp, read_openhands


@dataclass(frozen=True, slots=True)
class Settings:
    model: str | None
    """As LiteLLM spells it: PROVIDER/NAME, or a name that it knows."""
    api_key: Secret | None
    base_url: str | None
    mode: Mode
    """The mode that a new session starts in."""
    home: Path
    """Where our files are: OPENHANDS_PERSISTENCE_DIR or ~/.openhands."""
    wire_file: Path | None
    log_file: Path | None
    deadlines: Deadlines
    titles: bool
    """Whether the model is asked for a title after a session's first turn."""
    thought_level: str
    """How much the model of a new session is asked to think; "default" leaves it to the provider."""
    max_steps: int
    """Model calls in one turn."""
    max_cost: float | None
    """Dollars that one session may cost; None is no limit."""
    models: tuple[str, ...]
    """What the model picker offers: the model in force first."""
    context_window: int | None
    """Tokens; for models that LiteLLM has no figure for."""
    terminal: Literal["local", "client"]
    """Where commands run, if the client offers terminals."""
    pass_env: tuple[str, ...]
    """Variables with keys of model providers that commands may see."""
    problems: tuple[str, ...]
    """What was wrong in files, one line each, for a person."""


def load_settings(options: Options, environ: Mapping[str, str] = os.environ, home: Path | None = None) -> Settings:
    """Read everything anew; never raises. `home` is the person's home directory.

    Highest first: `options`, `environ`, `acp.toml`, OpenHands' `agent_settings.json`, defaults. What is
    wrong in a file is left out and told in `problems`.
    """
    root = _root(environ, home)
    acp, acp_problems = read_acp(root / "acp.toml")
    openhands, openhands_problems = read_openhands(root / "agent_settings.json")
    model = options.model or _word(environ, "LLM_MODEL") or acp.model or openhands.model or None
    api_key, base_url = _key_and_base(model, environ, [acp, openhands])
    offered = (model, *acp.models) if model else tuple(acp.models)
    return Settings(
        model=model,
        api_key=Secret(api_key) if api_key else None,
        base_url=base_url,
        mode=options.mode or acp.mode,
        home=root,
        wire_file=options.wire_file,
        log_file=options.log_file,
        deadlines=_deadlines(acp.deadlines, base_url),
        titles=acp.titles,
        thought_level=acp.thought_level,
        max_steps=acp.max_steps,
        max_cost=acp.max_cost,
        models=tuple(dict.fromkeys(offered)),
        context_window=acp.context_window,
        terminal=acp.terminal,
        pass_env=tuple(acp.pass_env),
        problems=(*acp_problems, *openhands_problems),
    )


def _root(environ: Mapping[str, str], home: Path | None) -> Path:
    named = _word(environ, "OPENHANDS_PERSISTENCE_DIR")
    under_home = named is None or named == "~" or named.startswith(("~/", "~\\"))
    if named and not under_home:
        return Path(named).absolute()
    try:
        person = home or Path.home()
    except RuntimeError:
        # No HOME and no entry for this user, as in some containers: the process still has to answer.
        person = Path.cwd()
    return person / (named[2:] if named else ".openhands")


def _key_and_base(
    model: str | None, environ: Mapping[str, str], files: list[AcpFile | OpenHandsFile]
) -> tuple[str | None, str | None]:
    """Choose key and address so that neither goes to a provider that it was not meant for."""
    # A file's key belongs to that file's model: LLM_MODEL=anthropic/... must not send a file's OpenAI key there.
    fitting = [file for file in files if _same_provider(file.model, model)]
    base_url = _word(environ, "LLM_BASE_URL")
    beside_base: str | None = None
    if base_url is None:
        file_with_base = next((file for file in fitting if file.base_url), None)
        # Key and address written side by side stay together: a proxy's key is not overridden by the
        # OPENAI_API_KEY that the shell happens to export, and that one is not sent to the proxy.
        base_url, beside_base = (file_with_base.base_url, file_with_base.api_key) if file_with_base else (None, None)
    own = key_in(environ, model) if model else None
    in_files = next((file.api_key for file in fitting if file.api_key), None)
    return _word(environ, "LLM_API_KEY") or beside_base or own or in_files, base_url


def _deadlines(table: DeadlinesTable | None, base_url: str | None) -> Deadlines:
    usual = default_deadlines(base_url if is_address(base_url) else None)
    return replace(usual, **table.model_dump(exclude_none=True)) if table else usual


def _same_provider(written: str | None, model: str | None) -> bool:
    if written is None or model is None or written == model:
        return True
    return provider_id(written) is not None and provider_id(written) == provider_id(model)


def _word(environ: Mapping[str, str], name: str) -> str | None:
    """Return a variable's value; one that is empty or blank counts as not set."""
    return environ.get(name, "").strip() or None

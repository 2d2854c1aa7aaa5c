"""Everything that can be set, from options, environment and files, as one frozen value.

The only reader of what a person sets. Knows nothing of ACP; only `backend`, `wire` and `setup` ask it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from openhands_acp.engine.messages import JsonValue
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.usage.budget import Critic, Limit, Limits
from openhands_acp.engine.waiting import Persistence
from openhands_acp.late_keys import LateKey
from openhands_acp.llm.model import Api, Deadlines, ToolCalls, default_deadlines
from openhands_acp.model_sources import PROFILE, Key, Sources, Written, seen_by_others, word, written_key
from openhands_acp.options import Options
from openhands_acp.providers import is_address, key_in
from openhands_acp.redaction import Secret
from openhands_acp.settings_files import (
    AcpFile,
    DeadlinesTable,
    LimitTable,
    OpenHandsFile,
    Profile,
    ProfileTable,
    PromptSize,
    read_acp,
    read_openhands,
)

_NO_LIMIT = LimitTable.model_construct()


@dataclass(frozen=True, slots=True)
class Settings:
    choice: str | None
    """What was chosen: a model, or `profile:NAME`."""
    model: str | None
    """As LiteLLM spells it: PROVIDER/NAME, or a name that it knows."""
    api_key: Secret | None
    late_key: LateKey | None
    """Where the key is to be asked for, if it is not here."""
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
    limits: Limits
    limits_of: Mapping[str, Limits]
    """Those that count while a choice is a session's model, where they are others."""
    persistence: Persistence
    critic: Critic | None
    """None: nobody judges finished work."""
    purposes: Mapping[str, str]
    """What to choose for which purpose, where it is not the session's own model."""
    models: tuple[str, ...]
    """Choices that the person named: the one in force first, profiles last."""
    profiles: Mapping[str, str | None]
    """The model behind each profile."""
    local_servers: tuple[str, ...]
    """Addresses where servers of models are looked for."""
    context_window: int | None
    """Tokens; None: what the model's provider says, or LiteLLM."""
    max_output_tokens: int | None
    """Tokens that one answer may have; None leaves it to the provider."""
    api: Api
    tool_calls: ToolCalls
    vision: bool | None
    """Whether the model sees images; None leaves it to LiteLLM."""
    prompt: PromptSize
    """How much the model of a new session is told."""
    extra: Mapping[str, JsonValue] = field(repr=False)
    """More arguments of a completion, as LiteLLM names them."""
    terminal: Literal["local", "client"]
    """Where commands run, if the client offers terminals."""
    pass_env: tuple[str, ...]
    """Variables with keys of model providers that commands may see."""
    trusted: tuple[str, ...]
    """Whole paths of folders whose projects are trusted."""
    disabled_skills: tuple[str, ...]
    """Names of skills that are not to be used."""
    load_public_skills: bool
    """Whether OpenHands' public skills count, where it has put them on this machine."""
    plugins: tuple[str, ...]
    """Whole paths of plugins, and of folders with plugins."""
    fetch_private: tuple[str, ...]
    """Hosts and networks that are not public and may be fetched all the same."""
    secrets: tuple[Secret, ...]
    """Every key that is in a file, in force or not: what must never be written to a log."""
    problems: tuple[str, ...]
    """What was wrong in files, one line each, for a person."""


def load_settings(
    options: Options, environ: Mapping[str, str] = os.environ, home: Path | None = None, choice: str | None = None
) -> Settings:
    """Read everything anew; never raises. `home` is the person's home directory.

    `choice` is a model that somebody chose since; key and address are those that go with it. Else, highest
    first: `options`, `environ`, `acp.toml`, OpenHands' `agent_settings.json`, defaults. What is wrong in a file is
    left out and told in `problems`.
    """
    root = _root(environ, home)
    files = _read_files(root)
    acp = files.acp
    in_force = options.model or word(environ, "LLM_MODEL") or acp.model or files.openhands.model or None
    sources, problems = _sources(files, environ, in_force)
    choice = choice or in_force
    chosen = sources.chosen(choice)
    is_in_force = chosen.model == sources.model_of(in_force)
    profiles = {name: sources.model_of(f"{PROFILE}{name}") for name in sources.profiles}
    named = (choice, *acp.models, *(f"{PROFILE}{name}" for name in profiles))
    return Settings(
        choice=choice,
        model=chosen.model,
        api_key=chosen.key if isinstance(chosen.key, Secret) else None,
        late_key=None if isinstance(chosen.key, Secret) else chosen.key,
        base_url=chosen.base_url,
        mode=options.mode or acp.mode,
        home=root,
        wire_file=options.wire_file,
        log_file=options.log_file,
        deadlines=_deadlines(chosen.base_url, acp.deadlines, chosen.profile.deadlines),
        titles=acp.titles,
        thought_level=chosen.profile.thought_level or acp.thought_level,
        limits=_limits(acp),
        limits_of=_limits_of(acp),
        persistence=Persistence(acp.retries, tuple(acp.fallback)),
        critic=Critic(acp.critic.max_rounds, acp.critic.threshold) if acp.critic.enabled else None,
        purposes={purpose: choice for purpose, choice in acp.purposes if choice},
        models=tuple(dict.fromkeys(filter(None, named))),
        profiles=profiles,
        local_servers=tuple(filter(is_address, acp.local_servers)),
        context_window=chosen.profile.context_window or (acp.context_window if is_in_force else None),
        max_output_tokens=chosen.profile.max_output_tokens,
        api=chosen.profile.api or (acp.api if is_in_force else "auto"),
        tool_calls=chosen.profile.tool_calls or (acp.tool_calls if is_in_force else "auto"),
        vision=acp.vision if chosen.profile.vision is None and is_in_force else chosen.profile.vision,
        prompt=chosen.profile.prompt or acp.prompt,
        extra=chosen.extra,
        terminal=acp.terminal,
        pass_env=tuple(acp.pass_env),
        disabled_skills=tuple(acp.disabled_skills),
        load_public_skills=acp.load_public_skills,
        plugins=_folders(acp.plugins),
        trusted=_folders(acp.trusted),
        fetch_private=tuple(acp.fetch_private),
        secrets=_secrets(sources),
        problems=(*files.problems, *problems),
    )


@dataclass(frozen=True, slots=True)
class _Files:
    root: Path
    acp: AcpFile
    openhands: OpenHandsFile
    profiles: Mapping[str, Profile]
    problems: tuple[str, ...]


def _read_files(root: Path) -> _Files:
    acp, acp_problems = read_acp(root / "acp.toml")
    openhands, openhands_problems = read_openhands(root / "agent_settings.json")
    theirs, profile_problems = _read_profiles(root / "profiles")
    profiles = theirs | {name: Profile(table) for name, table in acp.profiles.items()}
    return _Files(root, acp, openhands, profiles, (*acp_problems, *openhands_problems, *profile_problems))


def _read_profiles(folder: Path) -> tuple[dict[str, Profile], list[str]]:
    if not os.path.isdir(folder):
        return {}, []
    # Late: most people have none.
    from openhands_acp.profiles import read_profiles

    return read_profiles(folder)


def _sources(files: _Files, environ: Mapping[str, str], in_force: str | None) -> tuple[Sources, list[str]]:
    """Put together what is written of models, and say what of it cannot count."""
    path, openhands = files.root / "acp.toml", files.openhands
    key, problems = written_key(files.acp, path)
    theirs = Secret(openhands.api_key) if openhands.api_key else None
    problems += seen_by_others(files.root / "agent_settings.json") if theirs else []
    keys: dict[str, Key] = {}
    for name, profile in files.profiles.items():
        inside = "" if profile.path else f"profiles.{name}."
        own, more = written_key(profile.table, profile.path or path, inside)
        keys |= {name: own} if own else {}
        problems += more
        if profile.has_hidden_key and not key_in(environ, profile.table.model or ""):
            problems.append(
                f"{profile.path}, api_key: only OpenHands can read it; set the provider's own variable, "
                f"or write [profiles.{name}] with a key in {path}"
            )
    written = [
        Written(files.acp.model, key, files.acp.base_url),
        Written(openhands.model, theirs, openhands.base_url),
    ]
    sources = Sources(environ, in_force, written, files.profiles, keys)
    problems += [
        f"{path}, local_servers: {address!r} is not an address that begins with http:// or https://"
        for address in files.acp.local_servers
        if not is_address(address)
    ]
    if in_force and sources.model_of(in_force) is None:
        known = ", ".join(files.profiles) or "none"
        problems.append(f"no profile {in_force.removeprefix(PROFILE)!r} names a model; the profiles are: {known}")
    problems += [
        f"{path}, {name}: {folder!r} is not a whole path, or one that begins with ~/"
        for name, folders in (("trusted", files.acp.trusted), ("plugins", files.acp.plugins))
        for folder in folders
        if not os.path.isabs(os.path.expanduser(folder))
    ]
    # Several profiles may point to one file of a key.
    return sources, list(dict.fromkeys(problems))


def _folders(written: Iterable[str]) -> tuple[str, ...]:
    return tuple(filter(os.path.isabs, map(os.path.expanduser, written)))


def _secrets(sources: Sources) -> tuple[Secret, ...]:
    keys = [*(written.key for written in sources.files), *sources.profile_keys.values()]
    return tuple(key for key in dict.fromkeys(keys) if isinstance(key, Secret))


def _root(environ: Mapping[str, str], home: Path | None) -> Path:
    named = word(environ, "OPENHANDS_PERSISTENCE_DIR")
    under_home = named is None or named == "~" or named.startswith(("~/", "~\\"))
    if named and not under_home:
        return Path(named).absolute()
    try:
        person = home or Path.home()
    except RuntimeError:
        # No HOME and no entry for this user, as in some containers: the process still has to answer.
        person = Path.cwd()
    return person / (named[2:] if named else ".openhands")


def _limits(table: AcpFile | ProfileTable) -> Limits:
    """Read what is written there, and nowhere else."""
    turn, session = (table.limits.turn, table.limits.session) if table.limits else (_NO_LIMIT, _NO_LIMIT)
    return Limits(
        Limit(turn.max_cost, turn.max_tokens, turn.max_steps or table.max_steps),
        Limit(session.max_cost or table.max_cost, session.max_tokens, session.max_steps),
    )


def _limits_of(acp: AcpFile) -> dict[str, Limits]:
    general = _limits(acp)
    found: dict[str, Limits] = {}
    for name, profile in acp.profiles.items():
        own, place = _limits(profile), f"profiles.{name}."
        changed = Limits(general.turn.changed_by(own.turn, place), general.session.changed_by(own.session, place))
        found |= {f"{PROFILE}{name}": changed} if changed != general else {}
    return found


def _deadlines(base_url: str | None, *tables: DeadlinesTable | None) -> Deadlines:
    """Those of a server there, changed by each of `tables` in turn."""
    deadlines = default_deadlines(base_url if is_address(base_url) else None)
    for table in tables:
        deadlines = replace(deadlines, **table.model_dump(exclude_none=True)) if table else deadlines
    return deadlines

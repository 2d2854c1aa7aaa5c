"""Which key and address go with a model, of all that is written about models.

Rules of this file: neither a key nor an address goes to a provider that it was not written for, and key and
address that are written side by side stay together. Knows the sources; reads none but files of keys.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from openhands_acp.engine.messages import JsonValue
from openhands_acp.late_keys import KeyCommand, KeyringEntry, LateKey
from openhands_acp.providers import key_in, provider_id
from openhands_acp.redaction import Secret
from openhands_acp.settings_files import Profile, ProfileTable

PROFILE = "profile:"
"""What a profile's name is written behind, wherever a model can be named."""

Key: TypeAlias = Secret | LateKey
_NOTHING = ProfileTable.model_construct()


@dataclass(frozen=True, slots=True)
class Written:
    """What one source says of a model."""

    model: str | None
    """The model that key and address were written for."""
    key: Key | None = None
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A model that somebody chose, with what goes with it."""

    model: str | None
    """As LiteLLM spells it; None if the choice is a profile that is not there."""
    key: Key | None = None
    base_url: str | None = None
    profile: ProfileTable = _NOTHING
    extra: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], repr=False)


@dataclass(frozen=True, slots=True)
class Sources:
    environ: Mapping[str, str]
    in_force: str | None
    """What is chosen where nobody chose: LLM_API_KEY and LLM_BASE_URL were written for it."""
    files: Sequence[Written]
    """Those that count more first."""
    profiles: Mapping[str, Profile]
    profile_keys: Mapping[str, Key]

    def chosen(self, choice: str | None) -> Chosen:
        model = self.model_of(choice)
        name = (choice or "").removeprefix(PROFILE) if (choice or "").startswith(PROFILE) else None
        profile = self.profiles.get(name) if name else None
        if model is None:
            return Chosen(None)
        if profile is None:
            return Chosen(model, *self._key_and_base(model))
        key, base_url = self.profile_keys.get(name or ""), profile.table.base_url
        if key is None and base_url is None:
            key, base_url = self._key_and_base(model)
        return Chosen(model, key or self._own(model), base_url, profile.table, profile.extra)

    def model_of(self, choice: str | None) -> str | None:
        """Return the model behind a choice, as LiteLLM spells it; None for a profile that is not there."""
        if choice is None or not choice.startswith(PROFILE):
            return choice
        profile = self.profiles.get(choice.removeprefix(PROFILE))
        if profile is None:
            return None
        named = [self.in_force, *(written.model for written in self.files)]
        return profile.table.model or next((model for model in named if model and not model.startswith(PROFILE)), None)

    def _key_and_base(self, model: str) -> tuple[Key | None, str | None]:
        fitting = [written for written in self.files if _same_provider(written.model, model)]
        in_environment = Written(None)
        if _same_provider(self.model_of(self.in_force), model):
            key = word(self.environ, "LLM_API_KEY")
            in_environment = Written(None, Secret(key) if key else None, word(self.environ, "LLM_BASE_URL"))
        base_url = in_environment.base_url
        beside_base: Key | None = None
        if base_url is None:
            # A proxy's key is not overridden by the OPENAI_API_KEY that the shell happens to export, and that one is
            # not sent to the proxy.
            with_base = next((written for written in fitting if written.base_url), None)
            base_url, beside_base = (with_base.base_url, with_base.key) if with_base else (None, None)
        in_files = next((written.key for written in fitting if written.key), None)
        return in_environment.key or beside_base or self._own(model) or in_files, base_url

    def _own(self, model: str) -> Key | None:
        key = key_in(self.environ, model)
        return Secret(key) if key else None


def word(environ: Mapping[str, str], name: str) -> str | None:
    """Return a variable's value; one that is empty or blank counts as not set."""
    return environ.get(name, "").strip() or None


def _same_provider(written: str | None, model: str | None) -> bool:
    if written is None or model is None or written == model:
        return True
    ours, theirs = provider_id(written), provider_id(model)
    if ours is None and theirs is None:
        # LiteLLM knows more providers than we do: by their names.
        prefix, slash, _ = written.partition("/")
        return bool(slash) and prefix == model.partition("/")[0]
    return ours == theirs


# ---------------------------------------------------------------- keys in files


class KeyFields(Protocol):
    """What a table says of its key."""

    @property
    def api_key(self) -> str | None: ...
    @property
    def api_key_file(self) -> str | None: ...
    @property
    def api_key_keyring(self) -> str | None: ...
    @property
    def api_key_command(self) -> list[str] | None: ...


def written_key(fields: KeyFields, path: Path, inside: str = "") -> tuple[Key | None, list[str]]:
    """Return the key that a table of the file at `path` says or points to, and what is wrong with that."""
    given = {
        name: value
        for name, value in (
            ("api_key", fields.api_key),
            ("api_key_file", fields.api_key_file),
            ("api_key_keyring", fields.api_key_keyring),
            ("api_key_command", fields.api_key_command),
        )
        if value
    }
    names = list(given)
    problems = [f"{path}, {inside}{name}: does not count beside {names[0]}" for name in names[1:]]
    if fields.api_key:
        return Secret(fields.api_key), [*problems, *seen_by_others(path)]
    if fields.api_key_file:
        key, more = _read(path.parent / os.path.expanduser(fields.api_key_file))
        return key, [*problems, *(f"{path}, {inside}api_key_file: {each}" for each in more)]
    if fields.api_key_keyring:
        service, _, user = fields.api_key_keyring.partition("/")
        return KeyringEntry(service, user), problems
    if fields.api_key_command:
        program, *rest = fields.api_key_command
        return KeyCommand((os.path.expanduser(program), *rest)), problems
    return None, problems


def seen_by_others(path: Path) -> list[str]:
    """Say so if others than its owner can read a file with a key."""
    try:
        is_seen = sys.platform != "win32" and bool(path.stat().st_mode & 0o077)
    except OSError:
        is_seen = False
    return [f"{path}: has a key in it that others can read; run `chmod 600 {path}`"] if is_seen else []


def _read(path: Path) -> tuple[Secret | None, list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"
        return None, [f"{path} cannot be read: {reason}"]
    if not text or not text.isprintable():
        return None, [f"{path} does not hold one line with a key"]
    return Secret(text), seen_by_others(path)

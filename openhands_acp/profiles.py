"""OpenHands' own profiles, `profiles/NAME.json` in ~/.openhands, as profiles of ours. Never written.

Knows those files only; which key, address and level then count is decided in `settings`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from openhands_acp.lenient import keep_the_good, parse_json, read_text
from openhands_acp.llm.model import Api
from openhands_acp.settings_files import Profile, ProfileTable, ThoughtLevel

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LEVELS: Mapping[str, ThoughtLevel] = {
    "none": "off",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_ENCRYPTED = "gAAAA"
"""How a Fernet token begins: OpenHands encrypts what it saves where it has a key for that."""


class _File(BaseModel):
    """The part of OpenHands' `LLM` that counts here."""

    model_config = ConfigDict(
        extra="ignore", strict=True, frozen=True, defer_build=True, hide_input_in_errors=True, protected_namespaces=()
    )

    model: str | None = None
    api_key: str | None = None
    base_url: str | None = None
    auth_type: str | None = None
    reasoning_effort: str | None = None
    api_mode: Api | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    # From here on: passed on as they are, under the same names.
    api_version: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    aws_region_name: str | None = None
    aws_profile_name: str | None = None
    aws_role_name: str | None = None
    aws_session_name: str | None = None
    aws_bedrock_runtime_endpoint: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    extra_headers: dict[str, str] | None = None


_PASSED_ON = (
    *("api_version", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name"),
    *("aws_profile_name", "aws_role_name", "aws_session_name", "aws_bedrock_runtime_endpoint"),
    *("temperature", "top_p", "seed", "extra_headers"),
)
_SECRET = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def read_profiles(folder: Path) -> tuple[dict[str, Profile], list[str]]:
    """Return the profiles in a folder by name, and a line about each that cannot be used."""
    profiles: dict[str, Profile] = {}
    problems: list[str] = []
    for path in _files(folder):
        if not _NAME.fullmatch(path.stem):
            problems.append(f"{path}: {path.stem!r} is no name for a profile")
            continue
        profile, wrong = _read(path)
        problems += [f"{each}; this profile is left out" for each in wrong]
        if profile is not None:
            profiles[path.stem] = profile
    return profiles, problems


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError:
        # Most people have none.
        return []


def _read(path: Path) -> tuple[Profile | None, list[str]]:
    text, problems = read_text(path)
    document, more = parse_json(path, text) if not problems else ({}, problems)
    if more:
        return None, more
    file, problems = keep_the_good(_File, document, path, text)
    if not problems and not file.model:
        problems = [f"{path}: has no `model`"]
    if not problems and file.auth_type == "subscription":
        problems = [f"{path}, auth_type: a subscription's login is not known here"]
    return (None, problems) if problems else (_profile(path, file), [])


def _profile(path: Path, file: _File) -> Profile:
    given: dict[str, Any] = file.model_dump(include=set(_PASSED_ON), exclude_none=True)
    readable = {name: value for name, value in given.items() if name not in _SECRET or not _is_hidden(value)}
    is_hidden = _is_hidden(file.api_key)
    table = ProfileTable(
        model=file.model,
        api_key=None if is_hidden else file.api_key or None,
        base_url=file.base_url or None,
        thought_level=_LEVELS.get(file.reasoning_effort or ""),
        api=file.api_mode,
        context_window=file.max_input_tokens or None,
        max_output_tokens=file.max_output_tokens or None,
    )
    return Profile(table, readable, path, is_hidden)


def _is_hidden(key: str | None) -> bool:
    """Tell whether a key is not there to be read: in asterisks, or encrypted."""
    return bool(key) and (not key.strip("* ") or key.startswith(_ENCRYPTED))

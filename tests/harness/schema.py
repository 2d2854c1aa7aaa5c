"""Every message against the official schema: the Python SDK's models, and npm's JSON schema if it is installed."""

from __future__ import annotations

import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

import acp.schema as sdk
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

_NPM = Path(__file__).parents[1] / "clients/node_modules/@agentclientprotocol/sdk/schema/v1/schema.json"

_UNKNOWN_TO_SDK = ("compaction_update",)
"""A draft that only npm's schema has."""

_LONG = 10_000
"""Characters of a message that is not kept to be known again."""

# Wire method: (definition of what the agent sends, SDK model of it).
_SENT = {
    "session/update": "SessionNotification",
    "session/request_permission": "RequestPermissionRequest",
    "fs/read_text_file": "ReadTextFileRequest",
    "fs/write_text_file": "WriteTextFileRequest",
    "terminal/create": "CreateTerminalRequest",
    "terminal/output": "TerminalOutputRequest",
    "terminal/wait_for_exit": "WaitForTerminalExitRequest",
    "terminal/kill": "KillTerminalRequest",
    "terminal/release": "ReleaseTerminalRequest",
    "elicitation/create": "CreateElicitationRequest",
    "elicitation/complete": "CompleteElicitationNotification",
    # Of drafts.
    "mcp/connect": "ConnectMcpRequest",
    "mcp/message": "MessageMcpRequest",
    "mcp/disconnect": "DisconnectMcpRequest",
    "$/cancel_request": "CancelRequestNotification",
}
_ANSWERED = {
    "initialize": "InitializeResponse",
    "authenticate": "AuthenticateResponse",
    "session/new": "NewSessionResponse",
    "session/prompt": "PromptResponse",
    "session/set_mode": "SetSessionModeResponse",
    "session/set_config_option": "SetSessionConfigOptionResponse",
    "session/close": "CloseSessionResponse",
    "session/load": "LoadSessionResponse",
    "session/resume": "ResumeSessionResponse",
    "session/fork": "ForkSessionResponse",
    "session/list": "ListSessionsResponse",
    "session/delete": "DeleteSessionResponse",
    "mcp/message": "MessageMcpResponse",
}


def problems_of(message: dict[str, Any], request_method: str | None) -> list[str]:
    """Say what is wrong with one message from the agent; `request_method` is what it answers."""
    if "method" in message:
        return _problems(_SENT.get(message["method"]), message.get("params"), message["method"])
    if "error" in message:
        return _problems("Error", message["error"], "error")
    return _problems(_ANSWERED.get(request_method or ""), message.get("result"), f"answer to {request_method}")


def _problems(definition: str | None, value: Any, what: str) -> list[str]:
    if definition is None:
        return [f"{what}: not a method of the protocol"]
    text = json.dumps(value)
    if isinstance(value, dict) and isinstance(session := cast("dict[str, Any]", value).get("sessionId"), str):
        # What is said of every session is judged once.
        text = text.replace(json.dumps(session), '"S"')
    return [*(_judged if len(text) < _LONG else _judged.__wrapped__)(definition, text, what)]


@lru_cache(512)
def _judged(definition: str, text: str, what: str) -> tuple[str, ...]:
    value = json.loads(text)
    problems: list[str] = []
    update: Any = value["update"] if definition == "SessionNotification" else None
    if validator := _validator(definition, update and update["sessionUpdate"]):
        errors: Any = validator.iter_errors(update or value)  # pyright: ignore[reportUnknownMemberType]
        problems += [f"{what}: {error.message}" for error in errors]
    if (model := _model(definition)) and (update is None or update["sessionUpdate"] not in _UNKNOWN_TO_SDK):
        try:
            model.validate_python(value)
        except ValueError as error:
            problems.append(f"{what}: {error}")
    return tuple(problems)


@cache
def _model(definition: str) -> TypeAdapter[Any] | None:
    # Some are unions, which are no models themselves.
    return TypeAdapter(getattr(sdk, definition)) if hasattr(sdk, definition) else None


@cache
def _validator(definition: str, update: str | None) -> Draft202012Validator | None:
    schema = _npm_schema()
    if schema is None or definition not in schema["$defs"]:
        return None
    root: dict[str, Any] = {"$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"}
    if update is not None:
        # The one variant it claims to be: its errors name the field, and it is many times faster.
        variants = schema["$defs"]["SessionUpdate"]["oneOf"]
        fitting = [v for v in variants if v["properties"]["sessionUpdate"]["const"] == update]
        assert fitting, f"no such session update: {update}"
        root = {"$defs": schema["$defs"], **fitting[0]}
    return Draft202012Validator(root)


@cache
def _npm_schema() -> Any:
    return json.loads(_NPM.read_text()) if _NPM.exists() else None

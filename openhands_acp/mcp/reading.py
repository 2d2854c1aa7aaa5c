"""What servers send, read as messages of the protocol. Pure.

Leniently where strictness would leave somebody waiting: an answer that makes no sense is an answer that failed.
"""

from __future__ import annotations

import json
from typing import Any, cast

import mcp_types
from pydantic import ValidationError

_SENSELESS = "its answer is not as the protocol has it"


def message_in(line: bytes | bytearray) -> mcp_types.JSONRPCMessage | None:
    """Return the message; None if it is none. Bytes that are no UTF-8, and halves of characters, are replaced."""
    # Some programs begin with a mark of their encoding; what is no object takes no time.
    line = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not line.startswith(b"{"):
        return None
    try:
        return mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        pass
    try:
        value = json.loads(line.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    text = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    try:
        return mcp_types.jsonrpc_message_adapter.validate_json(text, by_name=False)
    except ValidationError:
        return _failed(cast("dict[str, Any]", value))


def answer_in(message: dict[str, Any]) -> mcp_types.JSONRPCMessage | None:
    """Return an answer that has been parsed; None if it is none."""
    try:
        return mcp_types.jsonrpc_message_adapter.validate_python(message, by_name=False)
    except ValidationError:
        return _failed(message)


def _failed(message: dict[str, Any]) -> mcp_types.JSONRPCError | None:
    """Return an answer that says that this is no sound one, if it is to be one."""
    id_ = message.get("id")
    if not isinstance(id_, int | str) or not ("result" in message or "error" in message):
        return None
    error = mcp_types.ErrorData(code=mcp_types.INTERNAL_ERROR, message=_SENSELESS)
    return mcp_types.JSONRPCError(jsonrpc="2.0", id=id_, error=error)

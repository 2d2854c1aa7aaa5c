"""Bytes to lines to JSON-RPC messages, and back. Pure: knows neither files nor methods."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, cast

from openhands_acp.rpc.errors import INVALID_REQUEST, PARSE_ERROR, RpcError
from openhands_acp.rpc.json import JsonObject

MESSAGE_LIMIT = 64 * 1024 * 1024
"""Bytes of one line; a longer one is skipped and answered with an error."""

_KEPT = 4096
_ID_AT_START = re.compile(
    rb'\s*\{(?:\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\]*"\s*,)*\s*"id"\s*:\s*(-?\d+|"[^"\\]*")\s*[,}]'
)
_ID_AT_END = re.compile(rb',\s*"id"\s*:\s*(-?\d+|"[^"\\]*")\s*\}\s*$')

RequestId: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Oversize:
    """A line beyond the limit: both its ends, where its id is likely to be."""

    head: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Request:
    id: RequestId
    method: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class Notification:
    method: str
    params: JsonObject


@dataclass(frozen=True, slots=True)
class Response:
    id: RequestId
    result: Any
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Broken:
    """Not a message: the error to answer it with."""

    id: RequestId
    error: RpcError


Message: TypeAlias = Request | Notification | Response | Broken


class Framer:
    """Cuts a byte stream into lines; each byte is looked at once, however it is split."""

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None
        """Set while the rest of an oversized line is being skipped."""

    def feed(self, data: bytes) -> list[bytes | Oversize]:
        """Return the lines that `data` completes, without their line ends; blank ones are left out."""
        *ends, rest = data.split(b"\n")
        lines: list[bytes | Oversize] = []
        for end in ends:
            self._hold(end)
            lines += self.finish()
        self._hold(rest)
        return lines

    def finish(self) -> list[bytes | Oversize]:
        """Return what is held as the last line: a stream may end without a line end."""
        line, head = b"".join(self._parts), self._head
        self._parts, self._size, self._head = [], 0, None
        if head is not None:
            return [Oversize(head, line[-_KEPT:])]
        line = line.strip(b"\r\n\t ")
        return [line] if line else []

    def _hold(self, part: bytes) -> None:
        if not part:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._head is None and self._size > self._limit:
            self._head = b"".join(self._parts)[:_KEPT]
        if self._head is not None:
            self._parts = [(b"".join(self._parts[-2:]))[-_KEPT:]]


def parse(line: bytes | Oversize) -> Message:
    """Read one line as a JSON-RPC 2.0 message; anything else is `Broken`, with the answer it deserves.

    Stricter than `json` where JSON is (no NaN), more lenient than the specification where clients
    are known to be (unknown members, `params: null`).
    """
    if isinstance(line, Oversize):
        details = f"the message is longer than {MESSAGE_LIMIT >> 20} MiB"
        return Broken(_id_of(line), RpcError(INVALID_REQUEST, details))
    try:
        value: Any = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Broken(None, RpcError(PARSE_ERROR, f"not JSON: {error}"))
    if not isinstance(value, dict):
        # ACP has no batches: an array gets one answer, whatever is in it.
        return Broken(None, RpcError(INVALID_REQUEST, "a message is one JSON object on one line"))
    return _message(cast("dict[str, Any]", value))


_spelt = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def encode(message: JsonObject) -> bytes:
    """Write one message as a line."""
    text = _spelt(message)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        # Half a surrogate pair, as models and file names produce: no UTF-8 for it, but JSON can say it.
        return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _message(value: dict[str, Any]) -> Message:
    request_id = value.get("id")
    if not _is_id(request_id):
        return Broken(None, RpcError(INVALID_REQUEST, "id must be a string, a number or null"))
    if value.get("jsonrpc") != "2.0":
        return Broken(None, RpcError(INVALID_REQUEST, 'jsonrpc must be "2.0"'))
    if "method" not in value:
        if "result" not in value and "error" not in value:
            return Broken(None, RpcError(INVALID_REQUEST, "neither a method nor a result"))
        return Response(request_id, value.get("result"), _error_of(value))
    method: Any = value["method"]
    params: Any = value.get("params")
    if not isinstance(method, str):
        return Broken(None, RpcError(INVALID_REQUEST, "method must be a string"))
    if not isinstance(params, dict | list | None):
        return Broken(None, RpcError(INVALID_REQUEST, "params must be an object"))
    # A list is legal JSON-RPC, but no ACP method takes one: the method's own check names what is missing.
    named = cast("JsonObject", params if isinstance(params, dict) else {})
    return Request(request_id, method, named) if "id" in value else Notification(method, named)


def _error_of(response: dict[str, Any]) -> dict[str, Any] | None:
    error: Any = response.get("error")
    # Whatever is no error as JSON-RPC has it is no success either.
    return cast("dict[str, Any]", error) if error is None or isinstance(error, dict) else {"message": str(error)}


def _is_id(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def _id_of(line: Oversize) -> RequestId:
    found = _ID_AT_START.match(line.head) or _ID_AT_END.search(line.tail)
    return json.loads(found.group(1)) if found else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

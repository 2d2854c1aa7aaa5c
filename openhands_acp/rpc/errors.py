"""Errors for the programmer at the other end: code, message, and details that say what to change."""

from __future__ import annotations

from openhands_acp.rpc.json import JsonObject, JsonValue

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
REQUEST_CANCELLED = -32800

MESSAGES = {
    PARSE_ERROR: "Parse error",
    INVALID_REQUEST: "Invalid request",
    METHOD_NOT_FOUND: "Method not found",
    INVALID_PARAMS: "Invalid params",
    INTERNAL_ERROR: "Internal error",
    REQUEST_CANCELLED: "Request cancelled",
}


class RpcError(Exception):
    """Raised by a method, and answered to the peer as it is."""

    def __init__(
        self, code: int, details: str | None = None, *, message: str = "", data: JsonObject | None = None
    ) -> None:
        self.code = code
        self.message = message or MESSAGES.get(code, "Error")
        self.data: JsonObject | None = data if data is not None else {"details": details} if details else None
        super().__init__(details or self.message)

    def to_wire(self) -> JsonObject:
        error: dict[str, JsonValue] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


class RemoteError(Exception):
    """The peer answered one of our requests with an error."""

    def __init__(self, code: int, message: str, details: str | None = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.details = details
        """`data.details`, where it says more than the message."""

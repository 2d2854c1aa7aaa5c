"""Why a server cannot be used, in words for the person and the model: what libraries raise, told apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import httpx2
from mcp import MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    URL_ELICITATION_REQUIRED,
    ElicitationRequiredErrorData,
    ElicitRequestURLParams,
)
from pydantic import ValidationError

from openhands_acp.mcp.config import ServerConfig, shown_url
from openhands_acp.mcp.doors import CannotConnect, LoginNeeded

UNAUTHORIZED, NOT_FOUND, METHOD_NOT_ALLOWED = 401, 404, 405
CLOSED = "the connection was closed"
SAYS_NOTHING = (CLOSED, "Server returned an error response", "Not Found")
"""What says less than any transport knows; but for the first, the library's words."""
_TERMINATED = "Session terminated"
"""What the library says where an http server has forgotten us."""


def in_words(error: BaseException, config: ServerConfig) -> str:
    """Say what went wrong: lower case, without a full stop."""
    for cause in _causes(error):
        match cause:
            case LoginNeeded() | CannotConnect():
                return str(cause)
            case httpx2.HTTPStatusError():
                return answered(cause.response.status_code, config.url)
            case httpx2.TimeoutException():
                return f"{shown_url(config.url)} does not answer"
            case httpx2.InvalidURL():
                return f"{shown_url(config.url)!r} is no address: {cause}"
            case httpx2.TransportError():
                return f"{shown_url(config.url)} cannot be reached: {cause or type(cause).__name__}"
            case MCPError() if cause.error.code == CONNECTION_CLOSED:
                return CLOSED
            case MCPError():
                return cause.error.message or f"it refused (error {cause.error.code})"
            case ValidationError():
                return f"its answer is not as the protocol has it: {misfit(cause)}"
            case _:
                pass
    return str(error) or type(error).__name__


def pages_wanted(error: BaseException | None) -> list[ElicitRequestURLParams]:
    """Return what the person has to visit before a request can be done, if it failed for that (until 2026-07-28)."""
    if not isinstance(error, MCPError) or error.error.code != URL_ELICITATION_REQUIRED:
        return []
    try:
        return ElicitationRequiredErrorData.model_validate(error.error.data, by_name=False).elicitations
    except ValidationError:
        return []


def answered(status: int, url: str) -> str:
    return f"{shown_url(url)} answers {status} ({httpx2.codes.get_reason_phrase(status) or 'unknown'})"


def needs_login(error: BaseException) -> bool:
    return any(
        isinstance(cause, LoginNeeded)
        or (isinstance(cause, httpx2.HTTPStatusError) and cause.response.status_code == UNAUTHORIZED)
        for cause in _causes(error)
    )


def is_hopeless(error: BaseException) -> bool:
    """Tell whether trying again cannot help until somebody has changed something."""
    return any(
        isinstance(cause, LoginNeeded) or (isinstance(cause, CannotConnect) and cause.is_hopeless)
        for cause in _causes(error)
    )


def is_loss(error: BaseException) -> bool:
    """Tell whether a request failed because the connection is no more, so that there has to be a new one."""
    for cause in _causes(error):
        match cause:
            case MCPError():
                code, message = cause.error.code, cause.error.message
                return code == CONNECTION_CLOSED or (code == INVALID_REQUEST and message == _TERMINATED)
            case httpx2.TransportError():
                return not isinstance(cause, httpx2.TimeoutException)
            case _:
                pass
    # FastMCP's, where the task that holds the connection is over.
    return isinstance(error, RuntimeError) and "ession task" in str(error)


def misfit(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Go through an exception and all that it comes of, groups included."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [each for each in (cause.__context__, cause.__cause__) if each is not None]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", cause).exceptions

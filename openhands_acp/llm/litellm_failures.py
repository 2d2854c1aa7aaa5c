"""What goes wrong on the way through LiteLLM, as the one TurnError that the person reads.

Part of LiteLLM's door: maps its exceptions, OpenAI's and httpx's to what the server said or what
became of the connection (`Failure`), and holds a request to its deadlines. Judges and words nothing.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final, Literal, TypeAlias, TypeVar

import anyio
import httpx
import openai

from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.errors import Asked, Phase, timed_out, turn_error
from openhands_acp.llm.failures import ENDED, Failure
from openhands_acp.llm.model import Deadlines

T = TypeVar("T")

FAILED: Final = (openai.OpenAIError, httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError)
"""What LiteLLM raises (its exceptions are OpenAI's), and what the end of a stream raises without it."""

_TIMEOUTS: Final = frozenset({"APITimeoutError", "ReadTimeout", "WriteTimeout"})
"""Not LiteLLM's own, which it makes of every failure with such words in it."""
_VENDORS: Final = frozenset({"litellm", "openai", "httpx"})
_PROXY: Final = frozenset({"ProxyError", "ClientHttpProxyError"})

Lost: TypeAlias = Literal["connection", "tls", "untrusted", "proxy", "no_address"]


def cut() -> httpx.RemoteProtocolError:
    """Make the error of a body that ended in good order, but before the answer did."""
    return httpx.RemoteProtocolError(ENDED)


def fault(body: object) -> openai.APIError:
    """Make the error of what a provider said in mid-stream went wrong."""
    # It wants a request, which nobody looks at.
    return openai.APIError(f"in the stream: {json.dumps({'error': body})}", httpx.Request("POST", ""), body=body)


class Watch:
    """One request, from now on: its deadlines, and how far the answer has come."""

    def __init__(self, who: Asked, limits: Deadlines) -> None:
        self._who = who
        self._limits = limits
        self._phase: Phase = "first_token"
        now = anyio.current_time()
        self._by = now + limits.first_token
        self._end = now + limits.whole
        self._has_begun = False

    def scope(self, *, shield: bool = False) -> anyio.CancelScope:
        """Make the scope of one wait. One that stayed open across a `yield` would cancel the consumer."""
        return anyio.CancelScope(deadline=min(self._by, self._end), shield=shield)

    def heard(self) -> None:
        """Note that a piece of the answer came: a first chunk may say no more than the role, long before a token."""
        self._has_begun = True
        self._phase, self._by = "between_chunks", anyio.current_time() + self._limits.between_chunks

    def stirred(self) -> None:
        """Note that the model is known to think: until a piece comes it may be silent as long as before the first."""
        self._phase, self._by = "first_token", anyio.current_time() + self._limits.first_token

    async def over(self, step: Awaitable[T], scope: anyio.CancelScope | None = None) -> T:
        """Await one step until its deadline; every way in which it fails becomes a TurnError."""
        try:
            with scope or self.scope():
                return await step
        except FAILED as error:
            raise self._turn_error(error) from None
        raise self._timed_out("whole" if self._end <= self._by else self._phase)

    def _turn_error(self, error: Exception) -> TurnError:
        links = _links(error)
        names = {type(each).__name__ for each in links}
        if _answer(links) is None and names & {"ConnectTimeout", "ConnectionTimeoutError"}:
            return self._timed_out("connect")
        if _answer(links) is None and names & _TIMEOUTS:
            return self._timed_out(self._phase)
        is_mid_stream = hasattr(error, "original_exception")
        return turn_error(self._who, _failure(links, has_begun=self._has_begun, is_mid_stream=is_mid_stream))

    def _timed_out(self, phase: Phase) -> TurnError:
        return timed_out(self._who, phase, getattr(self._limits, phase))


def _links(error: BaseException) -> Sequence[BaseException]:
    """Walk from `error` to what first went wrong, at most 20 steps."""
    links: list[BaseException] = []
    each: BaseException | None = getattr(error, "original_exception", None) or error
    while each is not None and len(links) < 20:
        links.append(each)
        each = each.__cause__ or each.__context__
    return links


def _answer(links: Sequence[BaseException]) -> httpx.Response | None:
    """Find what the server answered: nearest to the wire, since LiteLLM makes up responses without a body."""
    for each in reversed(links):
        if isinstance(each, (httpx.HTTPStatusError, openai.APIStatusError)) and _vendor(each) != "litellm":
            return each.response
    return None


def _vendor(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _failure(links: Sequence[BaseException], *, has_begun: bool, is_mid_stream: bool) -> Failure:
    first, last = links[0], links[-1]
    kind = type(first).__name__
    if (response := _answer(links)) is not None:
        headers = {name.lower(): value for name, value in response.headers.items()}
        text = _body(response) or str(getattr(first, "message", first))
        return Failure("answer", text, response.status_code, headers, kind, has_begun)
    if (lost := _lost(links)) is not None:
        return Failure(lost[0], lost[1], has_begun=has_begun)
    status = None if is_mid_stream else _status(first)
    if _vendor(last) not in _VENDORS and status is None:
        return Failure("unexpected", f"{type(last).__name__}: {last}", kind=kind, has_begun=has_begun)
    # In mid-stream, LiteLLM wraps what was said in words of its own.
    return Failure("answer", _said(last if is_mid_stream else first), status, kind=kind, has_begun=has_begun)


def _body(response: httpx.Response) -> str:
    with suppress(httpx.StreamError):
        return response.text
    return ""


def _said(error: BaseException) -> str:
    body = getattr(error, "body", None)
    return json.dumps({"error": body}) if isinstance(body, dict) else str(getattr(error, "message", error))


def _status(error: BaseException) -> int | None:
    """Read the status of an error without an answer; LiteLLM makes up those of 500 and more."""
    match getattr(error, "body", None), getattr(error, "status_code", None):
        case {"code": int() as status}, _ if status >= HTTPStatus.BAD_REQUEST:
            return status
        case _, int() as status if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return status
        case _:
            return None


# ---------------------------------------------------------------- connections


def _lost(links: Sequence[BaseException]) -> tuple[Lost, str] | None:
    """Tell what became of the connection, and what the system said of it; None if it is not to blame."""
    for each in reversed(links):
        match each:
            case ssl.SSLCertVerificationError():
                return "untrusted", each.verify_message or str(each)
            case ssl.SSLError():
                return "tls", (each.reason or str(each)).lower().replace("_", " ")
            case _ if type(each).__name__ in _PROXY:
                status, message = getattr(each, "status", ""), getattr(each, "message", "")
                return "proxy", f"{status} {message}".strip() or str(each)
            case _:
                pass
    if any(isinstance(each, (httpx.UnsupportedProtocol, httpx.InvalidURL)) for each in links):
        return "no_address", "its address is to begin with http:// or https://"
    if any(isinstance(each, (httpx.TransportError, ConnectionError, socket.gaierror)) for each in links):
        return "connection", next(_causes(links), "the connection was closed")
    return None


def _causes(links: Sequence[BaseException]) -> Iterator[str]:
    """Say in plain words what the operating system said, what first went wrong first."""
    for each in reversed(links):
        match each:
            case ConnectionRefusedError():
                yield "connection refused"
            case ConnectionResetError() | BrokenPipeError():
                yield "the connection was reset"
            case socket.gaierror():
                yield "the host name is not known"
            case OSError() if each.strerror:
                yield each.strerror
            case httpx.TransportError():
                yield ENDED if str(each) == ENDED else "the connection was closed"
            case _:
                pass

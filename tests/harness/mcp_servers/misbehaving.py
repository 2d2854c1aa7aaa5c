"""Servers that go wrong, each in one way, as a program that needs nothing but Python. Named by the first argument."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_TOOL: dict[str, Any] = {
    "name": "echo",
    "description": "Say it again.",
    "inputSchema": {"type": "object", "properties": {}},
}
_WRONG = [
    {"name": "of_nothing", "inputSchema": None},
    {"name": "of_a_list", "inputSchema": {"type": "array"}},
    {"inputSchema": {"type": "object"}},
]
_ODD = [
    b'{"jsonrpc": "2.0", "id": %d, "result": {"content": [{"type": "text", "text": "caf\xe9"}]}}',
    b'{"jsonrpc": "2.0", "id": %d, "result": {"content": [{"type": "text", "text": "half \\ud83d"}]}}',
    b'{"jsonrpc": "2.0", "id": %d, "result": ["no object"]}',
    b'{"jsonrpc": "2.0", "id": %d, "error": "no object"}',
]
_PAGE = {"mode": "url", "message": "Pay first.", "url": "https://pay.example/1", "elicitationId": "page-1"}
_SAMPLED: dict[str, Any] = {
    "messages": [{"role": "user", "content": {"type": "text", "text": "Why?"}}],
    "maxTokens": 9,
}
_NEWEST = "2026-07-28"
_CACHING = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


@dataclass(slots=True)
class _Kept:
    """What a server remembers between messages."""

    times: Counter[str] = field(default_factory=Counter[str])
    """How often each method was used."""
    offered: object = None
    """By the client, in the handshake."""
    listening: object = None
    """The request of who listens."""
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of the client, by what was asked."""
    calling: dict[str, Any] = field(default_factory=dict[str, Any])
    """The call that is answered with those."""


_kept = _Kept()


def main(way: str, *rest: str) -> None:
    match way:
        case "never answers":
            time.sleep(600)
        case "exits":
            os.write(2, b"reading the configuration\nthere is no such token\n")
            sys.exit(3)
        case "exits the first time":
            # It leaves a file, to know that it was there.
            if not os.path.exists(rest[0]):
                os.close(os.open(rest[0], os.O_CREAT))
                sys.exit(4)
        case "ignores signals":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            # In a session of its own: a group is not enough to find it. What follows the name is to be seen in it, too.
            subprocess.Popen(["sh", "-c", f"sleep 600; : {' '.join(rest)}"], start_new_session=True)
        case _:
            pass
    for line in sys.stdin:
        _take(way, json.loads(line))
    if way == "ignores signals":
        time.sleep(600)


def _take(way: str, message: dict[str, Any]) -> None:
    method = message.get("method", "")
    _kept.times[method] += 1
    if way == "prints junk too":
        _print("INFO: a message came\n\n{}\n[1, 2]\nnull")
    if way == "speaks the newest protocol only":
        _answer_anew(message)
    elif method == "tools/call":
        _answer_call(way, message)
    else:
        _answer(way, method, message)


def _answer(way: str, method: str, message: dict[str, Any]) -> None:
    match method:
        case "initialize":
            can: dict[str, Any] = {"tools": {}, **({"prompts": {}} if way == "has wrong prompts" else {})}
            _kept.offered = message["params"]["capabilities"]
            _reply(message, {"protocolVersion": "2025-06-18", "capabilities": can, "serverInfo": _info(way)})
        case "tools/list":
            _answer_list(way, message)
        case "prompts/list" if way == "has wrong prompts":
            _reply(message, {"prompts": [{"title": "nameless"}]})
        case "notifications/initialized" if way == "samples":
            _ask("unasked", "sampling/createMessage", _SAMPLED)
        case "" if "id" in message:
            _kept.answers[message["id"]] = message.get("error") or message["result"]
            if {"asked", "unasked"} <= set(_kept.answers):
                _say(_kept.calling, dict(_kept.answers))
        case _ if "id" in message:
            _reply_error(message, -32601, f"no {method}")
        case _:
            pass


def _answer_list(way: str, message: dict[str, Any]) -> None:
    if way == "hangs on tools/list":
        return
    _reply(message, {"tools": [_TOOL, *(_WRONG if way == "has wrong tools" else [])]})
    if way == "changes whenever it is asked":
        _print(json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}))
    if way == "exits when it is known":
        os._exit(6)


def _answer_call(way: str, message: dict[str, Any]) -> None:
    times = _kept.times["tools/call"]
    match way:
        case "dies in a call":
            os.write(2, b"out of luck\n")
            os._exit(5)
        case "never answers a call":
            pass
        case "answers oddly":
            sys.stdout.buffer.write(_ODD[times - 1] % message["id"] + b"\n")
            sys.stdout.flush()
        case "wants a page first" if times == 1:
            _reply_error(message, -32042, "a page first", {"elicitations": [_PAGE]})
        case "samples":
            _kept.calling = message
            _kept.answers.pop("asked", None)
            _ask("asked", "sampling/createMessage", {**_SAMPLED, **message["params"]["arguments"]})
        case "says what it was offered":
            _say(message, _kept.offered)
        case "changes whenever it is asked":
            _say(message, _kept.times["tools/list"])
        case _:
            _say(message, os.getpid())


def _answer_anew(message: dict[str, Any]) -> None:
    match message["method"]:
        case "initialize":
            _reply_error(message, -32022, "unsupported", {"supported": [_NEWEST], "requested": "2025-11-25"})
        case "server/discover":
            can: dict[str, Any] = {"tools": {"listChanged": True}}
            _reply(message, {"supportedVersions": [_NEWEST], "capabilities": can, **_CACHING})
        case "tools/list":
            more = [{**_TOOL, "name": "more"}] if _kept.times["tools/call"] else []
            _reply(message, {"tools": [_TOOL, *more], **_CACHING})
        case "subscriptions/listen":
            _kept.listening = message["id"]
            _notify("notifications/subscriptions/acknowledged", {"notifications": message["params"]["notifications"]})
            if _kept.times["subscriptions/listen"] == 1:
                # The first time it gives up, as a proxy may.
                _notify("notifications/cancelled", {"requestId": message["id"]})
        case "tools/call":
            _reply(message, {"content": [{"type": "text", "text": "new"}], "resultType": "complete"})
            if _kept.times["subscriptions/listen"] > 1:
                _notify("notifications/tools/list_changed", {})
        case _:
            pass


def _notify(method: str, params: dict[str, Any]) -> None:
    meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": _kept.listening}}
    _print(json.dumps({"jsonrpc": "2.0", "method": method, "params": {**params, **meta}}))


def _ask(id_: str, method: str, params: dict[str, Any]) -> None:
    _print(json.dumps({"jsonrpc": "2.0", "id": id_, "method": method, "params": params}))


def _say(message: dict[str, Any], value: object) -> None:
    _reply(message, {"content": [{"type": "text", "text": json.dumps(value)}]})


def _info(name: str) -> dict[str, str]:
    return {"name": name, "version": "1"}


def _reply(message: dict[str, Any], result: dict[str, Any]) -> None:
    _print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))


def _reply_error(message: dict[str, Any], code: int, text: str, data: object = None) -> None:
    _print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": text, "data": data}}))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

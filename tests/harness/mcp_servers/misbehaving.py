"""Servers that go wrong, each in one way, as a program that needs nothing but Python. Named by the first argument."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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
_NEWEST = "2026-07-28"
_CACHING = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


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
        _answer(way, json.loads(line))
    if way == "ignores signals":
        time.sleep(600)


def _answer(way: str, message: dict[str, Any]) -> None:
    method = message.get("method")
    if way == "prints junk too":
        _print("INFO: a message came\n\n{}\n[1, 2]\nnull")
    if way == "speaks the newest protocol only":
        _answer_anew(message)
        return
    match method:
        case "initialize":
            can: dict[str, Any] = {"tools": {}}
            _reply(message, {"protocolVersion": "2025-06-18", "capabilities": can, "serverInfo": _info(way)})
        case "tools/list" if way == "hangs on tools/list":
            pass
        case "tools/list":
            _reply(message, {"tools": [_TOOL, *(_WRONG if way == "has wrong tools" else [])]})
        case "tools/call" if way == "dies in a call":
            os.write(2, b"out of luck\n")
            os._exit(5)
        case "tools/call" if way == "never answers a call":
            pass
        case "tools/call":
            _reply(message, {"content": [{"type": "text", "text": f"{os.getpid()}"}]})
        case _ if "id" in message:
            _reply_error(message, -32601, f"no {method}")
        case _:
            pass


def _answer_anew(message: dict[str, Any]) -> None:
    match message["method"]:
        case "initialize":
            _reply_error(message, -32022, "unsupported", {"supported": [_NEWEST], "requested": "2025-11-25"})
        case "server/discover":
            can: dict[str, Any] = {"tools": {}}
            _reply(message, {"supportedVersions": [_NEWEST], "capabilities": can, **_CACHING})
        case "tools/list":
            _reply(message, {"tools": [_TOOL], **_CACHING})
        case _:
            _reply(message, {"content": [{"type": "text", "text": "new"}], "resultType": "complete"})


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

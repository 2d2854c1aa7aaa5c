"""The least that is a server, without a library, so that it starts at once: one tool that says what it was given."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
"""What it tells of the variable of that name."""
_TOOL = {
    "name": "tell",
    "description": "Tell what the server was started with.",
    "inputSchema": {"type": "object", "properties": {"variable": {"type": "string"}}, "required": ["variable"]},
    "annotations": {"readOnlyHint": True},
}


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    match method:
        case "initialize":
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "plain", "version": "1"},
            }
        case "tools/list":
            return {"tools": [_TOOL]}
        case "tools/call" if params["arguments"]["variable"] == "PICTURE":
            return {"content": [{"type": "image", "data": PICTURE, "mimeType": "image/png"}]}
        case "tools/call":
            value = os.environ.get(params["arguments"]["variable"])
            return {"content": [{"type": "text", "text": f"{value}; {sys.argv[1:]}; {os.path.basename(os.getcwd())}"}]}
        case _:
            return None


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result = answer(message["method"], message.get("params") or {})
        error = {"error": {"code": -32601, "message": "Method not found"}}
        reply = {"jsonrpc": "2.0", "id": message["id"], **({"result": result} if result is not None else error)}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

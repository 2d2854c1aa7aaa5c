"""What makes no sense is refused with a code and a reason; nothing is made of it and nothing lost by it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.store.codec import VERSION
from tests.harness.model import say
from tests.turns.windows import Machine, Window, machine, window
from tests.wire.lived import keep, tree

pytestmark = pytest.mark.anyio

__all__ = ["machine"]

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NEWER = "11111111-1111-4111-8111-111111111111"
EMPTY = "22222222-2222-4222-8222-222222222222"
TAKE_UP = ("session/load", "session/resume", "session/fork")


@asynccontextmanager
async def kept(machine: Machine) -> AsyncGenerator[Window]:
    """Put one session on the disk that is sound, one of a newer version and a folder with nothing in it."""
    async with window(machine, [say("Hello.")]) as first:
        session_id = await first.new()
        await first.prompt("say hello")
    sound, newer = machine.journal(session_id), machine.journal(NEWER)
    newer.parent.mkdir()
    newer.write_bytes(sound.read_bytes().replace(b'{"v":%d,' % VERSION, b'{"v":9999,'))
    assert newer.read_bytes() != sound.read_bytes()
    machine.journal(EMPTY).parent.mkdir()
    async with window(machine) as second:
        second.session_id = session_id
        yield second


async def refusals(window: Window, *asked: tuple[str, dict[str, Any]]) -> str:
    """Ask each, in the project where no folder is named; return what is asked and answered, a line each."""
    project = window.machine.project
    before = tree(window.machine.root)
    lines: list[str] = []
    for method, params in asked:
        usual: dict[str, Any] = {"cwd": str(project), "mcpServers": []} if method in (*TAKE_UP, "session/new") else {}
        answer = await window.editor.request(method, **usual | params)
        told = f"{answer['code']} {answer['message']} | {answer['data']}" if "code" in answer else json.dumps(answer)
        lines.append(f"{method} {json.dumps(params)[:100]}: {told}")
    assert tree(window.machine.root) == before
    wire = "\n".join(lines).replace(window.session_id, "SOUND").replace(window.session_id.upper(), "CAPITALS")
    return wire.replace(f"up to {VERSION})", "up to VERSION)")


@pytest.mark.parametrize("method", TAKE_UP)
async def test_what_cannot_be_taken_up(machine: Machine, method: str) -> None:
    async with kept(machine) as second:
        wrong = ["../etc", "a/b", "a\\b", "", second.session_id.upper(), UNKNOWN, EMPTY, NEWER, None, 7]
        folders = ["relative", "", "/nowhere", 7]
        told = await refusals(
            second,
            *[(method, {"sessionId": session_id}) for session_id in wrong],
            *[(method, {"sessionId": second.session_id, "cwd": folder}) for folder in folders],
            (method, {"sessionId": second.session_id, "additionalDirectories": ["relative"]}),
            (method, {"sessionId": second.session_id, "mcpServers": {}}),
        )
        assert told.replace(method, "METHOD") == snapshot("""\
METHOD {"sessionId": "../etc"}: -32002 The session cannot be opened: there is no session '../etc' on this machine (one that was never prompted is not kept) | {'details': "there is no session '../etc' on this machine (one that was never prompted is not kept)"}
METHOD {"sessionId": "a/b"}: -32002 The session cannot be opened: there is no session 'a/b' on this machine (one that was never prompted is not kept) | {'details': "there is no session 'a/b' on this machine (one that was never prompted is not kept)"}
METHOD {"sessionId": "a\\\\b"}: -32002 The session cannot be opened: there is no session 'a\\\\b' on this machine (one that was never prompted is not kept) | {'details': "there is no session 'a\\\\\\\\b' on this machine (one that was never prompted is not kept)"}
METHOD {"sessionId": ""}: -32002 The session cannot be opened: there is no session '' on this machine (one that was never prompted is not kept) | {'details': "there is no session '' on this machine (one that was never prompted is not kept)"}
METHOD {"sessionId": "CAPITALS"}: -32002 The session cannot be opened: the ID of this session is written SOUND | {'details': 'the ID of this session is written SOUND'}
METHOD {"sessionId": "00000000-0000-4000-8000-000000000000"}: -32002 The session cannot be opened: there is no session '00000000-0000-4000-8000-000000000000' on this machine (one that was never prompted is not kept) | {'details': "there is no session '00000000-0000-4000-8000-000000000000' on this machine (one that was never prompted is not kept)"}
METHOD {"sessionId": "22222222-2222-4222-8222-222222222222"}: -32002 The session cannot be opened: there is no session '22222222-2222-4222-8222-222222222222' on this machine (one that was never prompted is not kept) | {'details': "there is no session '22222222-2222-4222-8222-222222222222' on this machine (one that was never prompted is not kept)"}
METHOD {"sessionId": "11111111-1111-4111-8111-111111111111"}: -32002 The session cannot be opened: this session was written by a newer openhands-acp (records of version 9999, this one reads up to VERSION); update openhands-acp to open it. Nothing was changed | {'details': 'this session was written by a newer openhands-acp (records of version 9999, this one reads up to VERSION); update openhands-acp to open it. Nothing was changed'}
METHOD {"sessionId": null}: -32602 Invalid params | {'details': 'sessionId: input should be a valid string'}
METHOD {"sessionId": 7}: -32602 Invalid params | {'details': 'sessionId: input should be a valid string'}
METHOD {"sessionId": "SOUND", "cwd": "relative"}: -32602 Invalid params | {'details': "cwd: must be an absolute path, not 'relative'"}
METHOD {"sessionId": "SOUND", "cwd": ""}: -32602 Invalid params | {'details': "cwd: must be an absolute path, not ''"}
METHOD {"sessionId": "SOUND", "cwd": "/nowhere"}: -32602 There is no folder '/nowhere' | {'details': "cwd: '/nowhere' is not a folder that exists; if the project was moved, `openhands-acp --resume SOUND` goes on with the session in its new place"}
METHOD {"sessionId": "SOUND", "cwd": 7}: -32602 Invalid params | {'details': 'cwd: input should be a valid string'}
METHOD {"sessionId": "SOUND", "additionalDirectories": ["relative"]}: -32602 Invalid params | {'details': "additionalDirectories: must be an absolute path, not 'relative'"}
METHOD {"sessionId": "SOUND", "mcpServers": {}}: -32602 Invalid params | {'details': 'mcpServers: input should be a valid list'}\
""")


async def test_other_questions_that_make_no_sense(machine: Machine) -> None:
    async with kept(machine) as second:
        sound = second.session_id
        await second.ask("session/resume", sound)
        await second.announced(sound)
        told = await refusals(
            second,
            ("session/new", {"cwd": "relative"}),
            ("session/new", {"cwd": None}),
            ("session/fork", {"sessionId": sound, "_meta": {"messageId": "nobody's"}}),
            ("session/fork", {"sessionId": sound, "_meta": {"messageId": ["x"]}}),
            ("session/list", {"cursor": "x"}),
            ("session/list", {"cursor": ""}),
            ("session/list", {"cursor": 7}),
            ("session/list", {"cwd": "relative"}),
            ("session/list", {"cwd": 7}),
            ("session/delete", {"sessionId": "../etc"}),
            ("session/delete", {"sessionId": UNKNOWN}),
            ("session/delete", {"sessionId": None}),
            ("session/delete", {}),
            ("session/close", {"sessionId": "../etc"}),
            ("session/close", {"sessionId": UNKNOWN}),
            ("session/close", {}),
            ("session/prompt", {"sessionId": UNKNOWN, "prompt": [{"type": "text", "text": "hi"}]}),
            ("session/prompt", {"sessionId": sound, "prompt": []}),
            ("session/prompt", {"sessionId": sound, "prompt": [{"type": "smell"}]}),
            ("session/prompt", {"sessionId": sound}),
            ("session/set_mode", {"sessionId": UNKNOWN, "modeId": "plan"}),
            ("session/set_mode", {"sessionId": sound, "modeId": "yolo"}),
            ("session/set_config_option", {"sessionId": sound, "configId": "smell", "value": "x"}),
            ("session/set_config_option", {"sessionId": sound, "configId": "model", "value": True}),
        )
        assert told == snapshot("""\
session/new {"cwd": "relative"}: -32602 Invalid params | {'details': "cwd: must be an absolute path, not 'relative'"}
session/new {"cwd": null}: -32602 Invalid params | {'details': 'cwd: input should be a valid string'}
session/fork {"sessionId": "SOUND", "_meta": {"messageId": "nobody's"}}: -32002 Message not found | {'details': 'the session has no message "nobody\\'s"'}
session/fork {"sessionId": "SOUND", "_meta": {"messageId": ["x"]}}: -32002 Message not found | {'details': 'the session has no message "[\\'x\\']"'}
session/list {"cursor": "x"}: -32602 Invalid params | {'details': 'cursor: not one that was given out'}
session/list {"cursor": ""}: -32602 Invalid params | {'details': 'cursor: not one that was given out'}
session/list {"cursor": 7}: -32602 Invalid params | {'details': 'cursor: input should be a valid string'}
session/list {"cwd": "relative"}: -32602 Invalid params | {'details': "cwd: must be an absolute path, not 'relative'"}
session/list {"cwd": 7}: -32602 Invalid params | {'details': 'cwd: input should be a valid string'}
session/delete {"sessionId": "../etc"}: {}
session/delete {"sessionId": "00000000-0000-4000-8000-000000000000"}: {}
session/delete {"sessionId": null}: -32602 Invalid params | {'details': 'sessionId: input should be a valid string'}
session/delete {}: -32602 Invalid params | {'details': 'sessionId: field required'}
session/close {"sessionId": "../etc"}: -32002 Session not found: open it again, or begin a new one | {'details': "no session '../etc' is open in this process: load or resume it first"}
session/close {"sessionId": "00000000-0000-4000-8000-000000000000"}: -32002 Session not found: open it again, or begin a new one | {'details': "no session '00000000-0000-4000-8000-000000000000' is open in this process: load or resume it first"}
session/close {}: -32602 Invalid params | {'details': 'sessionId: field required'}
session/prompt {"sessionId": "00000000-0000-4000-8000-000000000000", "prompt": [{"type": "text", "text": "hi"}]}: -32002 Session not found: open it again, or begin a new one | {'details': "no session '00000000-0000-4000-8000-000000000000' is open in this process: load or resume it first"}
session/prompt {"sessionId": "SOUND", "prompt": []}: -32602 Invalid params | {'details': 'prompt: must not be empty'}
session/prompt {"sessionId": "SOUND", "prompt": [{"type": "smell"}]}: -32602 Invalid params | {'details': "prompt.0: input tag 'smell' found using 'type' does not match any of the expected tags: 'text', 'image', 'audio', 'resource_link', 'resource'"}
session/prompt {"sessionId": "SOUND"}: -32602 Invalid params | {'details': 'prompt: field required'}
session/set_mode {"sessionId": "00000000-0000-4000-8000-000000000000", "modeId": "plan"}: -32002 Session not found: open it again, or begin a new one | {'details': "no session '00000000-0000-4000-8000-000000000000' is open in this process: load or resume it first"}
session/set_mode {"sessionId": "SOUND", "modeId": "yolo"}: -32602 Invalid params | {'details': "mode cannot be 'yolo'; it is one of always-ask, accept-edits, llm-approve, always-approve, plan"}
session/set_config_option {"sessionId": "SOUND", "configId": "smell", "value": "x"}: -32602 Invalid params | {'details': "there is no option 'smell'; the options are mode, model"}
session/set_config_option {"sessionId": "SOUND", "configId": "model", "value": true}: -32602 Invalid params | {'details': 'model cannot be True; it is one of fake/model, fake/other'}\
""")


async def test_a_cursor_counts_for_the_list_that_it_came_from(machine: Machine) -> None:
    for _ in range(51):
        keep(machine.root, machine.project, [])
    (machine.root / ".openhands/acp").rename(machine.sessions.parent)
    async with window(machine) as second:
        cursor = (await second.editor.request("session/list"))["nextCursor"]
        errors = [
            await second.editor.request("session/list", cursor=cursor, cwd=str(machine.project)),
            await second.editor.request("session/list", cursor=cursor[:-4]),
        ]
        assert errors == snapshot(
            [
                {
                    "code": -32602,
                    "message": "Invalid params",
                    "data": {"details": "cursor: not one that was given out"},
                },
                {
                    "code": -32602,
                    "message": "Invalid params",
                    "data": {"details": "cursor: not one that was given out"},
                },
            ]
        )

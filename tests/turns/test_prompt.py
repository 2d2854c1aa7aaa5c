"""What a prompt may hold, and what of it the model gets."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.messages import Image, Part, Text, UserMessage
from openhands_acp.engine.usage.budget import Limit, Limits
from tests.harness.check import TestBackend, agent
from tests.harness.model import ScriptedModel, call, say

pytestmark = pytest.mark.anyio

UNSEEN = "(an image was here, which you cannot see: the model that is in use takes no images)"
PIXEL = base64.b64encode(b"\x89PNG").decode()


def link(uri: str, name: str = "it") -> dict[str, Any]:
    return {"type": "resource_link", "uri": uri, "name": name}


async def read_by_model(root: Path, *blocks: dict[str, Any], sees: bool = False, **kw: Any) -> tuple[Part, ...]:
    """Send a prompt of these blocks; return the message that the model got."""
    backend = TestBackend(ScriptedModel([[say("Ok.")]], sees_images=sees))
    async with agent(root, backend=backend, **kw) as running:
        await running.editor.request("session/prompt", sessionId=running.session_id, prompt=list(blocks))
        message = running.model.requests[0][-1]
        assert isinstance(message, UserMessage)
        return message.parts


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (link("file://ROOT/a.txt"), '<file path="ROOT/a.txt">\none\ntwo\nthree\n\n</file>'),
        (link("file://ROOT/a.txt#L2"), '<file path="ROOT/a.txt" lines="2-2">\ntwo\n</file>'),
        (link("file://ROOT/a.txt#L2-9"), '<file path="ROOT/a.txt" lines="2-4">\ntwo\nthree\n\n</file>'),
        (link("file://ROOT/a.txt#L1:2"), '<file path="ROOT/a.txt" lines="1-2">\none\ntwo\n</file>'),
        (link("file://ROOT/with%20blank.txt"), '<file path="ROOT/with blank.txt">\nx\n</file>'),
        (link("file://ROOT"), '<folder path="ROOT">\na.txt\nsub/\nwith blank.txt\n</folder>'),
        (link("file://ROOT/none"), "[it](ROOT/none) (could not be read: No such file or directory)"),
        (link("https://example.org/x", "page"), "[page](https://example.org/x)"),
        (link("zed:///thread/1", "thread"), "[thread](zed:///thread/1)"),
        (
            {"type": "resource", "resource": {"uri": "file:///x.py", "text": "x = 1"}},
            '<resource uri="file:///x.py">\nx = 1\n</resource>',
        ),
        (
            {"type": "resource", "resource": {"uri": "file:///x.bin", "blob": "AAAA", "mimeType": "application/zip"}},
            '<resource uri="file:///x.bin" type="application/zip">(binary, about 3 bytes)</resource>',
        ),
    ],
)
async def test_what_is_attached_is_read(tmp_path: Path, block: dict[str, Any], text: str) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "with blank.txt").write_text("x")
    (tmp_path / "sub").mkdir()
    if "uri" in block:
        block = block | {"uri": block["uri"].replace("ROOT", str(tmp_path))}
    [part] = await read_by_model(tmp_path, block)
    assert isinstance(part, Text)
    assert part.text == text.replace("ROOT", str(tmp_path))


async def test_a_linked_file_is_read_as_the_editor_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("saved")
    parts = await read_by_model(tmp_path, link(f"file://{path}"), buffers={str(path): "unsaved"})
    assert [part.text for part in parts if isinstance(part, Text)] == [f'<file path="{path}">\nunsaved\n</file>']


async def test_an_image_goes_to_a_model_that_sees(tmp_path: Path) -> None:
    block = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
    assert await read_by_model(tmp_path, block, sees=True) == (Image("image/png", PIXEL),)


async def test_an_image_is_left_out_plainly_for_a_model_that_does_not_and_once(tmp_path: Path) -> None:
    model = ScriptedModel([[say("Ok.")], [say("Well.")], [say("Red.")]])
    async with agent(tmp_path, backend=TestBackend(model)) as running:
        block = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
        for sees in (False, False, True):
            model.sees_images = sees
            await running.editor.request("session/prompt", sessionId=running.session_id, prompt=[block])
        chunks = [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
    told = "fake/model cannot see images; going on without them. If it can, set `vision = true` in acp.toml."
    assert chunks == [told, "\n\nOk.", "Well.", "Red."]
    seen = [
        [part for message in asked if isinstance(message, UserMessage) for part in message.parts]
        for asked in model.requests
    ]
    image, unseen = Image("image/png", PIXEL), Text(UNSEEN)
    assert seen == [[unseen], [unseen, unseen], [image, image, image]]


@pytest.mark.parametrize(
    ("prompt", "details"),
    [
        ([], "prompt: must not be empty"),
        ([{"type": "audio", "data": "", "mimeType": "audio/wav"}], "audio is not supported (see promptCapabilities)"),
        ([{"type": "text"}], "prompt.0.text.text: field required"),
        ([{"type": "smell"}], "prompt.0: input tag 'smell' found using 'type' does not match any of the expected tags"),
        ("hi", "prompt: input should be a valid list"),
    ],
)
async def test_what_cannot_be_taken_is_refused_with_the_reason(tmp_path: Path, prompt: Any, details: str) -> None:
    async with agent(tmp_path) as running:
        error = await running.editor.request("session/prompt", sessionId=running.session_id, prompt=prompt)
        assert error["code"] == -32602
        assert error["data"]["details"].startswith(details)


async def test_help_needs_no_model(tmp_path: Path) -> None:
    async with agent(tmp_path) as running:
        assert await running.prompt("/help") == {"stopReason": "end_turn"}
        assert "`/help`" in str(running.editor.updates())
        assert running.model.requests == []


async def test_a_slash_that_is_no_command_is_text(tmp_path: Path) -> None:
    async with agent(tmp_path, [say("Ok.")]) as running:
        await running.prompt("/etc/hosts is wrong")
        assert running.model.requests[0][-1] == UserMessage((Text("/etc/hosts is wrong"),))


async def test_a_turn_has_a_limit(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[call("think", thought="x")]] * 5), limits=Limits(Limit(max_steps=3)))
    async with agent(tmp_path, backend=backend) as running:
        assert await running.prompt("go") == {"stopReason": "max_turn_requests"}
        assert len(running.model.requests) == 3

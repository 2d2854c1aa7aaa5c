"""Images that the agent views: what the person sees of them, and what each model is sent."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.acp import content
from openhands_acp.engine.messages import Image, Message, ToolMessage
from tests.harness.check import TestBackend, agent, transcript
from tests.harness.model import ScriptedModel, call, say
from tests.tools.test_images import png

pytestmark = pytest.mark.anyio

PICTURE = Image("image/png", b64encode(png()).decode())
UNSEEN = "(an image was here, which you cannot see: the model that is in use takes no images)"


def results(messages: list[Message]) -> list[tuple[str, tuple[Image, ...]]]:
    return [(message.text, message.images) for message in messages if isinstance(message, ToolMessage)]


async def test_an_image_is_shown_to_the_person_and_to_a_model_that_sees(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    model = ScriptedModel([[call("file_editor", command="view", path="a.png")], [say("Red.")]], sees_images=True)
    async with agent(tmp_path, backend=TestBackend(model)) as running:
        await running.prompt("look")
        wire = transcript(running).replace(PICTURE.data, "PICTURE")
    said = f"{tmp_path}/a.png is an image: image/png, 3 x 2 pixels, {len(png())} bytes.\n(a.png was taken as {tmp_path}/a.png)"
    assert results(model.requests[1]) == [(said, (PICTURE,))]
    assert wire == snapshot("""\
> 3 session/prompt ["look"]
< session_info_update {"title": "look"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Read a.png", "kind": "read", "locations": [{"path": "ROOT/a.png"}], "rawInput": {"command": "view", "path": "a.png"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "image/png, 3 x 2 pixels, 88 bytes"}}, {"type": "content", "content": {"type": "image", "mimeType": "image/png", "data": "PICTURE"}}], "rawOutput": {"path": "ROOT/a.png", "mime_type": "image/png", "width": 3, "height": 2}}
< agent_message_chunk ["id16", "Red."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_model_that_sees_none_is_told_and_a_later_one_that_does_sees_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    model = ScriptedModel([[call("file_editor", command="view", path=str(tmp_path / "a.png"))], [say("No.")]])
    async with agent(tmp_path, backend=TestBackend(model)) as running:
        await running.prompt("look")
        model.sees_images = True
        await running.prompt("look again")
    said = f"{tmp_path}/a.png is an image: image/png, 3 x 2 pixels, {len(png())} bytes."
    assert results(model.requests[1]) == [(f"{said}\n{UNSEEN}", ())]
    assert results(model.requests[2]) == [(said, (PICTURE,))]


async def test_an_image_that_makes_too_long_a_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_SHOWN_IMAGE", len(PICTURE.data) - 1)
    (tmp_path / "a.png").write_bytes(png())
    model = ScriptedModel([[call("file_editor", command="view", path="a.png")], [say("Red.")]], sees_images=True)
    async with agent(tmp_path, backend=TestBackend(model)) as running:
        await running.prompt("look")
        done = await running.editor.until_update("tool_call_update", status="completed")
    assert done["content"][-1]["content"] == {
        "type": "text",
        "text": f"(an image of {len(png())} bytes, too large to show here)",
    }
    assert results(model.requests[1])[0][1] == (PICTURE,)

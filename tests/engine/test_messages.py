"""Messages for a model that sees no images."""

from __future__ import annotations

from openhands_acp.engine.messages import (
    AssistantMessage,
    CallMade,
    Image,
    Message,
    SystemMessage,
    Text,
    ToolMessage,
    UserMessage,
    without_images,
)

PIXEL = Image("image/png", "iVBO")
UNSEEN = "(an image was here, which you cannot see: the model that is in use takes no images)"


def test_every_image_becomes_a_sentence_and_the_rest_stays() -> None:
    said = AssistantMessage("so", (CallMade("a", "t", "{}"),))
    messages: list[Message] = [
        SystemMessage("s", "d"),
        UserMessage((Text("look"), PIXEL)),
        said,
        ToolMessage("a", "t", "an image", (PIXEL, PIXEL)),
        ToolMessage("b", "t", "no image"),
    ]
    assert without_images(messages) == [
        SystemMessage("s", "d"),
        UserMessage((Text("look"), Text(UNSEEN))),
        said,
        ToolMessage("a", "t", f"an image\n{UNSEEN}"),
        ToolMessage("b", "t", "no image"),
    ]

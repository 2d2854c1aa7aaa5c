"""What is shown of a call as the protocol spells it."""

from __future__ import annotations

from typing import Any

import pytest

from openhands_acp.acp.content import attached_to_wire, images_to_wire, shown_to_wire
from openhands_acp.engine.cards import Shown, ShownCommand, ShownDiff, ShownSound, ShownText
from openhands_acp.engine.messages import Image
from openhands_acp.engine.paths import AbsPath

A, B = AbsPath("/w/a"), AbsPath("/w/b")


def text(words: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": words}}


def diff(path: AbsPath, old: str, new: str) -> dict[str, Any]:
    return {"type": "diff", "path": path, "oldText": old, "newText": new}


SOUND = {"type": "audio", "mimeType": "audio/wav", "data": "UklG"}


@pytest.mark.parametrize(
    ("shown", "wire"),
    [
        (ShownText("*hi*"), [text("*hi*")]),
        (ShownSound("audio/wav", "UklG"), [{"type": "content", "content": SOUND}]),
        (ShownSound("audio/wav", "A" * 3_000_000), []),
        (ShownCommand("ls", "a"), [text("```console\n$ ls\na\n```")]),
        (ShownDiff(A, "1", "2"), [diff(A, "1", "2")]),
        (ShownDiff(A, None, "2"), [diff(A, "", "2")]),
        (ShownDiff(A, "1", None), [text("Removed: `/w/a`"), diff(A, "1", "")]),
        (ShownDiff(B, "1", "2", A), [text("Renamed from `/w/a`: `/w/b`"), diff(B, "1", "2")]),
        (ShownDiff(A, "1", "1", note="Made executable"), [text("Made executable: `/w/a`"), diff(A, "1", "1")]),
    ],
)
def test_what_a_diff_cannot_say_is_said_in_front_of_it(shown: Shown, wire: list[dict[str, Any]]) -> None:
    assert shown_to_wire([shown]) == wire


def test_images_are_content_like_any_other() -> None:
    image = {"type": "image", "mimeType": "image/png", "data": "iVBO"}
    assert images_to_wire([Image("image/png", "iVBO")]) == [{"type": "content", "content": image}]


def test_an_image_that_was_attached_is_told_again_unless_its_line_would_be_too_long() -> None:
    small, large = Image("image/png", "AAAA"), Image("image/png", "A" * (8 * 1024 * 1024 + 4))
    assert attached_to_wire(small) == {"type": "image", "mimeType": "image/png", "data": "AAAA"}
    text = "(an image of 6,291,459 bytes, too large to show here)"
    assert attached_to_wire(large) == {"type": "text", "text": text}

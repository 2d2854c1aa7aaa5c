"""Images that the model looks at: what is one, what is shown of it, and what is refused plainly."""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.engine.cards import Location, ShownText
from openhands_acp.engine.messages import Image
from openhands_acp.engine.tool import ToolResult
from openhands_acp.tools.images import LIMIT, BadPicture, Picture, picture_of
from tests.harness.editing import Place

pytestmark = pytest.mark.anyio


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int = 3, height: int = 2, *extra: bytes) -> bytes:
    """Red, each row unfiltered; not compressed, so that its size is the same everywhere."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff\0\0" * width) * height, 0)
    parts = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bmp(depth: int, rows: list[bytes], *, width: int = 3, palette: bytes = b"", compression: int = 0) -> bytes:
    """Rows as a BMP has them: the last first, each filled up to four bytes."""
    body = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF) if compression == 3 else b""
    header = struct.pack("<IiiHHIIiiII", 40, width, len(rows), 1, depth, compression, len(body), 0, 0, 0, 0)
    offset = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + header + masks + palette + body


JPEG = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgICAgMCAgIDAwMDBAYEBAQEBAgGBgUGCQgKCgkICQkKDA8MCgsOCwkJDRENDg8QEBEQCgwSExIQ"
    "Ew8QEBD/2wBDAQMDAwQDBAgEBAgQCwkLEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBD/wAARCAAC"
    "AAMDAREAAhEBAxEB/8QAFAABAAAAAAAAAAAAAAAAAAAACP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/xAAVAQEBAAAAAAAAAAAAAAAAAAAHCf/EABQR"
    "AQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/ADoDFU3/2Q=="
)
GIF = b64decode("R0lGODlhAwACAPAAAP8AAAAAACH5BAAAAAAALAAAAAADAAIAAAIChF8AOw==")
WEBP = b64decode("UklGRjwAAABXRUJQVlA4IDAAAADQAQCdASoDAAIAAgA0JaACdLoB+AADsAD+8MQL/yC5YXXI1/8gP+QH/ID/+PIAAAA=")
WEBP_LOSSLESS = b64decode("UklGRhwAAABXRUJQVlA4TA8AAAAvAkAAAAcQ/Y/+ByKi/wEA")
WEBP_EXTENDED = b64decode(
    "UklGRl4AAABXRUJQVlA4WAoAAAAQAAAAAgAAAQAAQUxQSAcAAAAAf39/f39/AFZQOCAwAAAA0AEAnQEqAwACAAIANCWgAnS6AfgAA7AA/vDEC/8guWF1"
    "yNf/ID/kB/yA//jyAAAA"
)
BLUE_RED_GREEN = bytes.fromhex("ff0000 0000ff 00ff00")
"""Three pixels as a BMP of 24 bits has them."""


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (png(), "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (WEBP, "image/webp"),
        (WEBP_LOSSLESS, "image/webp"),
        (WEBP_EXTENDED, "image/webp"),
    ],
)
def test_an_image_is_recognised_by_what_is_in_it_and_one_cut_off_is_refused(data: bytes, mime_type: str) -> None:
    assert picture_of(data) == Picture(mime_type, 3, 2, data)
    for size in range(16, len(data) - 1):
        with pytest.raises(BadPicture):
            picture_of(data[:size])


@pytest.mark.parametrize(
    "data", [b"", b"BM", b"version https://git-lfs.github.com/spec/v1\n", b"\0" * 100, b"%PDF-1.7"]
)
def test_what_is_no_image_is_none(data: bytes) -> None:
    assert picture_of(data) is None


@given(st.sampled_from([png(), JPEG, GIF, WEBP, WEBP_LOSSLESS, bmp(24, [BLUE_RED_GREEN])]), st.data())
def test_whatever_the_bytes_it_is_an_image_or_refused(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    broken = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + draw.draw(st.integers(0, 3)) :]
    try:
        picture = picture_of(broken)
    except BadPicture:
        return
    assert picture is None or (0 < picture.width <= 8000 and 0 < picture.height <= 8000)


def test_a_changed_bit_in_a_png_is_noticed() -> None:
    data = bytearray(png())
    data[45] ^= 1
    with pytest.raises(BadPicture, match="damaged"):
        picture_of(bytes(data))


@pytest.mark.parametrize(
    ("data", "kind", "rows"),
    [
        (
            bmp(24, [BLUE_RED_GREEN, BLUE_RED_GREEN[3:] + b"\1\2\3"]),
            2,
            ["ff0000 00ff00 030201", "0000ff ff0000 00ff00"],
        ),
        (bmp(32, [bytes.fromhex("ff000000 0000ff00 00ff00ff")]), 2, ["0000ff ff0000 00ff00"]),
        (bmp(32, [bytes.fromhex("ff000000 0000ff00 00ff00ff")], compression=3), 2, ["0000ff ff0000 00ff00"]),
        (bmp(8, [b"\0\1\0", b"\1\1\1"], palette=bytes.fromhex("ff000000 0000ff00")), 3, ["010101", "000100"]),
        (bmp(4, [b"\x01\x00"], palette=bytes.fromhex("ff000000 0000ff00")), 3, ["0100"]),
        (bmp(1, [b"\x40"], palette=bytes.fromhex("ff000000 0000ff00")), 3, ["40"]),
    ],
)
def test_a_bitmap_becomes_a_png(data: bytes, kind: int, rows: list[str]) -> None:
    picture = picture_of(data)
    assert picture is not None
    assert (picture.mime_type, picture.width, picture.height) == ("image/png", 3, len(rows))
    assert picture_of(picture.data) == picture
    assert picture.data[25] == kind
    pixels = zlib.decompress(picture.data[picture.data.index(b"IDAT") + 4 :])
    assert pixels == b"".join(b"\0" + bytes.fromhex(row) for row in rows)
    if kind == 3:
        assert picture.data[picture.data.index(b"PLTE") + 4 :][:6] == bytes.fromhex("0000ff ff0000")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bmp(8, [b"\0\1\0"], compression=1), "BMP of a kind"),
        (bmp(16, [b"\0" * 6]), "BMP of a kind"),
        (bmp(24, [b""]), "cut off or damaged"),
        (png(width=0), "no pixels"),
        (png(8001, 1), "8001 x 1 pixels, and models take no more than 8000 on a side. Make a smaller copy"),
    ],
)
def test_what_no_model_takes_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadPicture, match=reason):
        picture_of(data)


async def test_viewing_an_image_gives_it_to_the_model(tmp_path: Path) -> None:
    place, data = Place(tmp_path), png()
    path = place.put("Shot.PNG", data)
    what = f"image/png, 3 x 2 pixels, {len(data)} bytes"
    assert await place.call("view", path) == ToolResult(
        f"{path} is an image: {what}.",
        (ShownText(what),),
        (Location(path),),
        {"path": path, "mime_type": "image/png", "width": 3, "height": 2},
        images=(Image("image/png", b64encode(data).decode()),),
    )


async def test_the_type_that_counts_is_that_of_the_content(tmp_path: Path) -> None:
    place = Place(tmp_path)
    result = await place.call("view", place.put("a.png", JPEG))
    assert [image.mime_type for image in result.images] == ["image/jpeg"]


async def test_a_pointer_to_an_image_elsewhere_is_text(tmp_path: Path) -> None:
    place = Place(tmp_path)
    result = await place.call("view", place.put("a.png", b"version https://git-lfs.github.com/spec/v1\n"))
    assert ("     1\tversion https://git-lfs" in result.text, result.images) == (True, ())


async def test_a_folder_with_the_name_of_an_image_is_a_folder(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("a.png/b.txt", b"x")
    assert "a.png/b.txt" in (await place.call("view", place.path("a.png"))).text


async def test_a_large_image_is_refused_with_its_size_and_the_largest_is_not(tmp_path: Path) -> None:
    place = Place(tmp_path)
    filling = LIMIT - len(png(3, 2, chunk(b"teXt", b"")))
    place.put("most.png", png(3, 2, chunk(b"teXt", bytes(filling))))
    [image] = (await place.call("view", place.path("most.png"))).images
    assert len(image.data) == 5 * 1024 * 1024
    path = place.put("more.png", png(3, 2, chunk(b"teXt", bytes(filling + 1))))
    assert await place.fails("view", path) == (
        f"{path}: File is too large (3.8 MB). Maximum allowed size is 3.75MB. "
        "Make a smaller copy of it with the terminal, and view that"
    )


async def test_a_damaged_image_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    path = place.put("a.jpg", JPEG[:-30])
    assert await place.fails("view", path) == f"{path}: the image is cut off"

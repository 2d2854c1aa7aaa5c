"""Image files for a model to look at: recognised by what is in them, checked, and bounded.

One that is damaged or of a kind that providers refuse would make them refuse the whole conversation
from then on, so it never gets there. Knows the file formats, and nothing of models.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import PurePath

from anyio import to_thread

from openhands_acp.engine.cards import Location, ShownText
from openhands_acp.engine.messages import Image
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import UnreadableFile
from openhands_acp.engine.tool import Hands, ToolError, ToolResult

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"})
LIMIT = 5 * 1024 * 1024 * 3 // 4
"""Bytes of one image: providers count 5 MiB in base64."""
_MOST_PIXELS = 8000
"""On one side: what providers take."""
_QUICK = 256 * 1024
"""Bytes from which on looking at them takes long enough for others to wait."""
_SMALLER = "Make a smaller copy of it with the terminal, and view that"


@dataclass(frozen=True, slots=True)
class Picture:
    mime_type: str
    width: int
    height: int
    data: bytes


class BadPicture(Exception):
    """It is an image, but not one that a model could be shown; the message says why."""


async def viewed(path: AbsPath, hands: Hands) -> ToolResult | None:
    """View the file as an image; None if it is none, by its name or by what is in it."""
    if PurePath(path).suffix.lower() not in _SUFFIXES:
        return None
    try:
        data = await hands.files.read_bytes(path, LIMIT)
    except UnreadableFile as error:
        raise ToolError(f"{path}: {error} {_SMALLER}") from error
    try:
        picture = picture_of(data) if len(data) <= _QUICK else await to_thread.run_sync(picture_of, data)
    except BadPicture as error:
        raise ToolError(f"{path}: {error}") from error
    if picture is None:
        return None
    what = f"{picture.mime_type}, {picture.width} x {picture.height} pixels, {len(data):,} bytes"
    return ToolResult(
        f"{path} is an image: {what}.",
        (ShownText(what),),
        (Location(path),),
        {"path": path, "mime_type": picture.mime_type, "width": picture.width, "height": picture.height},
        images=(Image(picture.mime_type, b64encode(picture.data).decode()),),
    )


def picture_of(data: bytes) -> Picture | None:
    """Recognise an image; None if it is none that is known here. Raises BadPicture."""
    try:
        picture = _recognised(data)
    except (struct.error, IndexError) as error:
        raise BadPicture("the image is cut off or damaged") from error
    if picture is None:
        return None
    if not (picture.width and picture.height):
        raise BadPicture("the image is damaged: it has no pixels")
    if max(picture.width, picture.height) > _MOST_PIXELS:
        raise BadPicture(
            f"the image has {picture.width} x {picture.height} pixels, and models take no more than {_MOST_PIXELS} "
            f"on a side. {_SMALLER}"
        )
    if len(picture.data) > LIMIT:
        raise BadPicture(f"the image is too large as PNG ({len(picture.data) / 1024 / 1024:.1f} MB). {_SMALLER}")
    return picture


def checked(image: Image) -> Image:
    """Return one that came from elsewhere as what it is, whatever it is called there. Raises BadPicture."""
    try:
        picture = picture_of(b64decode(image.data, validate=True))
    except ValueError as error:
        raise BadPicture("the image is not in base64") from error
    if picture is None:
        raise BadPicture("it is said to be an image, and is none that is known here")
    return Image(picture.mime_type, b64encode(picture.data).decode("ascii"))


def _recognised(data: bytes) -> Picture | None:
    match data[:4]:
        case b"\x89PNG":
            return _png(data)
        case b"GIF8":
            return _gif(data)
        case b"RIFF" if data[8:12] == b"WEBP":
            return _webp(data)
        case _ if data[:3] == b"\xff\xd8\xff":
            return _jpeg(data)
        case _ if data[:2] == b"BM" and data[6:10] == b"\0\0\0\0":
            return _bmp(data)
        case _:
            return None


def _png(data: bytes) -> Picture:
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if zlib.crc32(data[at + 4 : at + 8 + length]) != checksum:
            raise BadPicture("the image is damaged")
        if kind == b"IEND":
            break
        at += 12 + length
    width, height = struct.unpack_from(">II", data, 16)
    return Picture("image/png", width, height, data)


def _gif(data: bytes) -> Picture:
    if not data.rstrip(b"\0\r\n").endswith(b";"):
        raise BadPicture("the image is cut off")
    width, height = struct.unpack_from("<HH", data, 6)
    return Picture("image/gif", width, height, data)


def _jpeg(data: bytes) -> Picture:
    if data.rfind(b"\xff\xd9") < 0:
        raise BadPicture("the image is cut off")
    at = 2
    while True:
        while data[at] != 0xFF or data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        # Frames, of every kind of compression; what lies between their markers is something else.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Picture("image/jpeg", width, height, data)
        (length,) = struct.unpack_from(">H", data, at + 2)
        at += 2 + length


def _webp(data: bytes) -> Picture:
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data) + 1:
        raise BadPicture("the image is cut off")
    match data[12:16]:
        case b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            width = int.from_bytes(data[24:27], "little") + 1
            height = int.from_bytes(data[27:30], "little") + 1
        case _:
            raise BadPicture("the image is of a kind of WebP that is not known here; convert it to PNG, and view that")
    return Picture("image/webp", width, height, data)


# ---------------------------------------------------------------- BMP, which no provider takes, as PNG

_NO_COMPRESSION, _MASKS = 0, 3
_BLUE_FIRST = (0xFF0000, 0xFF00, 0xFF)
_TRUE, _PALETTE = 2, 3


def _bmp(data: bytes) -> Picture:
    offset, header = struct.unpack_from("<II", data, 10)
    if header < 40:
        raise BadPicture("the image is a BMP of a kind that is not known here; convert it to PNG, and view that")
    width, height, _planes, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    is_plain = compression == _NO_COMPRESSION or (
        compression == _MASKS and depth == 32 and struct.unpack_from("<III", data, 54) == _BLUE_FIRST
    )
    if not is_plain or depth not in (1, 4, 8, 24, 32):
        raise BadPicture("the image is a BMP of a kind that is not known here; convert it to PNG, and view that")
    size, stride = (width * depth + 7) // 8, (width * depth + 31) // 32 * 4
    if width <= 0 or offset + stride * abs(height) > len(data):
        raise BadPicture("the image is cut off or damaged")
    starts = range(offset, offset + stride * abs(height), stride)
    rows = [data[at : at + size] for at in (starts if height < 0 else reversed(starts))]
    palette = b""
    if depth <= 8:
        colours = data[14 + header : min(offset, 14 + header + 4 * 2**depth)]
        palette = _chunk(b"PLTE", _red_first(colours[: len(colours) // 4 * 4], 4))
    else:
        rows = [_red_first(row, depth // 8) for row in rows]
    kind = struct.pack(">IIBBBBB", width, abs(height), min(depth, 8), _PALETTE if palette else _TRUE, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", kind) + palette + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    return Picture("image/png", width, abs(height), png)


def _red_first(colours: bytes, step: int) -> bytes:
    turned = bytearray(len(colours) // step * 3)
    turned[0::3], turned[1::3], turned[2::3] = colours[2::step], colours[1::step], colours[0::step]
    return bytes(turned)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

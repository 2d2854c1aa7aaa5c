"""Lines and messages: any split of the bytes gives the same, and nothing is read that is not JSON-RPC."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhands_acp.rpc.errors import INVALID_REQUEST, PARSE_ERROR
from openhands_acp.rpc.framing import Broken, Framer, Notification, Oversize, Request, Response, encode, parse

LINES = st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=8)


def framed(pieces: list[bytes], limit: int = 1000) -> list[bytes | Oversize]:
    framer = Framer(limit)
    return [line for piece in pieces for line in framer.feed(piece)] + framer.finish()


@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.data())
def test_any_split_gives_the_same_lines(lines: list[bytes], end: bytes, data: st.DataObject) -> None:
    stream = end.join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert framed(pieces) == [line for line in (raw.strip(b"\r\n\t ") for raw in lines) if line]
    assert framed([bytes([byte]) for byte in stream]) == framed([stream])


@given(st.lists(st.integers(1, 30), max_size=6))
def test_a_line_beyond_the_limit_is_skipped_and_the_next_one_is_read(sizes: list[int]) -> None:
    long = b'{"id":7,' + b"x" * 40
    pieces = [long[:size] for size in sizes] + [b"x" * 60, b"\n", b"next\n"]
    oversize, *rest = framed(pieces, limit=50)
    assert isinstance(oversize, Oversize)
    assert rest == [b"next"]


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        ({"jsonrpc": "2.0", "id": 7, "method": "m", "params": {"id": 1}}, 7),
        ({"id": "a b", "jsonrpc": "2.0", "method": "m", "params": {}}, "a b"),
        ({"jsonrpc": "2.0", "method": "m", "params": {"x": {"id": 1}}, "id": 2**70}, 2**70),
        ({"jsonrpc": "2.0", "method": "m", "params": {"x": 1, "id": 5}}, None),
        ({"jsonrpc": "2.0", "params": {"id": 3}, "id": 4, "method": "m"}, None),
    ],
)
def test_the_id_of_a_message_that_is_too_long_is_found_at_its_ends(message: dict[str, Any], request_id: Any) -> None:
    raw = json.dumps(message).encode()
    broken = parse(Oversize(raw[:4096], raw[-4096:]))
    assert isinstance(broken, Broken)
    assert (broken.id, broken.error.code) == (request_id, INVALID_REQUEST)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"jsonrpc":"2.0","id":1,"method":"m"}', Request(1, "m", {})),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":null}', Request(1, "m", {})),
        ('{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1},"extra":2}', Request(1, "m", {"a": 1})),
        (f'{{"jsonrpc":"2.0","id":{2**80},"method":"m"}}', Request(2**80, "m", {})),
        ('{"jsonrpc":"2.0","id":1.5,"method":"m"}', Request(1.5, "m", {})),
        ('{"jsonrpc":"2.0","id":null,"method":"m"}', Request(None, "m", {})),
        ('{"jsonrpc":"2.0","id":"\\ud800","method":"m"}', Request("\ud800", "m", {})),
        ('{"jsonrpc":"2.0","method":"m","params":{}}', Notification("m", {})),
        ('{"jsonrpc":"2.0","id":1,"result":null}', Response(1, None, None)),
        ('{"jsonrpc":"2.0","id":null,"error":{"code":1}}', Response(None, None, {"code": 1})),
    ],
)
def test_messages(line: str, message: object) -> None:
    assert parse(line.encode()) == message


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", PARSE_ERROR),
        (b"\xff\xfe", PARSE_ERROR),
        (b'{"id":NaN}', PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b'[{"jsonrpc":"2.0","id":1,"method":"m"}]', INVALID_REQUEST),
        (b"42", INVALID_REQUEST),
        (b'"x"', INVALID_REQUEST),
        (b"true", INVALID_REQUEST),
        (b"null", INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","id":1,"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1e999,"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST),
    ],
)
def test_what_is_not_a_message(line: bytes, code: int) -> None:
    broken = parse(line)
    assert isinstance(broken, Broken)
    assert (broken.id, broken.error.code) == (None, code)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON))
def test_what_is_written_is_one_line_that_reads_back(message: dict[str, Any]) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert json.loads(line) == message


def test_half_a_surrogate_pair_can_be_written() -> None:
    assert json.loads(encode({"id": "\ud800"})) == {"id": "\ud800"}

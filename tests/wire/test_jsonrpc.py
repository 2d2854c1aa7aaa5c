"""JSON-RPC 2.0 to the letter, on the pipes of the real process. No model is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness.process import Server, line_of, prompt
from tests.harness.waiting import PATIENCE

BIG = 2**80
MIB = 1 << 20
UNKNOWN = '"jsonrpc":"2.0","method":"no/such"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("home"), "--model", "scripted/demo") as server:
        server.initialize()
        yield server


def answers_to(server: Server, data: bytes) -> list[dict[str, Any]]:
    """Send `data`; return everything that is answered before a request that is sent behind it."""
    server.send(data)
    *before, _ = server.answer(server.put("initialize", {"protocolVersion": 1}))
    return before


def verdicts(answers: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """What is answered to whom; that it is spelt as an answer is checked here."""
    for answer in answers:
        assert answer.keys() == {"jsonrpc", "id", "error"}
        assert (answer["jsonrpc"], bool(answer["error"]["message"])) == ("2.0", True)
        assert isinstance(answer["error"]["data"]["details"], str)
    return [(answer["id"], answer["error"]["code"]) for answer in answers]


PARSE_ERROR = [(None, -32700)]
INVALID = [(None, -32600)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # Not JSON.
        (b"{", PARSE_ERROR),
        (b"hello", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"no/such"}}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"no/such"} {"jsonrpc":"2.0","id":2,"method":"no/such"}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}', PARSE_ERROR),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"no/such"}', PARSE_ERROR),
        ('{"jsonrpc":"2.0","id":1,"method":"no/such"}'.encode("utf-16-le"), PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"no/such"}', PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"no/such","params":{"a":-Infinity}}', PARSE_ERROR),
        (b"{'jsonrpc':'2.0'}", PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 10_000 + b',"method":"no/such"}', PARSE_ERROR),
        # JSON, but not a message.
        (b"42", INVALID),
        (b'"x"', INVALID),
        (b"true", INVALID),
        (b"null", INVALID),
        (b"{}", INVALID),
        (b"[]", INVALID),
        (b'[{"jsonrpc":"2.0","id":1,"method":"no/such"},{"jsonrpc":"2.0","id":2,"method":"no/such"}]', INVALID),
        (b'{"id":1,"method":"no/such"}', INVALID),
        (b'{"jsonrpc":"1.0","id":1,"method":"no/such"}', INVALID),
        (b'{"jsonrpc":2.0,"id":1,"method":"no/such"}', INVALID),
        (b'{"jsonrpc":"2.0","id":1}', INVALID),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', INVALID),
        (b'{"jsonrpc":"2.0","id":1,"method":null}', INVALID),
        (b'{"jsonrpc":"2.0","id":1,"method":["no/such"]}', INVALID),
        (b'{"jsonrpc":"2.0","id":true,"method":"no/such"}', INVALID),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"no/such"}', INVALID),
        (b'{"jsonrpc":"2.0","id":[1],"method":"no/such"}', INVALID),
        (b'{"jsonrpc":"2.0","id":1e400,"method":"no/such"}', INVALID),
        (b'{"jsonrpc":"2.0","id":1,"method":"no/such","params":3}', INVALID),
        (b'{"jsonrpc":"2.0","id":1,"method":"no/such","params":"x"}', INVALID),
    ],
)
def test_what_is_not_a_message_is_answered_once_with_a_null_id(
    server: Server, line: bytes, expected: list[tuple[Any, int]]
) -> None:
    assert verdicts(answers_to(server, line + b"\n")) == expected


@pytest.mark.parametrize(
    "request_id",
    [0, 1, -1, BIG, -BIG, 1.5, "", "1", "ü€😀", '"\\\n', "x" * 100_000, None],
    ids=lambda request_id: str(request_id)[:10],
)
def test_an_id_comes_back_exactly(server: Server, request_id: Any) -> None:
    message = {"jsonrpc": "2.0", "id": request_id, "method": "no/such"}
    assert verdicts(answers_to(server, line_of(message))) == [(request_id, -32601)]


def test_an_id_of_half_a_surrogate_pair_comes_back_exactly(server: Server) -> None:
    assert verdicts(answers_to(server, rb'{"jsonrpc":"2.0","id":"\ud800","method":"no/such"}' + b"\n")) == [
        ("\ud800", -32601)
    ]


@pytest.mark.parametrize(
    "data",
    [
        f'{{{UNKNOWN},"id":5}}\r\n',
        f'\n\r\n  \n\t\n{{{UNKNOWN},"id":5}}\n\n',
        f'  {{ {UNKNOWN} , "id" : 5 }}  \n',
        f'{{{UNKNOWN},"id":5,"params":null}}\n',
        f'{{{UNKNOWN},"id":5,"params":[1,2]}}\n',
        f'{{{UNKNOWN},"id":5,"_meta":{{}},"traceparent":"00"}}\n',
        f'{{{UNKNOWN},"id":4,"id":5}}\n',
    ],
)
def test_what_clients_are_known_to_do_is_tolerated(server: Server, data: str) -> None:
    assert verdicts(answers_to(server, data.encode())) == [(5, -32601)]


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc":"2.0","id":999,"result":{}}',
        '{"jsonrpc":"2.0","id":null,"result":{}}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"Invalid params"}}',
        '{"jsonrpc":"2.0","id":"x","error":"nonsense"}',
        '{"jsonrpc":"2.0","result":{}}',
        '{"jsonrpc":"2.0","method":"no/such"}',
        '{"jsonrpc":"2.0","method":"initialize"}',
        '{"jsonrpc":"2.0","method":"session/new","params":{"cwd":"/"}}',
        '{"jsonrpc":"2.0","method":"session/prompt","params":{}}',
        '{"jsonrpc":"2.0","method":"session/cancel"}',
        '{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":7}}',
        '{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"unknown"}}',
        '{"jsonrpc":"2.0","method":"$/cancel_request"}',
        '{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":12345}}',
        '{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":null}}',
        '{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":[1]}}',
        '{"jsonrpc":"2.0","method":"$/no/such","params":{}}',
    ],
)
def test_answers_and_notifications_are_not_answered(server: Server, line: str) -> None:
    assert answers_to(server, line.encode() + b"\n") == []


@pytest.mark.parametrize(
    ("method", "params", "code", "told"),
    [
        ("no/such", {}, -32601, "'no/such'"),
        ("", {}, -32601, "''"),
        ("session/cancel", {"sessionId": "x"}, -32601, "'session/cancel'"),
        ("__class__", {}, -32601, "'__class__'"),
        ("initialize", {}, -32602, "protocolVersion: field required"),
        ("session/new", {}, -32602, "cwd: field required"),
        ("session/new", {"cwd": 7}, -32602, "cwd: input should be a valid string"),
        ("session/new", {"cwd": None}, -32602, "cwd: input should be a valid string"),
        ("session/new", {"cwd": "/", "mcpServers": "x"}, -32602, "mcpServers: input should be a valid list"),
        ("session/prompt", {}, -32602, "sessionId: field required; prompt: field required"),
        ("session/prompt", {"sessionId": "x"}, -32602, "prompt: field required"),
        ("session/prompt", {"sessionId": "x", "prompt": "hi"}, -32602, "prompt: input should be a valid list"),
        ("session/prompt", {"sessionId": "x", "prompt": [{"type": "text"}]}, -32602, "prompt.0.text.text: field required"),
        ("session/prompt", {"sessionId": "x", "prompt": [{"type": "film"}]}, -32602, "prompt.0"),
        ("session/set_mode", {"sessionId": "x"}, -32602, "modeId: field required"),
        ("session/set_config_option", {"sessionId": "x"}, -32602, "configId: field required; value: field required"),
        ("authenticate", {}, -32602, "methodId: field required"),
        ("authenticate", {"methodId": "nobody"}, -32602, "'nobody'"),
        ("session/prompt", prompt("unknown", "hi"), -32002, "'unknown'"),
        ("session/set_mode", {"sessionId": "unknown", "modeId": "plan"}, -32002, "'unknown'"),
        ("session/set_config_option", {"sessionId": "unknown", "configId": "mode", "value": "plan"}, -32002, "'unknown'"),
        ("session/close", {"sessionId": "unknown"}, -32002, "'unknown'"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_served_says_why(
    server: Server, method: str, params: dict[str, Any], code: int, told: str
) -> None:
    answer = server.ask(method, params)
    assert (answer["error"]["code"], told in answer["error"]["data"]["details"]) == (code, True), answer


def test_parameters_with_pythons_own_names_are_tolerated(server: Server) -> None:
    params = {"self": 1, "ctx": 2, "call": 3, "params": 4, "class": 5, "": 6, "a-b": 7, "protocolVersion": 1}
    assert server.ask("initialize", params)["result"]["protocolVersion"] == 1


def test_the_same_id_twice_is_answered_twice(server: Server) -> None:
    line = line_of({"jsonrpc": "2.0", "id": "twin", "method": "initialize", "params": {"protocolVersion": 1}})
    first, second = answers_to(server, line + line)
    assert (first["id"], first) == ("twin", second)


def test_lines_in_one_chunk_are_answered_in_their_order(server: Server) -> None:
    data = b"".join(line_of({"jsonrpc": "2.0", "id": at, "method": "no/such"}) for at in range(500))
    assert verdicts(answers_to(server, data)) == [(at, -32601) for at in range(500)]


def test_a_message_may_be_split_anywhere(server: Server) -> None:
    line = '{"jsonrpc":"2.0","id":"é","method":"no/such"}\r\n'.encode()
    for at in range(1, len(line)):
        # The first part is known to have been read when what came in the same write is answered.
        server.send(line_of({"jsonrpc": "2.0", "id": at, "method": "no/such"}) + line[:at])
        server.answer(at)
        server.send(line[at:])
        assert verdicts([server.message()]) == [("é", -32601)]


def test_an_unfinished_last_line_is_a_message_too(server: Server) -> None:
    with Server(server.home / "another", "--model", "scripted/demo") as other:
        other.initialize()
        other.send(b'{"jsonrpc":"2.0","id":5,"method":"no/such"}')
        other.close_stdin()
        assert verdicts(other.rest()) == [(5, -32601)]
        assert other.process.wait(PATIENCE) == 0


def test_what_was_asked_before_the_end_of_input_is_answered(server: Server) -> None:
    with Server(server.home / "another", "--model", "scripted/demo") as other:
        other.put("initialize", {"protocolVersion": 1})
        other.close_stdin()
        assert [answer["id"] for answer in other.rest()] == ["r1"]
        assert other.process.wait(PATIENCE) == 0


@pytest.mark.slow
def test_a_message_of_60_mib_is_served_and_one_beyond_64_is_answered_with_its_id(server: Server) -> None:
    session_id = server.new_session(server.home)
    answer = server.ask("session/prompt", prompt(session_id, "x" * (60 * MIB)))
    assert answer["result"] == {"stopReason": "end_turn"}
    filler = b'"' + b"x" * (65 * MIB) + b'"'
    at_the_start = b'{"jsonrpc":"2.0","id":7,"method":"no/such","params":{"a":' + filler + b"}}\n"
    at_the_end = b'{"jsonrpc":"2.0","method":"no/such","params":{"a":' + filler + b'},"id":"s"}\n'
    assert verdicts(answers_to(server, at_the_start)) == [(7, -32600)]
    assert verdicts(answers_to(server, at_the_end)) == [("s", -32600)]
    assert verdicts(answers_to(server, filler + b"\n")) == INVALID
    assert server.ask("session/close", {"sessionId": session_id})["result"] == {}


def test_junk_does_not_wear_the_server_out(server: Server) -> None:
    answers = answers_to(server, b"junk\n" * 2000)
    assert verdicts(answers) == PARSE_ERROR * 2000
    assert json.loads(json.dumps(server.ask("initialize", {"protocolVersion": 1})))["result"]["protocolVersion"] == 1

"""Sessions outlive the process: another lists them, takes them up, copies and deletes them."""

from __future__ import annotations

import select
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from openhands_acp.llm.scripted import CORRECTION, PROGRAM, task
from tests.harness.process import SETTINGS, Server, eventually, line_of, prompt, with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Json, Reply, Text, Usage
from tests.harness.waiting import PATIENCE
from tests.turns.test_replay import client_model
from tests.wire.lived import COMMAND, Lived, keep, live_through, project, say, take_up, tree, updates_in

_UNKNOWN = str(uuid4())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("lived")
    return live_through(folder / "home", folder / "project")


@pytest.fixture(scope="module")
def reader(original: Lived, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A process for those who change nothing."""
    with original.copied(tmp_path_factory.mktemp("reader") / "home").process() as server:
        server.initialize()
        yield server


@pytest.fixture
def lived(original: Lived, tmp_path: Path) -> Lived:
    """A session on the disk, for one test."""
    return original.copied(tmp_path / "home")


@pytest.fixture
def server(lived: Lived) -> Iterator[Server]:
    """Another process than the one that it was lived through in."""
    with lived.process() as server:
        server.initialize()
        yield server


# ---------------------------------------------------------------- taken up again


def test_load_tells_before_its_answer_what_was_told_live_and_goes_on(lived: Lived, server: Server) -> None:
    before = tree(lived.folder)
    answer, told = take_up(server, lived.session_id, lived.folder)
    assert answer["result"]["modes"]["currentModeId"] == "always-approve"
    assert client_model(told) == client_model(lived.updates)
    # Four of tools, the plan's end, and what the commands did to files.
    assert len(client_model(told)["calls"]) == 6
    assert say(server, lived.session_id)[0] == "end_turn"
    assert tree(lived.folder) == before


@pytest.mark.slow
def test_resume_tells_nothing_again_and_goes_on(lived: Lived, server: Server) -> None:
    answer, told = take_up(server, lived.session_id, lived.folder, "session/resume")
    assert (answer["result"]["modes"]["currentModeId"], told) == ("always-approve", [])
    assert say(server, lived.session_id)[0] == "end_turn"
    # Loaded now, it is open already; all of it is told all the same.
    assert "and now?" in str(take_up(server, lived.session_id, lived.folder)[1])


def test_a_load_while_a_turn_runs_loses_nothing_of_it(tmp_path: Path) -> None:
    folder = project(tmp_path / "project")
    with Server(tmp_path / "home", "--model", "scripted/demo") as server:
        server.initialize()
        # More than a pipe and the outbox hold: the replay has to wait in the middle until somebody reads.
        session_id = keep(tmp_path / "home", folder, ["x" * 2_000] * 500)
        take_up(server, session_id, folder, "session/resume")
        running = server.put("session/prompt", prompt(session_id, task(COMMAND)))
        allow(server, server.until(_is_question)[-1])
        to_edit = server.until(_is_question)[-1]
        loading = server.put("session/load", {"sessionId": session_id, "cwd": str(folder), "mcpServers": []})
        select.select([server.stdout], [], [], PATIENCE)
        allow(server, to_edit)
        eventually(lambda: CORRECTION in (folder / PROGRAM).read_text())
        told = server.answer(loading)
        while told[-1].get("id") != running:
            if _is_question(told[-1]):
                allow(server, told[-1])
            told.append(server.message())
        calls = client_model(updates_in(told))["calls"].values()
        assert {call["title"]: call["status"] for call in calls}["Edit basket.py"] == "completed"


def _is_question(message: dict[str, Any]) -> bool:
    return message.get("method") == "session/request_permission"


def allow(server: Server, question: dict[str, Any]) -> None:
    outcome = {"outcome": "selected", "optionId": "allow_once"}
    server.send(line_of({"jsonrpc": "2.0", "id": question["id"], "result": {"outcome": outcome}}))


@pytest.mark.slow
def test_another_folder_counts_from_then_on(lived: Lived, server: Server, tmp_path: Path) -> None:
    other = project(tmp_path / "other")
    take_up(server, lived.session_id, other)
    server.answer(server.put("session/prompt", prompt(lived.session_id, task("pwd > where.txt; echo OK"))))
    assert (other / "where.txt").read_text() == f"{other}\n"
    [listed] = server.ask("session/list")["result"]["sessions"]
    assert (listed["cwd"], (lived.folder / "where.txt").exists()) == (str(other), False)


@pytest.mark.slow
def test_options_are_as_they_were(lived: Lived, server: Server) -> None:
    take_up(server, lived.session_id, lived.folder)
    say(server, lived.session_id, "/title Of a basket")
    server.ask("session/set_mode", {"sessionId": lived.session_id, "modeId": "plan"})
    server.process.kill()
    server.rest()
    with lived.process() as later:
        later.initialize()
        answer, told = take_up(later, lived.session_id, lived.folder)
        assert answer["result"]["modes"]["currentModeId"] == "plan"
        assert client_model(told)["state"]["session_info_update"]["title"] == "Of a basket"


@pytest.mark.slow
def test_a_fork_has_the_history_under_an_id_of_its_own(lived: Lived, server: Server) -> None:
    answer, told = take_up(server, lived.session_id, lived.folder, "session/fork")
    forked = answer["result"]["sessionId"]
    before = lived.journal.read_bytes()
    assert (forked != lived.session_id, told) == (True, [])
    assert say(server, forked)[0] == "end_turn"
    assert lived.journal.read_bytes() == before
    _, replayed = take_up(server, forked, lived.folder)
    # What is allowed to differ: the later prompt's answer, and its usage.
    assert {**client_model(lived.updates)["calls"]} == client_model(replayed)["calls"]
    assert client_model(lived.updates)["order"] == client_model(replayed)["order"][:-1]
    sessions = server.ask("session/list")["result"]["sessions"]
    assert [session["sessionId"] for session in sessions] == [forked, lived.session_id]


@pytest.mark.parametrize("words", [("--resume", "ID"), ("--resume", "--last")])
def test_the_command_line_continues_a_session_in_place_of_the_first_new_one(
    lived: Lived, words: tuple[str, ...]
) -> None:
    with lived.process(*(lived.session_id if word == "ID" else word for word in words)) as server:
        server.initialize()
        assert server.new_session(lived.folder) == lived.session_id
        told = server.until(lambda message: message["params"]["update"] == lived.updates[-1])
        assert client_model(updates_in(told)) == client_model(lived.updates)
        assert say(server, lived.session_id)[0] == "end_turn"
        assert server.new_session(lived.folder) != lived.session_id


@pytest.mark.slow
def test_the_command_line_may_name_a_session_that_is_not_there(lived: Lived) -> None:
    with lived.process("--resume", _UNKNOWN) as server:
        server.initialize()
        params: dict[str, Any] = {"cwd": str(lived.folder), "mcpServers": []}
        error = server.ask("session/new", params)["error"]
        assert (error["code"], _UNKNOWN in error["data"]["details"]) == (-32002, True)
        # Once is enough: a person without that session can work all the same.
        assert server.new_session(lived.folder)


# ---------------------------------------------------------------- listed, closed, deleted


def test_list_tells_what_a_client_shows_of_it(original: Lived, reader: Server) -> None:
    lived, server = original, reader
    [listed] = server.ask("session/list")["result"]["sessions"]
    updated_at = datetime.fromisoformat(listed.pop("updatedAt"))
    # The first prompt and the model's five answers with text.
    expected = {"sessionId": lived.session_id, "cwd": str(lived.folder), "_meta": {"messageCount": 6}}
    assert listed == expected | {"title": client_model(lived.updates)["state"]["session_info_update"]["title"]}
    assert (updated_at.utcoffset(), updated_at <= datetime.now(UTC)) == (timedelta(0), True)
    for cwd, found in ((str(lived.folder), 1), (f"{lived.folder}/", 1), (str(lived.folder.parent), 0)):
        assert len(server.ask("session/list", {"cwd": cwd})["result"]["sessions"]) == found


@pytest.mark.parametrize(
    "wrong",
    [
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": "é"},
        {"cursor": "WzEsMl0="},
        {"cursor": 7},
        {"cwd": "."},
        {"cwd": ""},
    ],
)
def test_a_list_that_makes_no_sense_is_refused(reader: Server, wrong: dict[str, Any]) -> None:
    assert reader.ask("session/list", wrong)["error"]["code"] == -32602


@pytest.mark.slow
def test_close_keeps_the_journal(lived: Lived, server: Server) -> None:
    take_up(server, lived.session_id, lived.folder)
    say(server, lived.session_id)
    before = lived.journal.read_bytes()
    assert server.ask("session/close", {"sessionId": lived.session_id})["result"] == {}
    assert lived.journal.read_bytes() == before
    assert say(server, lived.session_id)[0]["code"] == -32002
    assert "result" in take_up(server, lived.session_id, lived.folder)[0]


@pytest.mark.parametrize("is_open", [False, True])
def test_delete_leaves_nothing_and_may_be_repeated(lived: Lived, server: Server, is_open: bool) -> None:
    if is_open:
        take_up(server, lived.session_id, lived.folder)
        say(server, lived.session_id)
    for _ in range(2):
        assert server.ask("session/delete", {"sessionId": lived.session_id})["result"] == {}
    assert (lived.kept.exists(), server.ask("session/list")["result"]["sessions"]) == (False, [])
    assert take_up(server, lived.session_id, lived.folder)[0]["error"]["code"] == -32002


@pytest.mark.slow
def test_delete_ends_what_runs(lived: Lived, server: Server) -> None:
    folder = project(lived.home / "project")
    session_id = server.new_session(folder)
    running = server.put("session/prompt", prompt(session_id, task("echo > begun; sleep 299.93; echo OK")))
    eventually((folder / "begun").exists)
    deleting = server.put("session/delete", {"sessionId": session_id})
    answers = [message for message in server.answer(deleting) if "method" not in message]
    assert [(answer["id"], answer["result"]) for answer in answers] == [
        (running, {"stopReason": "cancelled"}),
        (deleting, {}),
    ]
    assert [listed["sessionId"] for listed in server.ask("session/list")["result"]["sessions"]] == [lived.session_id]


# ---------------------------------------------------------------- ids that are none


def _wrong_ids(session_id: str) -> list[Any]:
    return [
        _UNKNOWN,
        session_id.upper(),
        session_id.replace("-", ""),
        f"{session_id}\n",
        f" {session_id}",
        f"{session_id}/",
        f"../sessions/{session_id}",
        "..",
        ".",
        "",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "\0",
        "é" * 5000,
        "\ud800",
        None,
        7,
    ]


@pytest.mark.parametrize("method", ["session/load", "session/resume", "session/fork"])
def test_an_id_that_is_none_is_refused_and_nothing_is_made_of_it(original: Lived, reader: Server, method: str) -> None:
    before = tree(reader.home / ".openhands")
    for wrong in _wrong_ids(original.session_id):
        params: dict[str, Any] = {"sessionId": wrong, "cwd": str(original.folder), "mcpServers": []}
        code = reader.ask(method, params)["error"]["code"]
        assert code == (-32002 if isinstance(wrong, str) else -32602), wrong
    assert tree(reader.home / ".openhands") == before


def test_deleting_what_is_not_there_does_nothing(original: Lived, reader: Server) -> None:
    before = tree(reader.home / ".openhands")
    for wrong in _wrong_ids(original.session_id):
        answer = reader.ask("session/delete", {"sessionId": wrong})
        # As the protocol has it: what is not there need not be deleted.
        verdict = answer["result"] if "result" in answer else answer["error"]["code"]
        assert verdict == ({} if isinstance(wrong, str) else -32602), wrong
    assert tree(reader.home / ".openhands") == before


# ---------------------------------------------------------------- two windows


def test_a_second_window_reads_but_does_not_write(lived: Lived, server: Server) -> None:
    take_up(server, lived.session_id, lived.folder)
    say(server, lived.session_id, "one")
    before = lived.journal.read_bytes()
    with lived.process() as second:
        second.initialize()
        _, told = take_up(second, lived.session_id, lived.folder)
        assert "one" in str([update for update in told if update["sessionUpdate"] == "user_message_chunk"])
        reason, sentence = say(second, lived.session_id, "two")
        assert (reason, f"process {server.process.pid}" in sentence, lived.journal.read_bytes()) == (
            "end_turn",
            True,
            before,
        )
        # Nothing was said meanwhile, so there is nothing that the second has not read.
        server.close_stdin()
        server.rest()
        assert "process" not in say(second, lived.session_id, "three")[1]
        assert b"three" in lived.journal.read_bytes()


@pytest.mark.slow
def test_a_second_window_does_not_delete_what_the_first_works_on(lived: Lived, server: Server) -> None:
    take_up(server, lived.session_id, lived.folder)
    say(server, lived.session_id, "one")
    before = tree(lived.kept)
    with lived.process() as second:
        second.initialize()
        error = second.ask("session/delete", {"sessionId": lived.session_id})["error"]
        assert (error["code"], f"process {server.process.pid}" in error["data"]["details"]) == (-32600, True)
    assert tree(lived.kept) == before


@pytest.mark.slow
def test_a_second_window_reads_again_what_went_on_in_the_first(lived: Lived, server: Server) -> None:
    take_up(server, lived.session_id, lived.folder)
    with lived.process() as second:
        second.initialize()
        take_up(second, lived.session_id, lived.folder)
        say(server, lived.session_id, "said in the first")
        server.close_stdin()
        server.rest()
        before = lived.journal.read_bytes()
        reason, sentence = say(second, lived.session_id, "said in the second")
        assert (reason, "open it again" in sentence) == ("end_turn", True)
        assert lived.journal.read_bytes() == before
        _, told = take_up(second, lived.session_id, lived.folder)
        assert "said in the first" in str(told)
        assert "open it again" not in say(second, lived.session_id, "said in the second")[1]
        assert b"said in the second" in lived.journal.read_bytes().removeprefix(before)


@pytest.mark.slow
def test_a_session_that_is_closed_in_one_window_is_free_for_another(lived: Lived, server: Server) -> None:
    take_up(server, lived.session_id, lived.folder)
    say(server, lived.session_id, "one")
    server.ask("session/close", {"sessionId": lived.session_id})
    with lived.process() as second:
        second.initialize()
        take_up(second, lived.session_id, lived.folder)
        assert "process" not in say(second, lived.session_id, "two")[1]
        assert b"two" in lived.journal.read_bytes()


# ---------------------------------------------------------------- titles


def _provider_script(body: Json) -> Reply:
    is_for_a_title = "Write a title" in str(body["messages"][0])
    return (Text("Greeting a person"), Usage(5, 3)) if is_for_a_title else (Text("Hello."), Usage(10, 2))


@pytest.mark.slow
def test_a_title_in_the_models_words_comes_behind_the_first_answer(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).parent.mkdir()
    (tmp_path / SETTINGS).write_text("titles = true\n")
    with (
        Provider(script=_provider_script) as provider,
        Server(tmp_path, **with_provider(provider.url)) as server,
    ):
        server.initialize()
        session_id = server.new_session(tmp_path)
        messages = server.answer(server.put("session/prompt", prompt(session_id, "say hello")))
        assert messages[-1]["result"] == {"stopReason": "end_turn"}
        messages += server.until(lambda message: "Greeting" in str(message))
        messages += server.answer(server.put("session/prompt", prompt(session_id, "say it again")))
        told = [update["title"] for update in updates_in(messages) if update["sessionUpdate"] == "session_info_update"]
        # One request for the title, and one for each prompt.
        assert (told, len(provider.requests)) == (["say hello", "Greeting a person"], 3)
        [listed] = server.ask("session/list")["result"]["sessions"]
        assert (listed["title"], server.log()) == ("Greeting a person", "")

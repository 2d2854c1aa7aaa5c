"""Long outputs are kept with their session, named by their hash in its journal, and go with it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from openhands_acp.engine.cards import KeptOutput
from openhands_acp.engine.events import ObservationEvent
from openhands_acp.engine.paths import AbsPath
from openhands_acp.store.library import Library
from openhands_acp.store.reading import JOURNAL_NAME
from tests.harness.process import Server, eventually
from tests.wire.lived import say, take_up
from tests.wire.scripted import begin_command

OPTIONS = ("--model", "scripted/demo", "--always-approve")
NUMBERS = "".join(f"{i}\n" for i in range(1, 100_001))


def test_a_long_output_is_kept_with_its_session_and_goes_with_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    home = tmp_path / "home"
    with Server(home, *OPTIONS) as server:
        server.initialize()
        server.answer(begin_command(server, project, "seq 100000"))
        (output,) = home.rglob("output/*.txt")
        assert output.read_text() == NUMBERS
        folder = output.parent.parent
        assert (folder / JOURNAL_NAME).is_file()
        session_id = server.ask("session/list")["result"]["sessions"][0]["sessionId"]
        assert "result" in server.ask("session/close", {"sessionId": session_id})
        assert output.is_file()
        assert "result" in server.ask("session/delete", {"sessionId": session_id})
    eventually(lambda: not folder.exists())


def test_a_fork_has_outputs_of_its_own_that_outlive_the_original(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    home = tmp_path / "home"
    with Server(home, *OPTIONS) as server:
        server.initialize()
        server.answer(begin_command(server, project, "seq 100000"))
        (original,) = home.rglob("output/*.txt")
        session_id = server.ask("session/list")["result"]["sessions"][0]["sessionId"]
        forked = take_up(server, session_id, project, "session/fork")[0]["result"]["sessionId"]
        assert "result" in server.ask("session/delete", {"sessionId": session_id})
        eventually(lambda: not original.exists())
        assert say(server, forked)[0] == "end_turn"
    sessions = original.parents[2]
    events = [entry.event for entry in Library(sessions).read(forked).entries]
    (observed,) = [event for event in events if isinstance(event, ObservationEvent) and event.output]
    place = sessions / forked.replace("-", "") / "output" / original.name
    assert observed.output == KeptOutput(AbsPath(str(place)), sha256(NUMBERS.encode()).hexdigest(), len(NUMBERS))
    assert place.read_text() == NUMBERS
    # The model is told where it is now, and so is the client.
    told = json.dumps([observed.text, observed.raw_output])
    assert (str(place) in told, str(original) in told) == (True, False)

"""Long outputs are kept with their session, and go with it."""

from __future__ import annotations

from pathlib import Path

from openhands_acp.store.reading import JOURNAL_NAME
from tests.harness.process import Server, eventually
from tests.wire.scripted import begin_command


def test_a_long_output_is_kept_with_its_session_and_goes_with_it(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    home = tmp_path / "home"
    with Server(home, "--model", "scripted/demo", "--always-approve") as server:
        server.initialize()
        server.answer(begin_command(server, project, "seq 100000"))
        (output,) = home.rglob("output/*.txt")
        assert output.read_text() == "".join(f"{i}\n" for i in range(1, 100_001))
        folder = output.parent.parent
        assert (folder / JOURNAL_NAME).is_file()
        session_id = server.ask("session/list")["result"]["sessions"][0]["sessionId"]
        assert "result" in server.ask("session/close", {"sessionId": session_id})
        assert output.is_file()
        assert "result" in server.ask("session/delete", {"sessionId": session_id})
    eventually(lambda: not folder.exists())

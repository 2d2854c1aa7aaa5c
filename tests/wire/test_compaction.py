"""A real server whose model has a small window: what is left out is kept with the session, and goes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openhands_acp.engine.events import Condensation
from openhands_acp.store.library import Library
from tests.harness.process import SETTINGS, Server, eventually, prompt, with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Call, Reply, Text
from tests.wire.lived import say, take_up

_LONG = Call("terminal", {"command": "seq 3000", "security_risk": "LOW"})


def script(body: dict[str, Any]) -> Reply:
    """Run a command for each prompt; sum up where no tools are offered."""
    if "tools" not in body:
        return [Text("## Done\nThe numbers were printed.")]
    last = body["messages"][-1]
    return [_LONG] if last["role"] == "user" and last["content"].endswith("more") else [Text("done")]


def test_what_is_left_out_is_kept_with_the_session_and_goes_with_it(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    project.mkdir()
    (home / SETTINGS).parent.mkdir(parents=True)
    (home / SETTINGS).write_text(
        'titles = false\nlocal_servers = []\nmode = "always-approve"\ncontext_window = 16000\n'
    )
    with Provider(script=script) as provider, Server(home, **with_provider(provider.url)) as server:
        server.initialize()
        session_id = server.new_session(project)
        for text in ("print more", "and more", "once more"):
            assert server.ask("session/prompt", prompt(session_id, text))["result"]["stopReason"] == "end_turn"
        files = sorted(home.rglob("output/history-*.txt"))
        assert "=== result of call 1: terminal\n1\n2\n" in files[0].read_text()
        forked = take_up(server, session_id, project, "session/fork")[0]["result"]["sessionId"]
        assert "result" in server.ask("session/delete", {"sessionId": session_id})
        eventually(lambda: not files[0].exists())
        assert say(server, forked)[0] == "end_turn"
    sessions = files[0].parents[2]
    events = [entry.event for entry in Library(sessions).read(forked).entries]
    left_out = [event for event in events if isinstance(event, Condensation)]
    assert all(Path(event.output.path).is_file() for event in left_out if event.output)
    assert forked.replace("-", "") in left_out[0].summary
    assert session_id.replace("-", "") not in str(left_out)

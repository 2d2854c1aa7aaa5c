"""What a sub-agent runs knows no key, and nothing of what it says and keeps has one."""

from __future__ import annotations

from pathlib import Path

from tests.harness import replies
from tests.harness.process import CANARY, SETTINGS, Server, prompt, with_provider
from tests.harness.provider import Provider


def test_a_sub_agent_sees_no_key(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    project.mkdir()
    (home / SETTINGS).parent.mkdir(parents=True)
    (home / SETTINGS).write_text('titles = false\nlocal_servers = []\nmode = "always-approve"\n')
    answers = [
        [replies.Call("task", {"prompt": "Look at the environment.", "subagent_type": "general-purpose"})],
        [replies.Call("terminal", {"command": "env | sort"})],
        [replies.Text("Nothing there.")],
        [replies.Text("Done.")],
    ]
    environ = with_provider("") | {"ANTHROPIC_API_KEY": f"{CANARY}-too"}
    with Provider(*answers) as provider, Server(home, **environ | with_provider(provider.url)) as server:
        server.initialize()
        session_id = server.new_session(project)
        server.answer(server.put("session/prompt", prompt(session_id, "Look.")))
        wire = b"".join(server.passed)
    # It ran, as the sub-agent's command, with the rest of the environment.
    assert "HOME=" in str(provider.requests[2].body["messages"][-1])
    said = wire + b"".join(str(request.body).encode() for request in provider.requests)
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert CANARY.encode() not in said + kept

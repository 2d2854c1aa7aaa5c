"""`/doctor`, `/export` and `/fork` with the real store, and commands where no model can be asked."""

from __future__ import annotations

import json
import zipfile

import pytest
from inline_snapshot import snapshot

from tests.harness.full_disk import full_disk
from tests.harness.model import say
from tests.turns.windows import Machine, Window, machine, window

pytestmark = pytest.mark.anyio
__all__ = ["machine"]


def said(window: Window) -> str:
    chunks = [u["content"]["text"] for u in window.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
    text = chunks[-1].strip().replace(str(window.machine.root), "ROOT")
    return text.replace(window.session_id, "SESSION").replace(window.session_id[:8], "SESSION")


async def test_a_session_is_exported_as_its_suffix_says_and_over_nothing(machine: Machine) -> None:
    async with window(machine, [say("My key is sk-abcdefghijklmnop, and this is the answer.")]) as it:
        await it.new()
        await it.prompt("what is it?")
        await it.prompt("/export")
        assert said(it) == snapshot(
            "This session is written to `ROOT/project/openhands-SESSION.html`, up to here. Keys are masked; look it over before you pass it on."
        )
        page = next(machine.project.glob("openhands-*.html")).read_text()
        assert "what is it?" in page
        assert "and this is the answer" in page
        assert "sk-abcdefghijklmnop" not in page
        await it.prompt("/export talk.json")
        events = json.loads((machine.project / "talk.json").read_text())
        assert "MessageEvent" in {event["kind"] for event in events}
        await it.prompt(f"/export {machine.root}/talk.zip")
        assert zipfile.ZipFile(machine.root / "talk.zip").namelist()
        await it.prompt("/export talk.json")
        assert said(it) == snapshot("Nothing was written: ROOT/project/talk.json is there already; name another file.")
        await it.prompt("/export talk.doc")
        assert said(it) == snapshot(
            "`ROOT/project/talk.doc` must end in `.html` (a page to read), `.json` (an OpenHands trajectory) or `.zip` (the same, a file for each event)."
        )
        await it.prompt("/export missing/talk.json")
        assert said(it) == snapshot(
            "Nothing was written: cannot write ROOT/project/missing/talk.json: No such file or directory."
        )


async def test_a_copy_that_the_disk_does_not_take_is_not_made(machine: Machine) -> None:
    async with window(machine, [say("Red.")], [say("Blue.")], is_all_kept=False) as it:
        original = await it.new()
        await it.prompt("a colour?")
        before = {path.name for path in machine.sessions.iterdir()}
        # The lock of the copy has room, its journal has not.
        with full_disk(200):
            await it.prompt("/fork")
        told = [u["content"]["text"] for u in it.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
        assert [text.strip() for text in told if "copied" in text] == snapshot(
            ["It was not copied: the copy cannot be saved: File too large."]
        )
        assert {path.name for path in machine.sessions.iterdir()} == before
        await it.prompt("another?")
        listed = await it.editor.request("session/list")
        assert [each["sessionId"] for each in listed["sessions"]] == [original]


async def test_a_copy_goes_on_by_itself(machine: Machine) -> None:
    async with window(machine, [say("Red.")], [say("Blue.")], [say("You said red.")]) as it:
        original = await it.new()
        await it.prompt("/fork")
        assert said(it) == "There is nothing to copy yet."
        await it.prompt("a colour?")
        await it.prompt("/fork Another way")
        copy_id = said(it).split("--resume ")[1].split("`")[0]
        await it.prompt("another?")
        listed = await it.editor.request("session/list", cwd=str(machine.project))
        assert {each["sessionId"]: each["title"] for each in listed["sessions"]} == {
            original: "a colour?",
            copy_id: "Another way",
        }
        await it.ask("session/load", copy_id)
        await it.prompt("what did I say?")
        request = str(it.model.requests[-1])
        assert "Red." in request
        assert "Blue." not in request


async def test_a_doctor_looks_at_the_installation_and_the_session(machine: Machine) -> None:
    (machine.root / "home/acp.toml").write_text('local_servers = []\ntitles = false\nmodle = "x"\n')
    broken = machine.root / "home/commands/broken.md"
    broken.parent.mkdir()
    broken.write_text("---\ndescription: [\n---\nText\n")
    (machine.project / ".openhands/commands").mkdir(parents=True)
    (machine.project / ".openhands/commands/ship.md").write_text("Ship !`make ship`")
    async with window(machine) as it:
        await it.new()
        await it.prompt("/doctor")
        lines = [line for line in said(it).splitlines() if line.startswith("- !")]
        assert [line.split(": ")[0] for line in lines if "**rg**" not in line] == snapshot(
            ["- ! **Settings**", "- ! **Files**", "- ! **Not trusted**"]
        )
        assert "acp.toml, line 3, modle: no such setting" in said(it)
        assert "commands/broken.md:" in said(it)
        assert "which runs `make ship`" in said(it)
        assert it.model.requests == []


async def test_commands_work_where_the_key_cannot_be_had(machine: Machine) -> None:
    settings = machine.root / "home/acp.toml"
    settings.write_text('local_servers = []\ntitles = false\nmodel = "openai/x"\napi_key_command = ["false"]\n')
    async with window(machine, chosen=None) as it:
        await it.new()
        await it.prompt("hello")
        failure = said(it)
        assert "false" in failure
        for typed in ("/help", "/status", "/context", "/cost", "/mode plan", "/permissions", "/doctor", "/undo"):
            await it.prompt(typed)
            assert said(it) != failure, typed
        assert it.model.requests == []


async def test_commands_work_in_an_open_session_whose_model_nobody_configures_any_more(machine: Machine) -> None:
    settings = machine.root / "home/acp.toml"
    settings.write_text('local_servers = []\ntitles = false\nmodel = "openai/x"\napi_key = "sk-none"\n')
    async with window(machine, chosen=None) as it:
        await it.new()
        settings.write_text("local_servers = []\ntitles = false\n")
        # Who wants another session is told what to set, and those that are there go on.
        refused = await it.editor.request("session/new", cwd=str(machine.project), mcpServers=[])
        assert refused["message"] == "Authentication required: no model is set"
        answers = list[str]()
        for typed in ("/help", "/status", "/context", "/cost", "/mode plan", "/permissions", "/doctor", "/undo"):
            await it.prompt(typed)
            answers.append(said(it))
        assert (len(set(answers)), it.model.requests) == (len(answers), [])


async def test_a_session_needs_a_model_that_is_configured(machine: Machine) -> None:
    async with window(machine, chosen=None) as it:
        refused = await it.editor.request("session/new", cwd=str(machine.project), mcpServers=[])
        assert refused["message"] == "Authentication required: no model is set"

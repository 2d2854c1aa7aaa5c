"""What people wrote down, as it reaches the model: through the wire, with real files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import Message, SystemMessage, Text, ToolMessage, UserMessage
from openhands_acp.engine.ports import CallChunk
from openhands_acp.store.trusted import Trusted
from tests.harness.check import Running, TestBackend, agent, transcript
from tests.harness.editor import allowed, rejected
from tests.harness.model import Answer, ScriptedModel, Step, call, say

pytestmark = pytest.mark.anyio


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def home(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".openhands"


def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir(exist_ok=True)
    return tmp_path / "project"


def backend(tmp_path: Path, *answers: Answer) -> TestBackend:
    return TestBackend(ScriptedModel(answers), home=home(tmp_path))


def dynamic(running: Running) -> str:
    system = running.model.requests[-1][0]
    assert isinstance(system, SystemMessage)
    return system.dynamic


def said(messages: Sequence[Message]) -> list[str]:
    """What a request tells in the person's voice."""
    users = [message for message in messages if isinstance(message, UserMessage)]
    return ["".join(part.text for part in user.parts if isinstance(part, Text)) for user in users]


def invoke(skill: str, index: int = 0) -> list[Step]:
    return [CallChunk(index, f"call_{index}", "invoke_skill", json.dumps({"name": skill}))]


def skill(name: str, text: str, *fields: str) -> str:
    front = "\n".join([f"name: {name}", f"description: What {name} is for", *fields])
    return f"---\n{front}\n---\n{text}\n"


def guidance(running: Running) -> list[str]:
    """What the last request tells besides the person's words, by its first line."""
    return [text for text in said(running.model.requests[-1]) if text.startswith("<extra_info")]


async def test_rules_skills_memory_and_who_it_is_are_told_once_in_the_prompt(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / "AGENTS.md", "Use tabs.")
    write(root / "CLAUDE.md", "Only for Claude.")
    write(root / ".openhands/microagents/repo.md", "Run `make`.")
    write(root / ".agents/skills/pdf/SKILL.md", skill("pdf", "Use pdftk."))
    write(root / ".agents/skills/mine/SKILL.md", skill("mine", "Secret.", "disable-model-invocation: true"))
    write(home(tmp_path) / "skills/docker.md", "---\ntriggers: [container]\n---\nUse compose.\n")
    write(home(tmp_path) / "memory/MEMORY.md", "Likes tea.")
    async with agent(root, backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        assert dynamic(running).replace(str(tmp_path), "TMP") == snapshot("""\
dynamic

The project's own instructions, to follow where they do not conflict with the above or the person:
<instructions from="AGENTS.md">
Use tabs.
</instructions>
<instructions from="repo">
Run `make`.
</instructions>

<available_skills>
Each is a guide to one kind of work. When one fits what you are to do, first call invoke_skill with its name.
- docker: about container
- pdf: What pdf is for
</available_skills>

<memory>
What you were to remember. When the person wants something remembered or forgotten, edit these files.
TMP/home/.openhands/memory/MEMORY.md:
Likes tea.
</memory>\
""")
        assert guidance(running) == []
        assert "invoke_skill" in [tool.name for tool in running.model.offered[-1]]


async def test_where_there_is_nothing_nothing_is_told(tmp_path: Path) -> None:
    async with agent(project(tmp_path), backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        assert dynamic(running) == "dynamic"
        assert "invoke_skill" not in [tool.name for tool in running.model.offered[-1]]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("Put it into a Container.", True),
        ("containers", False),
        ("container-image", True),
        ("What is /linear?", True),
        ("linear", False),
        ("nothing of it", False),
    ],
)
async def test_a_word_in_a_prompt_brings_up_a_skill(tmp_path: Path, prompt: str, told: bool) -> None:
    write(home(tmp_path) / "skills/docker.md", "---\ntriggers: [container, /linear]\n---\nUse compose.\n")
    async with agent(project(tmp_path), backend=backend(tmp_path)) as running:
        await running.prompt(prompt)
        assert ["Use compose." in text for text in guidance(running)] == [True] * told


async def test_a_skill_is_told_once_and_again_when_it_changed(tmp_path: Path) -> None:
    path = home(tmp_path) / "skills/docker.md"
    write(path, "---\ntriggers: [container]\n---\nUse compose.\n")
    async with agent(project(tmp_path), backend=backend(tmp_path)) as running:
        await running.prompt("a container")
        await running.prompt("another container")
        assert len(guidance(running)) == 1
        write(path, "---\ntriggers: [container]\n---\nUse podman.\n")
        await running.prompt("a third container")
        assert [text.splitlines()[3] for text in guidance(running)] == ["Use compose.", "Use podman."]


async def test_rules_of_a_folder_are_told_when_a_file_in_it_is_touched(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / "server/AGENTS.md", "No ORM.")
    write(root / "server/a.py", "x = 1\n")
    view = call("file_editor", command="view", path=str(root / "server/a.py"))
    made = backend(tmp_path, [view], [view], [say("Done.")], [view])
    async with agent(root, backend=made) as running:
        await running.prompt("look")
        assert guidance(running) == snapshot(
            [
                """\
<extra_info name="server/AGENTS.md">
(The project's rules for files in server.)

No ORM.
</extra_info>\
"""
            ]
        )
        write(root / "server/AGENTS.md", "An ORM.")
        await running.prompt("look again")
        assert [text.splitlines()[3] for text in guidance(running)] == ["No ORM.", "An ORM."]


async def test_a_skill_for_files_is_told_when_such_a_file_is_touched(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / ".openhands/skills/py.md", "---\npaths: '*.py'\n---\nType everything.\n")
    write(root / "a.txt", "")
    write(root / "deep/a.py", "")
    views = [call("file_editor", command="view", path=str(root / name)) for name in ("a.txt", "deep/a.py")]
    async with agent(root, backend=backend(tmp_path, [views[0]], [views[1]])) as running:
        await running.prompt("look")
        told = [["Type everything." in text for text in said(messages)] for messages in running.model.requests]
        assert told == [[False], [False], [False, True]]


async def test_rules_that_change_are_told_anew(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / "AGENTS.md", "Use tabs.")
    async with agent(root, backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        write(root / "AGENTS.md", "Use spaces.")
        write(root / ".agents/skills/pdf/SKILL.md", skill("pdf", "Use pdftk."))
        for _ in range(2):
            await running.prompt("and now")
            assert [text.replace(str(root), "ROOT") for text in guidance(running)] == snapshot(
                [
                    """\
<extra_info name="AGENTS.md">
(As it is from now on; what you were told of it before no longer holds.)

Use spaces.
</extra_info>\
""",
                    """\
<extra_info name="available skills">
(As it is from now on; what you were told of it before no longer holds.)

Each is a guide to one kind of work. When one fits what you are to do, first view its file.
- pdf: What pdf is for (ROOT/.agents/skills/pdf/SKILL.md)
</extra_info>\
""",
                ]
            )


async def test_a_model_asks_for_a_skill(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / ".agents/skills/pdf/SKILL.md", skill("pdf", "Use pdftk."))
    write(root / ".agents/skills/pdf/scripts/merge.sh", "")
    write(root / ".agents/skills/mine/SKILL.md", skill("mine", "Secret.", "disable-model-invocation: true"))
    made = backend(tmp_path, [invoke("pdf"), invoke("mine", 1)], [invoke("pdf")])
    async with agent(root, backend=made) as running:
        await running.prompt("merge")
        results = [each.text for each in running.model.requests[-1] if isinstance(each, ToolMessage)]
        assert results == [
            "The text of pdf follows.",
            "Error: there is no skill 'mine'; there are: pdf",
            "You were told pdf before, and it still holds.",
        ]
        assert [text.replace(str(root), "ROOT") for text in guidance(running)] == snapshot(
            [
                """\
<extra_info name="pdf">
Use pdftk.

(From ROOT/.agents/skills/pdf/SKILL.md. Paths in it start at its folder; beside it: scripts/merge.sh.)
</extra_info>\
"""
            ]
        )


async def test_what_is_beside_a_skill_of_the_person_is_read_without_asking(tmp_path: Path) -> None:
    root, skills = project(tmp_path), home(tmp_path) / "skills"
    write(skills / "pdf/SKILL.md", skill("pdf", "Read notes.md."))
    write(skills / "pdf/notes.md", "Notes.")
    views = [call("file_editor", command="view", path=str(skills / name)) for name in ("pdf/notes.md", "other.md")]
    asked: list[str] = []

    def permission(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params["toolCall"]["title"])
        return rejected()

    async with agent(root, backend=backend(tmp_path, *([view] for view in views)), permission=permission) as running:
        await running.prompt("read")
    assert len(asked) == 1
    assert "other.md" in asked[0]


async def test_a_skill_that_the_person_calls_may_leave_few_tools_until_the_turn_ends(tmp_path: Path) -> None:
    root = project(tmp_path)
    text = skill("deploy", "Deploy to $1.", "allowed-tools: Read, Bash(echo:*)")
    write(root / ".agents/skills/deploy/SKILL.md", text)
    write(root / "a.txt", "text\n")
    calls = [
        call("file_editor", command="view", path=str(root / "a.txt")),
        call("file_editor", command="create", path=str(root / "b.txt"), file_text="x"),
        call("terminal", command="echo a"),
        call("terminal", command="echo a; touch c.txt"),
    ]
    made = backend(tmp_path, *([each] for each in calls), [say("Done.")], [calls[1]])
    async with agent(root, backend=made) as running:
        await running.prompt("/deploy staging")
        results = [each.text for each in running.model.requests[-1] if isinstance(each, ToolMessage)]
        refusal = (
            "Error: 'deploy', which the person called, allows only Read, Bash(echo:*) until this turn ends; do it with "
            "these, or tell the person what else it takes"
        )
        assert [result == refusal for result in results] == [False, True, False, True]
        assert said(running.model.requests[-1])[0].splitlines()[1] == "Deploy to staging."
        await running.prompt("and now?")
    assert {path.name for path in root.glob("*.txt")} == {"a.txt", "b.txt"}


async def test_a_command_in_a_skill_asks_like_any_other_and_its_output_takes_its_place(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(home(tmp_path) / "skills/now/SKILL.md", skill("now", "It is !`echo noon`, not !`echo night`."))
    answers = iter([allowed(), rejected()])
    made = backend(tmp_path, [invoke("now")])
    async with agent(root, backend=made, permission=lambda _params: next(answers)) as running:
        await running.prompt("when is it?")
        assert guidance(running)[0].splitlines()[1].startswith("It is noon, not (not run: ")
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["when is it?"]
< session_info_update {"title": "when is it?"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Use a skill", "name": "invoke_skill", "kind": "read", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "Use the skill now", "rawInput": {"name": "now"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call {"toolCallId": "id14", "status": "pending", "title": "echo noon", "name": "question", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo noon\\n```"}}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id14", "title": "echo noon", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo noon\\n```"}}], "locations": [], "rawInput": {"command": "echo noon"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow `echo \\u2026` in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id14", "status": "in_progress"}
< tool_call_update {"toolCallId": "id14", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo noon\\nnoon\\n```"}}]}
< tool_call {"toolCallId": "id17", "status": "pending", "title": "echo night", "name": "question", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo night\\n```"}}]}
< 2 session/request_permission {"toolCall": {"toolCallId": "id17", "title": "echo night", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo night\\n```"}}], "locations": [], "rawInput": {"command": "echo night"}}, "options": [{"optionId": "allow_once", "name": "Allow once", "kind": "allow_once"}, {"optionId": "allow_always", "name": "Always allow `echo \\u2026` in this session", "kind": "allow_always"}, {"optionId": "reject_once", "name": "Reject", "kind": "reject_once"}]}
> 2 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id17", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo night\\n(not run: the person said no to this. Do not try it again another way; ask or go on without it)\\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "The text of now follows."}}]}
< agent_message_chunk ["id23", "(no more script)"]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_a_command_in_a_skill_of_a_project_that_nobody_trusts_is_not_run(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / ".agents/skills/now/SKILL.md", skill("now", "It is !`touch ran; echo noon`."))
    made = TestBackend(
        ScriptedModel([[invoke("now")]]),
        home=home(tmp_path),
        trust=Trusted(tmp_path / "trust.json", ()),
        mode="always-approve",
    )
    async with agent(root, backend=made, permission=lambda _params: rejected()) as running:
        await running.prompt("when is it?")
        assert guidance(running)[0].splitlines()[1] == "It is !`touch ran; echo noon`."
        assert "were not run" in guidance(running)[0]
    assert not (root / "ran").exists()


async def test_a_skill_stays_when_a_conversation_is_summed_up(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(home(tmp_path) / "skills/docker.md", "---\ntriggers: [container]\n---\nUse compose.\n")
    write(root / "long.txt", "a line of a long file\n" * 600)
    views = [[call("file_editor", command="view", path=str(root / "long.txt"))] for _ in range(8)]
    made = backend(tmp_path, *views, [say("Done.")])
    made.by_purpose["compaction"] = ScriptedModel([[say("The sum of it.")]])
    async with agent(root, backend=made) as running:
        await running.prompt("a container")
        await running.prompt("/compact")
        await running.prompt("go on with the container")
        assert any("The sum of it." in text for text in said(running.model.requests[-1]))
        assert ["Use compose." in text for text in guidance(running)] == [True]


async def test_a_session_that_is_taken_up_again_knows_what_it_was_told(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(home(tmp_path) / "skills/docker.md", "---\ntriggers: [container]\n---\nUse compose.\n")
    made = backend(tmp_path)
    async with agent(root, backend=made) as running:
        await running.prompt("a container")
        session = running.session_id
    again = TestBackend(ScriptedModel([]), home=home(tmp_path), journals=made.journals)
    async with agent(root, backend=again) as running:
        await running.editor.request("session/load", sessionId=session, cwd=str(root), mcpServers=[])
        await running.editor.request(
            "session/prompt", sessionId=session, prompt=[{"type": "text", "text": "a container"}]
        )
        assert len(guidance(running)) == 1


async def test_what_is_wrong_is_told_once(tmp_path: Path) -> None:
    write(home(tmp_path) / "skills/bad.md", "---\nname: [\n---\nx")
    async with agent(project(tmp_path), backend=backend(tmp_path)) as running:
        await running.prompt("hello")
        await running.prompt("hello again")
        told = transcript(running).replace(str(tmp_path), "TMP")
        assert told == snapshot("""\
> 3 session/prompt ["hello"]
< agent_message_chunk ["id5", "Some of what was written for agents is left out:\\n- TMP/home/.openhands/skills/bad.md:3: expected the node content, but found '<stream end>'"]
< session_info_update {"title": "hello"}
< agent_message_chunk ["id11", "(no more script)"]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["hello again"]
< agent_message_chunk ["id21", "(no more script)"]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 4 = {"stopReason": "end_turn"}\
""")


async def test_skills_are_listed(tmp_path: Path) -> None:
    root = project(tmp_path)
    write(root / "AGENTS.md", "Use tabs.")
    write(root / ".openhands/microagents/repo.md", "Run `make`.")
    write(root / ".openhands/skills/py.md", "---\npaths: '*.py'\n---\nType everything.\n")
    write(root / ".agents/skills/pdf/SKILL.md", skill("pdf", "Use pdftk."))
    write(home(tmp_path) / "skills/docker.md", "---\ntriggers: [container]\n---\nUse compose.\n")
    write(home(tmp_path) / "skills/bad.md", "---\nname: [\n---\nx")
    async with agent(root, backend=backend(tmp_path)) as running:
        await running.prompt("/skills")
        assert running.model.requests == []
        told = "".join(
            update["content"]["text"]
            for update in running.editor.updates()
            if update["sessionUpdate"] == "agent_message_chunk"
        )
        assert told.replace(str(tmp_path), "TMP") == snapshot("""\
| Skill | What for | When | From |
| --- | --- | --- | --- |
| `docker` |  | for container | user: `TMP/home/.openhands/skills/docker.md` |
| `pdf` | What pdf is for | when it fits | project: `.agents/skills/pdf/SKILL.md` |
| `py` |  | for files `*.py` | project: `.openhands/skills/py.md` |
| `repo` |  | always | project: `.openhands/microagents/repo.md` |

Rules that always hold: `AGENTS.md`.

Left out:
- TMP/home/.openhands/skills/bad.md:3: expected the node content, but found '<stream end>'\
""")


async def test_it_is_said_how_to_begin_where_there_are_none(tmp_path: Path) -> None:
    async with agent(project(tmp_path), backend=backend(tmp_path)) as running:
        await running.prompt("/skills")
        assert "There are no skills here." in transcript(running)

"""`/clear` and `/rewind`: what the model still reads, what the person still sees, and what is there the next day."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.messages import AssistantMessage, Message, UserMessage, plain_text
from tests.harness.check import agent
from tests.harness.model import ScriptedModel, call, say
from tests.turns.undoing import edit, keeping, last_said, wire
from tests.turns.windows import Machine, Window, machine, window

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clock_of_greenwich")]
__all__ = ["machine"]

PLAN = call("task_tracker", 0, command="plan", task_list=[{"title": "First", "status": "in_progress"}])


def read(request: list[Message]) -> list[str]:
    """What a model was asked to read, after its prompt."""
    said: list[str] = []
    for message in request:
        match message:
            case UserMessage(parts):
                said.append(f"person: {plain_text(parts)}")
            case AssistantMessage() if message.text:
                said.append(f"agent: {message.text}")
            case _:
                pass
    return said


def told(window: Window, since: int) -> list[str]:
    """What a client was told from then on, in words."""
    out = [
        message["params"]["update"] for way, message in window.editor.log[since:] if "update" in _params(way, message)
    ]
    return [u["content"]["text"] for u in out if u["sessionUpdate"] in ("user_message_chunk", "agent_message_chunk")]


def masked(wire: str) -> str:
    """Without times, and without estimates of a prompt that names this machine's folders."""
    for pattern, mask in ((r"\d\d:\d\d, ", "TIME, "), (r'"used": \d+', '"used": N'), (r"about \d+ tokens", "N tokens")):
        wire = re.sub(pattern, mask, wire)
    return wire


def _params(way: str, message: dict[str, Any]) -> dict[str, Any]:
    return message.get("params", {}) if way == "out" else {}


async def test_after_clear_the_model_reads_what_comes_and_the_person_sees_all(machine: Machine) -> None:
    async with window(machine, [say("One.")], [PLAN], [say("Two.")], [say("Three.")]) as first:
        session_id = await first.new()
        await first.announced(session_id)
        await first.prompt("/clear")
        await first.prompt("say one")
        await first.prompt("plan and say two")
        since = first.now
        await first.prompt("/clear")
        await first.prompt("say three")
        assert masked(first.wire(since)) == snapshot("""\
> 6 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "/clear"}]}
< S1 plan {"entries": []}
< S1 usage_update {"used": N, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "Cleared: the model knows nothing of what was said above, which frees N tokens. Title, mode, model and files stay as they are."}}
< 6 = {"stopReason": "end_turn"}
> 7 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "say three"}]}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "Three."}}
< S1 usage_update {"used": N, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< 7 = {"stopReason": "end_turn"}\
""")
        assert read(first.model.requests[-1]) == ["person: say three"]
    async with window(machine, [say("Four.")]) as second:
        since = second.now
        await second.ask("session/load", session_id)
        assert [masked(text) for text in told(second, since)] == snapshot(
            [
                "/clear",
                "There is nothing to clear: nothing was said yet.",
                "say one",
                "One.",
                "plan and say two",
                "Two.",
                "/clear",
                "Cleared: the model knows nothing of what was said above, which frees N tokens. Title, mode, model and files stay as they are.",
                "say three",
                "Three.",
            ]
        )
        await second.prompt("say four")
        assert read(second.model.requests[-1]) == ["person: say three", "agent: Three.", "person: say four"]


async def test_a_conversation_goes_back_to_before_a_prompt_and_stays_there(machine: Machine) -> None:
    answers = ([say("One.")], [PLAN], [say("Two.")], [say("Three.")], [say("Not two.")])
    async with window(machine, *answers) as first:
        session_id = await first.new()
        await first.announced(session_id)
        for prompt in ("say one", "plan and say two", "/cost", "say three"):
            await first.prompt(prompt)
        since = first.now
        for typed in ("/rewind", "/rewind 9", "/rewind 2", "/rewind"):
            await first.prompt(typed)
        assert masked(first.wire(since)) == snapshot("""\
> 7 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "/rewind"}]}
< S1 agent_message_chunk {"messageId": "M1", "content": {"type": "text", "text": "The conversation can go back to before each of these prompts:\\n\\n- `3` TIME, **say three**\\n- `2` TIME, **plan and say two**\\n- `1` TIME, **say one**\\n\\n`/rewind NUMBER` goes to before one; `/clear` forgets all of them."}}
< 7 = {"stopReason": "end_turn"}
> 8 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "/rewind 9"}]}
< S1 agent_message_chunk {"messageId": "M2", "content": {"type": "text", "text": "The conversation can go back to before each of these prompts:\\n\\n- `3` TIME, **say three**\\n- `2` TIME, **plan and say two**\\n- `1` TIME, **say one**\\n\\n`/rewind NUMBER` goes to before one; `/clear` forgets all of them."}}
< 8 = {"stopReason": "end_turn"}
> 9 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "/rewind 2"}]}
< S1 plan {"entries": []}
< S1 usage_update {"used": N, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< S1 agent_message_chunk {"messageId": "M3", "content": {"type": "text", "text": "Went back to before prompt 2, which frees N tokens.\\n\\nYou had said:\\n\\n```\\nplan and say two\\n```"}}
< 9 = {"stopReason": "end_turn"}
> 10 session/prompt {"sessionId": "S1", "prompt": [{"type": "text", "text": "/rewind"}]}
< S1 agent_message_chunk {"messageId": "M4", "content": {"type": "text", "text": "The conversation can go back to before each of these prompts:\\n\\n- `1` TIME, **say one**\\n\\n`/rewind NUMBER` goes to before one; `/clear` forgets all of them."}}
< 10 = {"stopReason": "end_turn"}\
""")
        await first.prompt("do not say two")
        assert read(first.model.requests[-1]) == ["person: say one", "agent: One.", "person: do not say two"]
    async with window(machine, [say("Four.")]) as second:
        await second.ask("session/load", session_id)
        await second.prompt("say four")
        assert read(second.model.requests[-1])[-3:] == ["person: do not say two", "agent: Not two.", "person: say four"]
        since = second.now
        await second.prompt("/rewind #1")
        await second.prompt("/rewind")
        assert masked("\n".join(told(second, since))) == snapshot("""\
Went back to before prompt 1, which frees N tokens.

You had said:

```
say one
```
There is nothing to take back: the model reads no prompt of yours.\
""")


async def test_where_files_changed_since_the_way_back_is_named_and_the_model_told(root: Path) -> None:
    (root / "a.py").write_text("x = 1\n")
    backend = keeping(root, [say("Hi.")], [edit("a.py", "x = 1", "x = 2")], [say("Done.")])
    model = backend.model
    assert isinstance(model, ScriptedModel)
    async with agent(root, backend=backend) as running:
        for typed in ("hello", "change it", "/rewind 2"):
            await running.prompt(typed)
        assert masked(last_said(running)) == snapshot("""\
Went back to before prompt 2, which frees N tokens. Files stay as they are; `/restore 1` brings them back to how they were then.

You had said:

```
change it
```\
""")
        await running.prompt("what now?")
        assert read(model.requests[-1]) == snapshot(
            [
                "person: hello",
                "agent: Hi.",
                "person: (I took our conversation back to this point. Files were changed after it: look at them again before you rely on what you saw.)",
                "person: what now?",
            ]
        )
        await running.prompt("/restore 1")
        assert (root / "a.py").read_text() == "x = 1\n"


async def test_nothing_is_taken_back_where_nothing_was_said(root: Path) -> None:
    async with agent(root) as running:
        await running.prompt("/rewind 1")
        await running.prompt("/clear")
        assert wire(running) == snapshot("""\
> 3 session/prompt ["/rewind 1"]
< agent_message_chunk ["id6", "There is nothing to take back: the model reads no prompt of yours."]
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["/clear"]
< agent_message_chunk ["id13", "There is nothing to clear: nothing was said yet."]
< 4 = {"stopReason": "end_turn"}\
""")

"""A model that goes in circles, as an editor sees it: it is told, the person is asked, the turn ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.ports import CallChunk, Finish
from tests.harness.check import TestBackend, agent, transcript
from tests.harness.editor import Answerer, allowed, rejected
from tests.harness.model import Answer, ScriptedModel, call, say, think
from tests.turns.test_attempts import Clock, said
from tests.turns.test_replay import client_model

pytestmark = pytest.mark.anyio

LOOK = call("think", thought="What now?")
GO_ON = allowed("deliberate_allow_once")


def texts(updates: list[dict[str, Any]]) -> list[str]:
    chunks: list[Any] = [each for each in updates if each["sessionUpdate"] == "agent_message_chunk"]
    return [each["content"]["text"].strip() for each in chunks]


async def wire(tmp_path: Path, *answers: Answer, permission: Answerer = lambda _params: allowed()) -> str:
    async with agent(tmp_path, *answers, permission=permission) as running:
        await running.prompt("go")
        return transcript(running)


async def test_the_same_call_again_and_again(tmp_path: Path) -> None:
    answers: list[Answer] = [[say(prose), LOOK] for prose in ("Hm.", "So.", "Well.", "Then.", "Once more.")]
    async with agent(tmp_path, *answers, permission=lambda _params: rejected()) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert await running.prompt("try another way") == {"stopReason": "end_turn"}
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id9", "Hm."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< agent_thought_chunk ["id15", "What now?"]
< agent_message_chunk ["id19", "So."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< agent_thought_chunk ["id25", "What now?"]
< agent_message_chunk ["id29", "Well."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< agent_thought_chunk ["id35", "What now?"]
< agent_message_chunk ["id39", "Then."]
< usage_update {"used": 44, "size": 200000, "cost": {"amount": 0.04, "currency": "USD"}}
< agent_thought_chunk ["id45", "What now?"]
< agent_message_chunk ["id48", "The model made the same call 4 times, and it had the same result each time: `think`. It was told so."]
< agent_message_chunk ["id51", "\\n\\nOnce more."]
< usage_update {"used": 55, "size": 200000, "cost": {"amount": 0.05, "currency": "USD"}}
< agent_thought_chunk ["id57", "What now?"]
< tool_call {"toolCallId": "id60", "status": "pending", "title": "The agent gets nowhere: go on?", "name": "question", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "The model made the same call 5 times, and it had the same result each time: `think`."}}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id60", "title": "The agent gets nowhere: go on?", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "The model made the same call 5 times, and it had the same result each time: `think`."}}], "locations": [], "rawInput": {}}, "options": [{"optionId": "reject_once", "name": "Stop here", "kind": "reject_once"}, {"optionId": "deliberate_allow_once", "name": "Go on", "kind": "reject_always"}]}
> 1 = {"outcome": {"optionId": "reject_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id60", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "The model made the same call 5 times, and it had the same result each time: `think`."}}, {"type": "content", "content": {"type": "text", "text": "Stop here"}}]}
< agent_message_chunk ["id63", "The model made the same call 5 times, and it had the same result each time: `think`. The turn was ended. Tell it what to do differently, or choose another model; it goes on from here."]
< 3 = {"stopReason": "end_turn"}
> 4 session/prompt ["try another way"]
< agent_message_chunk ["id71", "(no more script)"]
< usage_update {"used": 66, "size": 200000, "cost": {"amount": 0.06, "currency": "USD"}}
< 4 = {"stopReason": "end_turn"}\
""")
        assert said(running.model.requests[4])[-1] == snapshot(
            "user: (You have now done the same 4 times, with the same result each time; once more will not change it. Find out why, try another way, or say what stands in the way and end your turn.)"
        )


async def test_who_lets_it_go_on_is_asked_but_once(tmp_path: Path) -> None:
    answers: list[Answer] = [[LOOK]] * 20
    async with agent(tmp_path, *answers, permission=lambda _params: GO_ON) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        asked = [m for _, m in running.editor.log if m.get("method") == "session/request_permission"]
        assert (len(asked), len(running.model.requests)) == (1, 10)


async def test_a_client_that_approves_everything_does_not_keep_it_going(tmp_path: Path) -> None:
    answers: list[Answer] = [[LOOK]] * 20
    async with agent(tmp_path, *answers) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert len(running.model.requests) == 5


async def test_a_call_that_is_denied_is_not_tried_for_ever(tmp_path: Path) -> None:
    answers: list[Answer] = [[call("terminal", command="rm -rf /")]] * 20
    async with agent(tmp_path, *answers, permission=lambda _params: rejected()) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert len(running.model.requests) == 4


async def test_looking_at_what_changes_goes_on(tmp_path: Path) -> None:
    count = call("terminal", command="echo x >> n; wc -l < n")
    async with agent(tmp_path, *[[count]] * 12, [say("Done.")], mode="always-approve") as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert texts(running.editor.updates()) == ["Done."]


async def test_what_the_person_says_meanwhile_begins_anew(tmp_path: Path) -> None:
    async with agent(tmp_path, *[[LOOK]] * 6, [say("Done.")]) as running:
        for _ in range(2):
            running.model.answers = [*[[LOOK]] * len(running.model.requests), [LOOK], [LOOK], [LOOK], [say("Done.")]]
            assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert texts(running.editor.updates()) == ["Done.", "Done."]


async def test_nothing_at_all(tmp_path: Path) -> None:
    clock = Clock()
    model = TestBackend(ScriptedModel([[], [think("Hm.")], [], [say("Not asked.")]]), waiting=clock.waiting())
    async with agent(tmp_path, backend=model) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        assert transcript(running) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< agent_message_chunk ["id12", "The model answered with nothing. Asking again in 1 s."]
< agent_thought_chunk ["id16", "Hm."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< agent_message_chunk ["id20", "The model thought, but said and did nothing; it was asked to say or do something."]
< usage_update {"used": 33, "size": 200000, "cost": {"amount": 0.03, "currency": "USD"}}
< tool_call {"toolCallId": "id26", "status": "pending", "title": "The agent gets nowhere: go on?", "name": "question", "kind": "other", "locations": [], "content": [{"type": "content", "content": {"type": "text", "text": "The model answered with nothing, 3 times in a row."}}]}
< 1 session/request_permission {"toolCall": {"toolCallId": "id26", "title": "The agent gets nowhere: go on?", "kind": "other", "status": "pending", "content": [{"type": "content", "content": {"type": "text", "text": "The model answered with nothing, 3 times in a row."}}], "locations": [], "rawInput": {}}, "options": [{"optionId": "reject_once", "name": "Stop here", "kind": "reject_once"}, {"optionId": "deliberate_allow_once", "name": "Go on", "kind": "reject_always"}]}
> 1 = {"outcome": {"optionId": "allow_once", "outcome": "selected"}}
< tool_call_update {"toolCallId": "id26", "status": "completed", "content": [{"type": "content", "content": {"type": "text", "text": "The model answered with nothing, 3 times in a row."}}, {"type": "content", "content": {"type": "text", "text": "Stop here"}}]}
< agent_message_chunk ["id29", "The model answered with nothing, 3 times in a row. The turn was ended. Tell it what to do differently, or choose another model; it goes on from here."]
< 3 = {"stopReason": "end_turn"}\
""")
        assert [said(request) for request in running.model.requests] == snapshot(
            [
                ["user: go"],
                ["user: go"],
                [
                    "user: go",
                    "user: (Your last answer had neither text nor a call. Make the next call; or if you are done, say what came of it.)",
                ],
            ]
        )
        assert clock.waits == [1.0]


async def test_an_answer_that_only_repeats_itself_is_ended(tmp_path: Path) -> None:
    loop = say(*["I will look at the file now.\n"] * 10_000)
    async with agent(tmp_path, [loop], [say("Here it is.")]) as running:
        assert await running.prompt("go") == {"stopReason": "end_turn"}
        shown = client_model(running.editor.updates())["messages"]
        assert [len(text) < 6_000 for text in shown.values()] == [True] * 3
        assert [text.strip() for text in shown.values()][1:] == snapshot(
            ["The model said the same over and over; its answer was ended.", "Here it is."]
        )
        assert said(running.model.requests[1]) == snapshot(
            [
                "user: go",
                "user: (You repeated the same text over and over, so your answer was ended. Say what is new, once, or make a call.)",
            ]
        )
        assert running.model.closed == 2


async def test_an_announcement_without_a_call(tmp_path: Path) -> None:
    answers: list[Answer] = [[say("I will now create the file.")], [say("I will now create the file.")]]
    assert await wire(tmp_path, *answers, [say("Not asked.")]) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id9", "I will now create the file."]
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< agent_message_chunk ["id13", "\\n\\nThe model said what it would do, and did not do it; it was asked to."]
< agent_message_chunk ["id16", "\\n\\nI will now create the file."]
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< 3 = {"stopReason": "end_turn"}\
""")


async def test_an_answer_at_the_limit_of_tokens_goes_on_once(tmp_path: Path) -> None:
    answers: list[Answer] = [[say("One, t"), Finish("length")], [say("wo, thr"), Finish("length")], [say("Not asked.")]]
    assert await wire(tmp_path, *answers) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< agent_message_chunk ["id9", "One, t"]
< agent_message_chunk ["id12", "\\n\\nThe answer reached the model's limit of tokens; it was asked to go on."]
< agent_message_chunk ["id15", "\\n\\nwo, thr"]
< agent_message_chunk ["id18", "\\n\\nThe answer reached the model's limit of tokens. To have the rest of it, say so."]
< 3 = {"stopReason": "max_tokens"}\
""")


async def test_calls_that_cannot_be_read_three_times_in_a_row(tmp_path: Path) -> None:
    answers: list[Answer] = [
        [CallChunk(0, "c", "terminal", '{"command": "echo "hi""}')],
        [call("weather", place="here")],
        [[CallChunk(0, "c", "file_editor", '{"command": "create", "path": "a", "file_text": "half'), Finish("length")]],
        [say("Not asked.")],
    ]
    assert await wire(tmp_path, *answers) == snapshot("""\
> 3 session/prompt ["go"]
< session_info_update {"title": "go"}
< tool_call {"toolCallId": "id11", "status": "pending", "title": "Run a command", "name": "terminal", "kind": "execute", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id11", "status": "pending", "title": "echo", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo \\n```"}}]}
< tool_call_update {"toolCallId": "id11", "status": "pending", "rawInput": {"arguments": "{\\"command\\": \\"echo \\"hi\\"\\"}"}}
< usage_update {"used": 11, "size": 200000, "cost": {"amount": 0.01, "currency": "USD"}}
< tool_call_update {"toolCallId": "id11", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "```console\\n$ echo \\n```"}}, {"type": "content", "content": {"type": "text", "text": "the arguments have a quote inside a text that is not escaped, at character 19, near '{\\"command\\": \\"echo \\"hi\\"\\"}'; send the call again, whole"}}], "rawOutput": {"error": "the arguments have a quote inside a text that is not escaped, at character 19, near '{\\"command\\": \\"echo \\"hi\\"\\"}'; send the call again, whole"}}
< tool_call {"toolCallId": "id18", "status": "pending", "title": "weather (there is no such tool)", "name": "weather", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id18", "status": "pending", "rawInput": {"place": "here"}}
< usage_update {"used": 22, "size": 200000, "cost": {"amount": 0.02, "currency": "USD"}}
< tool_call_update {"toolCallId": "id18", "status": "failed", "content": [{"type": "content", "content": {"type": "text", "text": "there is no tool 'weather'; the tools are terminal, file_editor, grep, glob, task_tracker, think, fetch, ask_user, exit_plan_mode, finish, task"}}], "rawOutput": {"error": "there is no tool 'weather'; the tools are terminal, file_editor, grep, glob, task_tracker, think, fetch, ask_user, exit_plan_mode, finish, task"}}
< tool_call {"toolCallId": "id25", "status": "pending", "title": "Work on a file", "name": "file_editor", "kind": "other", "locations": [], "content": []}
< tool_call_update {"toolCallId": "id25", "status": "pending", "title": "Create a", "kind": "edit", "locations": [{"path": "ROOT/a"}], "content": [{"type": "diff", "path": "ROOT/a", "oldText": "", "newText": "half"}]}
< tool_call_update {"toolCallId": "id25", "status": "pending", "rawInput": {"arguments": "{\\"command\\": \\"create\\", \\"path\\": \\"a\\", \\"file_text\\": \\"half"}}
< tool_call_update {"toolCallId": "id25", "status": "failed", "content": [{"type": "diff", "path": "ROOT/a", "oldText": "", "newText": "half"}, {"type": "content", "content": {"type": "text", "text": "the arguments end in the middle, so nothing was run; send the call again, whole, or in smaller parts"}}], "rawOutput": {"error": "the arguments end in the middle, so nothing was run; send the call again, whole, or in smaller parts"}}
< agent_message_chunk ["id28", "The model made calls that cannot be run as they are written, 3 times in a row; the last: `file_editor`. The turn was ended. Tell it what to do differently, or choose another model; it goes on from here."]
< 3 = {"stopReason": "end_turn"}\
""")
    assert list(tmp_path.iterdir()) == []

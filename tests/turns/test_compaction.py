"""A conversation that outgrows its model's window goes on, and what matters in it is not forgotten."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.events import Condensation
from openhands_acp.engine.messages import Message, ToolMessage, UserMessage, plain_text
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.transcript import Transcript
from tests.harness.check import Running, TestBackend, agent
from tests.harness.model import Answer, Wait, call, say
from tests.harness.narrow import NarrowModel, narrow

pytestmark = pytest.mark.anyio

PLAN = call("task_tracker", command="plan", task_list=[{"title": "count a", "status": "in_progress"}])


@pytest.fixture(name="tmp_path")
def of_one_length() -> Generator[Path]:
    """A folder whose path is as long wherever the tests run: its letters are counted as tokens, too."""
    with TemporaryDirectory() as short:
        folder = Path(short) / ("w" * (69 - len(short)))
        folder.mkdir()
        yield folder


def view(name: str) -> Answer:
    return call("file_editor", command="view", path=name)


def lines(root: Path, names: str, count: int) -> None:
    for name in names:
        (root / name).write_text("".join(f"{name} line {number}\n" for number in range(count)))


TOOLS = ("terminal", "file_editor", "grep", "glob", "task_tracker", "think", "finish")
"""Few, and always the same: windows here are narrow."""


def backend(model: NarrowModel, root: Path) -> TestBackend:
    return TestBackend(model, mode="always-approve", outputs=root / "outputs", tools=TOOLS)


def told(running: Running) -> str:
    updates = running.editor.updates()
    text = "".join(u["content"]["text"] for u in updates if u["sessionUpdate"] == "agent_message_chunk")
    return text.replace(str(running.root), "ROOT")


def condensations(running: Running) -> list[Condensation]:
    return [entry.event for entry in running.entries if isinstance(entry.event, Condensation)]


def compactions(running: Running) -> list[dict[str, Any]]:
    return [u for u in running.editor.updates() if u["sessionUpdate"] == "compaction_update"]


def used(running: Running) -> list[int]:
    return [u["used"] for u in running.editor.updates() if u["sessionUpdate"] == "usage_update"]


def words(messages: Sequence[Message]) -> list[str]:
    return [plain_text(message.parts) for message in messages if isinstance(message, UserMessage)]


def results(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages if isinstance(message, ToolMessage)]


async def test_old_output_goes_first_and_can_be_read_again(tmp_path: Path) -> None:
    lines(tmp_path, "abcd", 265)
    lines(tmp_path, "efghijk", 40)
    model = narrow(*map(view, "abcdefghijk"), [say("Done.")], window=12_000, known=12_000)
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("read all")
        [condensation] = condensations(running)
        assert told(running) == snapshot(
            "Compacted the conversation: 9.1k → 5k tokens (the output of 3 older calls is left out).Done."
        )
        assert [text.replace(str(tmp_path), "ROOT")[:160] for text in results(model.requests[-1])[:4]] == snapshot(
            [
                '[4,864 characters that file_editor resulted in are left out to save room; all of it is in ROOT/outputs/history-1.txt at "=== result of call 1:"]',
                '[4,864 characters that file_editor resulted in are left out to save room; all of it is in ROOT/outputs/history-1.txt at "=== result of call 2:"]',
                '[4,864 characters that file_editor resulted in are left out to save room; all of it is in ROOT/outputs/history-1.txt at "=== result of call 3:"]',
                """\
Here's the result of running `cat -n` on ROOT/d:
     1	d line 0
     2	d line 1
     3	d line 2
     4	d line 3
     5	d line 4
     6	d line 5
     7	d line 6\
""",
            ]
        )
        kept = Path(re.findall(r"in (\S+\.txt)", results(model.requests[-1])[0])[0]).read_text()
        assert "a line 264" in kept[kept.index("=== result of call 1: file_editor") :]
        assert (condensation.stage, model.refused, model.summaries.requests) == ("outputs", [], [])
        assert condensation.tokens_after in used(running)
        assert used(running)[-1] < condensation.tokens_before


async def test_in_mid_turn_a_summary_takes_over_and_the_latest_request_is_gone_on_with(tmp_path: Path) -> None:
    lines(tmp_path, "abc", 250)
    edit = call("file_editor", command="create", path=str(tmp_path / "new.txt"), file_text="x\n")
    model = narrow([PLAN], [say("Hello.")], edit, *map(view, "abc"), [say("Done.")], [say("Yes.")])
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("first: only ever use tabs")
        await running.prompt("second: count the lines of all")
        assert told(running) == snapshot("""\
Hello.Compacting the conversation, which has 6.9k tokens…

Compacted the conversation: 6.9k → 4.1k tokens (a summary replaces 5 earlier steps; output that is too long is shortened).

Done.\
""")
        read = [text.replace(str(tmp_path), "ROOT") for text in words(model.requests[-1])]
        assert read == snapshot(
            [
                "first: only ever use tabs",
                "second: count the lines of all",
                """\
(This conversation has grown too long to be read whole. What follows sums up what was before; go on from there, without a word about this.)

## Task
Count the lines.
## Done
The files were read.

The plan as it stands:
- [~] count a

Files changed so far:
- ROOT/new.txt

All of it, word for word, is in the files history-*.txt in ROOT/outputs: search them with grep, or view parts of them, where this leaves something open.\
""",
            ]
        )
        assert (model.refused, [each.stage for each in condensations(running)]) == ([], ["summary"])
        material = words(model.summaries.requests[0])[0]
        assert all(part in material for part in ("only ever use tabs", "file_text", "a line 1", "count a"))
        # Taken up by another process, it goes on as it was.
        again = narrow([say("Yes.")])
        other = backend(again, tmp_path)
        other.journals = running.backend.journals
        live = running.backend.sessions[running.session_id].transcript
        async with agent(tmp_path, backend=other) as second:
            await second.editor.request("session/load", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
            loaded = other.sessions[running.session_id]
            assert (loaded.transcript.items, loaded.transcript.weight) == (live.items, live.weight)
            assert "first: only ever use tabs" in str(second.editor.updates())
            assert used(second)[-1] == used(running)[-1]


async def test_the_fold_of_the_journal_is_what_was_live(tmp_path: Path) -> None:
    lines(tmp_path, "abcde", 250)
    model = narrow(*map(view, "abcde"), [say("Done.")])
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("go")
        loaded = Transcript()
        for entry in running.entries:
            loaded.apply(entry.event, entry.id)
        assert condensations(running)
        assert loaded == running.backend.sessions[running.session_id].transcript


@pytest.mark.parametrize(
    ("known", "says_window", "claims"),
    [
        (8_000, True, (0, 0)),
        (8_000, False, (0, 1)),
        (None, True, (1, 0)),
        (None, False, (0, 0)),
        (None, False, (1 / 3, 0)),
        (200_000, True, (2, 0)),
        (200_000, False, (1_000, 0)),
    ],
)
async def test_whatever_is_known_of_the_window_and_however_it_counts_the_turn_comes_to_its_end(
    tmp_path: Path, known: int | None, says_window: bool, claims: tuple[float, int]
) -> None:
    lines(tmp_path, "abcdefgh", 150)
    model = narrow(*map(view, "abcdefgh"), [say("Done.")], known=known, says_window=says_window, claims=claims)
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        assert (await running.prompt("read all"))["stopReason"] == "end_turn"
        assert told(running).endswith("Done.")
        assert len(condensations(running)) <= 8
        sent = [str(request) for request in (*model.refused, *model.requests, *model.summaries.requests)]
        assert len(sent) == len(set(sent))


async def test_a_message_that_fits_no_window_ends_the_turn_with_advice(tmp_path: Path) -> None:
    model = narrow([say("Never.")], [say("Hello.")])
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("word " * 5_000)
        assert told(running) == snapshot(
            "This conversation is longer than fake/model can read (8k tokens), and nothing more of it can be left out: your last message has about 7.1k tokens, instructions and tools have 2.4k. Send less at once, a file's path instead of its text, say; or choose a model with a larger window, or begin a new session."
        )
        assert len(model.refused) == 1
        # What could not be sent does not stand in the way of what can.
        await running.prompt("hello")
        assert told(running).endswith("Never.")
        assert "word word" in words(model.requests[-1])[0]


async def test_one_result_too_long_is_shortened_before_it_is_sent(tmp_path: Path) -> None:
    lines(tmp_path, "a", 2_000)
    show = call("terminal", command=f"cat {tmp_path}/a", security_risk="LOW")
    model = narrow(show, [say("Done.")], window=5_000, known=5_000)
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("read it")
        assert told(running) == snapshot("""\
Compacted the conversation: 9.2k → 3.2k tokens (output that is too long is shortened).

Done.\
""")
        text = results(model.requests[-1])[0].replace(str(tmp_path), "ROOT")
        assert (text[:30], text[-170:]) == snapshot(
            (
                """\
a line 0
a line 1
a line 2
a l\
""",
                """\
ine 1997
a line 1998
a line 1999
[exit code 0]
[this was 19,934 characters, shortened to save room; all of it is in ROOT/outputs/history-1.txt at "=== result of call 1:"]\
""",
            )
        )
        assert model.refused == []


@pytest.mark.parametrize(
    ("summary", "why"),
    [
        ([say(" \n")], "the summary was empty"),
        ([TurnError("auth", "The key is wrong. Set another.")], "The key is wrong"),
        ([TurnError("content_filter", "The provider refused.")], "The provider refused"),
    ],
)
async def test_where_there_is_no_summary_the_oldest_is_left_out(tmp_path: Path, summary: Answer, why: str) -> None:
    lines(tmp_path, "abc", 250)
    model = narrow(*map(view, "abc"), [say("Done.")], summaries=[summary])
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("read all")
        assert f"left out because {why}" in told(running).replace("summing it up failed: ", "")
        assert told(running).endswith("Done.")
        assert condensations(running)[0].stage == "cut"
        said = words(model.requests[-1])
        assert said[0] == "read all"
        assert '- file_editor {"command": "view", "path": "a"}' in said[1]
        assert model.refused == []


async def test_a_summary_that_does_not_end_is_cut_off(tmp_path: Path) -> None:
    lines(tmp_path, "abc", 250)
    model = narrow(*map(view, "abc"), [say("Done.")], summaries=[say(*["and so on "] * 20_000)])
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("read all")
        assert told(running).endswith("Done.")
        assert len(condensations(running)[0].summary) < 3_000


async def test_who_sums_up_may_have_a_smaller_window_than_is_known(tmp_path: Path) -> None:
    lines(tmp_path, "abcdef", 400)
    small = narrow(window=2_000, known=None)
    model = narrow(*map(view, "abcdef"), [say("Done.")], window=20_000, known=20_000)
    its = backend(model, tmp_path)
    its.by_purpose["compaction"] = small
    async with agent(tmp_path, backend=its) as running:
        await running.prompt("read all")
        assert condensations(running)[0].stage == "summary"
        assert len(small.refused) in (1, 2, 3)


async def test_stopping_while_it_is_summed_up_leaves_nothing_out(tmp_path: Path) -> None:
    lines(tmp_path, "abc", 250)
    model = narrow(*map(view, "abc"), [say("Done.")], summaries=[[say("## Ta"), Wait()]])
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        request = running.ask_prompt("read all")
        await running.editor.until(lambda message: "Compacting" in str(message))
        running.cancel()
        assert (await running.editor.answer(request))["result"]["stopReason"] == "cancelled"
        assert told(running) == snapshot("""\
Compacting the conversation, which has 6.8k tokens…

Stopped; nothing was left out.\
""")
        assert condensations(running) == []
        await running.prompt("go on")
        assert told(running).endswith("Done.")


async def test_the_agent_searches_what_was_left_out_without_asking(tmp_path: Path) -> None:
    outputs = tmp_path / "session" / "output"
    project = tmp_path / "project"
    project.mkdir()
    lines(project, "abc", 250)
    search = call("grep", pattern="b line 249", path=str(outputs))
    model = narrow(*map(view, "abc"), search, [say("Done.")])
    its = TestBackend(model, mode="plan", outputs=outputs, tools=TOOLS)
    async with agent(project, backend=its) as running:
        await running.prompt("read all")
        assert re.search(r"history-1.txt\n.*b line 249", results(model.requests[-1])[-1])


# ---------------------------------------------------------------- commands


async def test_the_person_has_it_summed_up(tmp_path: Path) -> None:
    lines(tmp_path, "abc", 250)
    failing: Answer = [TurnError("auth", "The key is wrong. Set another.")]
    model = narrow(*map(view, "abc"), [say("Done.")], [say("Yes.")], window=50_000, known=50_000, summaries=[failing])
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("/compact")
        await running.prompt("read all")
        await running.prompt("/compact")
        assert condensations(running) == []
        await running.prompt("/compact what b is about")
        assert told(running) == snapshot("""\
There is nothing to compact: the conversation has about 2.4k tokens.Done.Compacting the conversation, which has 6.7k tokens…

Nothing was left out: summing it up failed: The key is wrong. Set another.Compacting the conversation, which has 6.7k tokens…

Compacted the conversation: 6.7k → 2.6k tokens (a summary replaces 3 earlier steps).\
""")
        assert "in particular: what b is about" in words(model.summaries.requests[1])[0]
        await running.prompt("still there?")
        assert words(model.requests[-1])[0] == "read all"
        assert words(model.requests[-1])[-1] == "still there?"
        assert compactions(running) == []


async def test_who_takes_it_up_again_is_told_how_full_it_is_now(tmp_path: Path) -> None:
    lines(tmp_path, "abc", 250)
    model = narrow(*map(view, "abc"), [say("Done.")], window=50_000, known=50_000)
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("read all")
        await running.prompt("/compact")
        [condensation] = condensations(running)
        before = len(used(running))
        await running.editor.request("session/resume", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
        await running.editor.until(lambda _message: len(used(running)) > before)
        assert used(running)[-1] == condensation.tokens_after


async def test_the_person_sees_what_fills_the_window(tmp_path: Path) -> None:
    lines(tmp_path, "ab", 250)
    run = call("terminal", command="seq 300", security_risk="LOW")
    model = narrow(view("a"), run, PLAN, [say("Done, all of it.")], window=50_000, known=50_000)
    async with agent(tmp_path, backend=backend(model, tmp_path)) as running:
        await running.prompt("read all")
        count = len(model.requests)
        asked = running.ask_prompt("/context")
        await running.editor.answer(asked)
        assert len(model.requests) == count
        assert told(running).partition("Done, all of it.")[2].strip() == snapshot("""\
**4.4k** of 50k tokens that fake/model can read are in use (9 %). From 38k on, older parts are summed up; `/compact` does it now.

| What | Tokens, about | Share |
| --- | ---: | ---: |
| System prompt | 4 | < 1 % |
| Tools, built in (7) | 2.6k | 5 % |
| Your messages | 2 | < 1 % |
| The agent's messages | 5 | < 1 % |
| Files that were read and edited | 1.4k | 3 % |
| Commands and their output | 359 | < 1 % |
| Other calls | 42 | < 1 % |
| Free | 46k | 91 % |\
""")


# ---------------------------------------------------------------- a client with a place for it


async def test_a_client_that_has_a_place_for_compactions_is_told_of_them(tmp_path: Path) -> None:
    lines(tmp_path, "abc", 250)
    model = narrow(*map(view, "abc"), [say("Done.")])
    async with agent(tmp_path, backend=backend(model, tmp_path), shows_compactions=True) as running:
        await running.prompt("read all")
        begun, done = compactions(running)
        assert begun == {
            "sessionUpdate": "compaction_update",
            "compactionId": done["compactionId"],
            "status": "in_progress",
        }
        assert (done["status"], done["summary"][0]["text"][:24]) == ("completed", "## Task\nCount the lines.")
        before = len(running.editor.updates())
        await running.editor.request("session/load", sessionId=running.session_id, cwd=str(tmp_path), mcpServers=[])
        replayed = [u for u in running.editor.updates()[before:] if u["sessionUpdate"] == "compaction_update"]
        assert replayed == [done]


async def test_such_a_client_is_told_how_each_ended(tmp_path: Path) -> None:
    lines(tmp_path, "abc", 250)
    failing: Answer = [TurnError("auth", "The key is wrong. Set another.")]
    model = narrow(*map(view, "abc"), [say("Done.")], window=50_000, known=50_000, summaries=[failing, [Wait()]])
    async with agent(tmp_path, backend=backend(model, tmp_path), shows_compactions=True) as running:
        await running.prompt("read all")
        await running.prompt("/compact")
        request = running.ask_prompt("/compact")
        await running.editor.until(lambda _message: len(compactions(running)) == 3)
        running.cancel()
        await running.editor.answer(request)
        ends = [(each["status"], each.get("error")) for each in compactions(running)]
        assert ends == snapshot(
            [
                ("in_progress", None),
                ("failed", "summing it up failed: The key is wrong. Set another"),
                ("in_progress", None),
                ("cancelled", None),
            ]
        )

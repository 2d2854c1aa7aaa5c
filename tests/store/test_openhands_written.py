"""A conversation that OpenHands itself wrote, as a person and a model read it here."""

from __future__ import annotations

from pathlib import Path

from inline_snapshot import snapshot

from openhands_acp.engine import events
from openhands_acp.engine.cards import Card, ShownDiff
from openhands_acp.engine.events import Durable
from openhands_acp.engine.messages import plain_text
from openhands_acp.store.openhands import read_conversation
from tests.store.conversations import history
from tests.store.test_openhands import line

WRITTEN = Path(__file__).parent / "fixtures" / "openhands_1_58_2"
"""By openhands-sdk and openhands-tools 1.58.2, with a scripted model, and killed during its last command.

Names of folders and of the machine, the words round the skill and of the tools, and how the agent was
configured are not as they were.
"""
WRITTEN_ID = "5fbcde10-532d-55ae-855d-9ab61547589d"


def shown(event: Durable) -> str | None:
    """Say in a line what the person sees of an event."""
    match event:
        case events.MessageEvent(role=role):
            return f"{role}: {plain_text(event.content)}"
        case events.ThoughtEvent(text=text) | events.NoticeEvent(channel="thought", text=text):
            return f"thought: {text}"
        case events.NoticeEvent(text=text) | events.Condensation(summary=text):
            return f"told: {text}"
        case events.ActionEvent(card=Card(title, kind)):
            return f"{kind}: {title}"
        case events.PlanUpdated():
            return f"plan: {[(entry.content, entry.status) for entry in event.entries]}"
        case events.TurnEnded():
            return f"--- {event.stop_reason}"
        case _:
            return result(event)


def result(event: Durable) -> str | None:
    match event:
        case events.ObservationEvent(shown=(ShownDiff(), *_) as diffs):
            return f"done: {[(diff.path, diff.old, diff.new) for diff in diffs if isinstance(diff, ShownDiff)]}"
        case events.ObservationEvent(text=text):
            return f"{'failed' if event.is_error else 'done'}: {text}"
        case events.UserRejectObservation(rejection_reason=text):
            return f"rejected: {text}"
        case events.AgentErrorEvent(error=text):
            return f"failed: {text}"
        case _:
            return None


def test_one_that_openhands_wrote_and_was_killed_over_is_told_to_its_last_event() -> None:
    stored = read_conversation(WRITTEN, WRITTEN_ID)
    assert [line for entry in stored.entries if (line := shown(entry.event))] == snapshot(
        [
            "user: Mend the tide tables, by the moon.",
            "thought: Following moon.",
            "thought: Two at once.",
            "assistant: Both.",
            "execute: echo high tide",
            "edit: Create tide.py",
            """\
done: high tide
[The command completed with exit code 0.]
[Current working directory: /home/ada/tidepool]\
""",
            "done: [('/home/ada/tidepool/tide.py', None, 'LOW = 1\\nHIGH = 7\\n')]",
            "edit: Edit tide.py",
            "done: [('/home/ada/tidepool/tide.py', 'LOW = 1\\nHIGH = 7\\n', 'LOW = 1\\nHIGH = 8\\n')]",
            "edit: Edit tide.py, moon.py",
            "done: [('/home/ada/tidepool/tide.py', 'LOW = 1\\nHIGH = 8\\n', 'LOW = 0\\nHIGH = 8\\n'), ('/home/ada/tidepool/moon.py', None, 'PULL = 1')]",
            "plan: [('Mend', 'completed'), ('Test', 'pending')]",
            "done: Task list has been updated with 2 item(s).",
            'other: barometer {"depth": 3}',
            "failed: Tool 'barometer' not found. Available: ['terminal', 'file_editor', 'task_tracker', 'apply_patch', 'finish', 'think']",
            "assistant: Mended.",
            "told: [Stop hook feedback] test it first",
            "assistant: Tested, too.",
            "told: OpenHands shortened the conversation: a summary replaces what was.",
            "told: SUMMARY: what was — été 日本.",
            "--- end_turn",
            "user: Push it.",
            "execute: git push",
            "rejected: not on a Sunday",
            "assistant: Then not.",
            "--- end_turn",
            "user: Wait for the ebb.",
            "assistant: I wait for the ebb.",
            "execute: sleep 60",
            "failed: OpenHands recorded no result of this call; whether it ran, and what it did, is unknown",
            "--- end_turn",
        ]
    )
    assert stored.notes == ()


def test_of_one_that_openhands_wrote_a_model_reads_what_its_own_read() -> None:
    stored = read_conversation(WRITTEN, WRITTEN_ID)
    assert [line(message) for message in history(stored.entries)] == snapshot(
        [
            "system: You keep tide tables.",
            "user: Mend the tide tables, by the moon.",
            "user: The moon pulls.",
            """\
user: (This conversation has grown too long to be read whole. What follows sums up what was before; go on from there, without a word about this.)

SUMMARY: what was — été 日本.\
""",
            "agent:  +call_5_0",
            "call_5_0: Error: Tool 'barometer' not found. Available: ['terminal', 'file_editor', 'task_tracker', 'apply_patch', 'finish', 'think']",
            "agent: Mended.",
            "user: [Stop hook feedback] test it first",
            "agent: Tested, too.",
            "user: Push it.",
            "agent:  +call_9_0",
            "call_9_0: Rejected: not on a Sunday",
            "agent: Then not.",
            "user: Wait for the ebb.",
            "agent: I wait for the ebb. +call_11_0",
            "call_11_0: Error: OpenHands recorded no result of this call; whether it ran, and what it did, is unknown",
        ]
    )

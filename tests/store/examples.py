"""One event of every kind, with every field said: what the journals in `fixtures` hold.

And what came later: values that a field can have besides, and fields with a default.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from openhands_acp.engine import cards, events
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Image, Link, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.events import SubagentStarted, SubagentStep
from openhands_acp.engine.tool_events import ToolsChanged

BEGAN = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
SESSION_ID = "0b7e4f6c-51a2-4d3e-8f90-a1b2c3d4e5f6"

CARD = cards.Card(
    "Edit a.py",
    "edit",
    (cards.Location(AbsPath("/w/a.py"), 3),),
    (
        cards.ShownDiff(AbsPath("/w/a.py"), "old\n", "new\n"),
        cards.ShownText("why"),
        cards.ShownCommand("ls", "a.py"),
    ),
)
SOUND = cards.ShownSound("audio/wav", "UklGRg==")
EVENTS: list[Durable] = [
    events.ConversationStarted(SESSION_ID, (AbsPath("/w"), AbsPath("/x")), "ask", "openai/gpt-5"),
    events.TurnStarted("t1"),
    events.SystemPromptEvent("You are an agent.", "It is Friday.", ("terminal", "file_editor")),
    events.MessageEvent("m1", "user", (Text("mend é\n\ud800 it"), Image("image/png", "aGk="))),
    events.ConversationStateUpdateEvent("title", "mend é it"),
    events.ThoughtEvent("m2", "r1", "hm", [{"type": "thinking", "thinking": "hm", "signature": "s"}]),
    events.MessageEvent("m3", "assistant", (Text("I will."),), "r1"),
    events.ActionEvent("c1", "p1", "file_editor", '{"path": "/w/a.py"}', "r1", "MEDIUM", CARD),
    events.PermissionDecided("c1", "allow_always", "edits in /w"),
    events.ObservationEvent(
        "c1", "e7", "file_editor", "edited", False, CARD.shown, CARD.locations, {"type": "Text", "n": [1, None, 0.5]}
    ),
    events.ActionEvent("c2", "p2", "terminal", "not json", "r1", "UNKNOWN", None),
    events.AgentErrorEvent("c2", "terminal", "the arguments are no JSON", (cards.ShownText("?"),)),
    events.ActionEvent("c3", "p3", "terminal", "{}", "r1", "HIGH", None),
    events.UserRejectObservation("c3", "e12", "terminal", "no", "mode", (cards.ShownCommand("rm", None),)),
    events.PlanUpdated((events.PlanEntry("mend it", "completed"), events.PlanEntry("rest", "pending"))),
    events.NoticeEvent("n1", "text", "by the way"),
    events.UsageEvent(events.Usage(10, 20, 5, 0.25), "openai/gpt-5", 400_000),
    events.UsageEvent(events.Usage(1, 2), "local/x", None),
    events.InterruptEvent(),
    events.ConversationErrorEvent("n2", "network", "the provider cannot be reached"),
    events.TurnEnded("t1", "cancelled"),
]
IN_VERSION_1 = len(EVENTS)
EVENTS.extend(
    [
        events.ConversationStateUpdateEvent("thought_level", "high"),
        events.CheckpointTaken("1", "before", "0f", None, "mend it"),
        events.CheckpointTaken(
            "2", "undo", "1f", "0f", "Undo “mend it”", 2, (AbsPath("/w/a.py"),), "(I did.)", "c4", CARD
        ),
        events.ActionEvent("c5", "p5", "file_editor", "{}", "r5", "LOW", CARD),
        events.ObservationEvent(
            "c5",
            "e24",
            "file_editor",
            "an image, and files that are no more where they were",
            shown=(
                cards.ShownDiff(AbsPath("/w/a.py"), "old\n", None),
                cards.ShownDiff(AbsPath("/w/b.py"), "old\n", "new\n", AbsPath("/w/a.py"), "Made executable"),
            ),
            images=(Image("image/png", "aGk="),),
        ),
    ]
)
IN_VERSION_2 = len(EVENTS)
EVENTS.extend(
    [
        events.UsageEvent(events.Usage(10, 20, 5, 0.25, 3, 7), "openai/gpt-5", None, "title"),
        events.ResponseDropped("r5"),
        events.Condensation(
            "k1",
            "summary",
            90_000,
            12_000,
            2,
            (1,),
            "what was done",
            (events.Shortened("c1", "[left out]", '{"path": "a", "file_text": "[left out]"}'),),
            cards.KeptOutput(AbsPath("/s/output/history-1.txt"), "1f", 10),
            32_000,
        ),
        events.QuestionAnswered("q1", CARD, "Go on"),
        events.ActionEvent("c6", "p6", "terminal", "{'command': 'ls'}", "r6", "LOW", None, '{"command": "ls"}'),
        events.ObservationEvent(
            "c6", "e30", "terminal", "x", output=cards.KeptOutput(AbsPath("/s/output/1.txt"), "0f", 9)
        ),
        events.NoticeEvent("n3", "text", "It was told so.", "(Try another way.)"),
        events.SkillActivated("docker", "Use compose.", "prompt", "container"),
        ToolsChanged(("terminal", "file_editor", "github__create_issue")),
        SubagentStarted("task_00000001", "c6", "code-explorer"),
        SubagentStep("c7", "c6", "file_editor", CARD, "completed", (cards.ShownText("done"), SOUND), is_own=True),
        events.PermissionDecided("q2", "reject_once", revoked=("line:make ship",)),
        events.UserRejectObservation("c5", "e13", "terminal", "a hook blocked this call: no", "hook"),
    ]
)


def _entries(made: list[Durable]) -> list[Entry]:
    return [Entry(f"e{number}", BEGAN + timedelta(seconds=number), event) for number, event in enumerate(made)]


ENTRIES = _entries(EVENTS)

_KINDS: tuple[cards.CallKind, ...] = ("read", "search", "execute", "think", "fetch", "switch_mode", "other")
_REASONS: tuple[events.StopReason, ...] = ("end_turn", "max_tokens", "max_turn_requests", "refusal")
LATER = _entries(
    [
        events.TurnStarted("t2", (Text("look", Link("a.py", "file:///w/a.py")), Image("image/png", "aGk="))),
        *(events.ActionEvent("c8", "p8", "x", "{}", "r8", "LOW", cards.Card("x", kind)) for kind in _KINDS),
        events.AgentErrorEvent("c8", "x", "no answer", card=CARD),
        events.UserRejectObservation("c8", "e1", "x", "no", "user"),
        *(events.PermissionDecided("c8", option) for option in ("allow_once", "allow_widely", "cancelled")),
        *(events.CheckpointTaken("3", moment, "0f", "1f", "t") for moment in ("after", "redo", "restore")),
        *(events.Condensation("k2", stage, 9, 3) for stage in ("outputs", "cut")),
        *(events.ConversationStateUpdateEvent(key, "x") for key in ("mode", "model")),
        *(events.NoticeEvent("n4", channel, "x") for channel in ("thought", "user")),
        events.PlanUpdated((events.PlanEntry("x", "in_progress"),)),
        *(events.SkillActivated("x", "x", cause, "x") for cause in ("path", "command", "model", "change")),
        SubagentStep("c9", "c6", "x", CARD, "failed", (), is_own=False),
        *(events.TurnEnded("t2", reason) for reason in _REASONS),
    ]
)
"""More of version 3, in a journal of its own; another is added for what comes to it after this."""

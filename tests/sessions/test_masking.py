"""Keys stay here, whatever way a conversation leaves by."""

from __future__ import annotations

import html
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings

from openhands_acp.cli import main
from openhands_acp.engine import cards, events
from openhands_acp.engine.cards import Card, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.events import Durable, Entry
from openhands_acp.engine.messages import Image, Text
from openhands_acp.engine.paths import AbsPath
from openhands_acp.redaction import MASK
from openhands_acp.sessions.masking import masked_stored, masking
from openhands_acp.store.codec import from_json, to_json
from openhands_acp.store.openhands import read_conversation
from openhands_acp.store.reading import Stored
from openhands_acp.store.trajectory import to_openhands
from tests.sessions.shelves import NOW, ROOT, TIDES, keep
from tests.store.conversations import conversations, history, told, write_layout

LOOKS = "sk-ant-api03-Kelp0Forest1Otter2"
OF_THE_ENVIRONMENT = 'pearl "diver" \\ seven'
OF_OUR_FILE, OF_THEIR_FILE = "the tide is high", "the tide is low"
KEYS = [LOOKS, OF_THE_ENVIRONMENT, OF_OUR_FILE, OF_THEIR_FILE]
EVERY = "\n".join(KEYS)
COLOURED = f"KEY=\x1b[31m{LOOKS}\x1b[0m {LOOKS[:9]}\x1b[1m{LOOKS[9:]}"
AS_JSON = json.dumps({"file_text": f"first\n{EVERY}", EVERY: [EVERY]})
IN_PATH = AbsPath(f"{ROOT}/{LOOKS}")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENHANDS_PERSISTENCE_DIR", str(tmp_path))
    monkeypatch.delenv("OPENHANDS_CONVERSATIONS_DIR", raising=False)
    monkeypatch.setenv("COLUMNS", "400")
    # In force is the first; the others are for models that are not chosen now, and no less secret.
    monkeypatch.setenv("LLM_API_KEY", OF_THE_ENVIRONMENT)
    (tmp_path / "acp.toml").write_text(f'model = "openai/gpt-5"\napi_key = "{OF_OUR_FILE}"\n', "utf-8")
    theirs = {"llm": {"model": "groq/tide", "api_key": OF_THEIR_FILE}}
    (tmp_path / "agent_settings.json").write_text(json.dumps(theirs), "utf-8")
    return tmp_path


def _call(number: int, name: str, shown: cards.Shown, *, arguments: str = AS_JSON) -> list[Durable]:
    call = f"c{number}"
    return [
        events.ActionEvent(
            call, call, name, arguments, "r", "LOW", Card(f"Call {LOOKS}", "execute", (cards.Location(IN_PATH),))
        ),
        events.PermissionDecided(call, "allow_always", EVERY),
        events.ObservationEvent(call, "a", name, EVERY, shown=(shown,), raw_output={EVERY: [EVERY, {"a": EVERY}]}),
    ]


CARD = Card(f"Call {LOOKS}", "execute", (), (ShownText(EVERY),))
SPOKEN: list[Durable] = [
    events.ConversationStarted(TIDES, (IN_PATH,), "always-ask", f"a/{LOOKS}"),
    events.SystemPromptEvent(EVERY, EVERY, ("terminal",)),
    events.TurnStarted("t"),
    events.MessageEvent("m1", "user", (Text(f"My key is {EVERY}"), Image("image/png", "aGk="))),
    events.ConversationStateUpdateEvent("title", f"Use {LOOKS} and {OF_OUR_FILE}"),
    events.ThoughtEvent("m2", "r", EVERY, [{"type": "thinking", "thinking": EVERY, "signature": "s"}]),
    events.MessageEvent("m3", "assistant", (Text(f"`{EVERY}`"),), "r"),
    *_call(1, "terminal", ShownCommand(f"export KEY={LOOKS}\necho {EVERY}", f"{COLOURED}\n{EVERY}\n{AS_JSON}")),
    *_call(2, "file_editor", ShownDiff(IN_PATH, f"a = 1\nb = '{LOOKS}'\n", f"a = 2\n{EVERY}")),
    *_call(3, "weather", ShownText(EVERY), arguments=f"no JSON: {EVERY}"),
    events.ActionEvent("c4", "c4", "terminal", AS_JSON, "r", "LOW", CARD),
    events.UserRejectObservation("c4", "a", "terminal", EVERY),
    events.ActionEvent("c5", "c5", "terminal", AS_JSON, "r", "LOW", CARD),
    events.AgentErrorEvent("c5", "terminal", EVERY),
    events.ActionEvent("c6", "c6", "terminal", AS_JSON, "r", "LOW", CARD),
    events.PlanUpdated((events.PlanEntry(EVERY, "completed"),)),
    events.NoticeEvent("n1", "text", EVERY),
    events.NoticeEvent("n2", "user", EVERY),
    events.ConversationErrorEvent("n3", "network", EVERY),
    events.TurnEnded("t", "end_turn"),
]


def texts(value: object) -> Iterator[str]:
    """Every text in some JSON, names too, and in JSON that is written in such a text."""
    match value:
        case str():
            yield value
            if value.startswith("{"):
                yield from texts(json.loads(value))
        case list():
            for item in cast("list[object]", value):
                yield from texts(item)
        case dict():
            for name, item in cast("dict[str, object]", value).items():
                yield name
                yield from texts(item)
        case _:
            pass


def test_no_key_leaves_a_shelf(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(home, TIDES, SPOKEN)
    file, archive, page = home / "t.json", home / "t.zip", home / "t.html"

    def run(*words: str) -> str:
        assert main(["sessions", *words]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    run("export", TIDES, "-o", str(file), "--html", str(page))
    run("export", TIDES, "-o", str(archive), "--format", "zip")
    markup = page.read_text("utf-8")
    told = {
        "show": run("show", TIDES),
        "list": run("list", "--all"),
        "page": html.unescape(re.sub(r"<[^>]*>", "", markup)),
        "markup": html.unescape(markup),
    }
    with zipfile.ZipFile(archive) as opened:
        in_archive: Any = [json.loads(opened.read(name)) for name in opened.namelist()]
    as_json = {
        "show --json": run("show", TIDES, "--json"),
        "list --json": run("list", "--all", "--json"),
        "export": run("export", TIDES),
        "file": file.read_text("utf-8"),
        "zip": json.dumps(in_archive),
    }
    told |= {name: "\n".join(texts(json.loads(text))) for name, text in as_json.items()}
    assert {name: [key for key in KEYS if key in text] for name, text in told.items()} == {name: [] for name in told}
    assert [name for name, text in told.items() if MASK not in text] == []
    journal = (home / "acp" / "sessions" / TIDES.replace("-", "") / "journal.jsonl").read_text("utf-8")
    assert LOOKS in journal


def test_no_key_of_a_conversation_of_openhands_leaves_either(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_layout(home / "conversations", TIDES, to_openhands(keep(home / "elsewhere", TIDES, SPOKEN)), state={})
    for words in (["show"], ["show", "--json"], ["export"]):
        assert main(["sessions", *words, TIDES]) == 0
        out = capsys.readouterr().out
        assert (MASK in out, [key for key in KEYS if key in out]) == (True, [])


def test_a_folder_is_found_by_its_name_even_where_that_is_masked(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(home, TIDES, SPOKEN)
    assert main(["sessions", "list", "--json", "--cwd", IN_PATH]) == 0
    assert [session["roots"] for session in json.loads(capsys.readouterr().out)] == [[f"{ROOT}/{MASK}"]]


# ---------------------------------------------------------------- how it hides, and what stays


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"KEY={LOOKS};", f"KEY={MASK};"),
        # Of colours, what is around a key goes with it only where they would hide it.
        (f"\x1b[1mKEY\x1b[0m={LOOKS}", f"\x1b[1mKEY\x1b[0m={MASK}"),
        (f"\x1b[1m{LOOKS}\x1b[0m", MASK),
        (f"{LOOKS[:5]}\x1b[1m{LOOKS[5:]}", MASK),
        (f"first\\n{LOOKS}\\nlast", f"first\\n{MASK}\\nlast"),
        (f"\\u003d{LOOKS}", f"\\u003d{MASK}"),
        (f"\\x1b[31m{LOOKS}", f"\\x1b[31m{MASK}"),
        (f"?key%3D{LOOKS}&b", f"?key%3D{MASK}&b"),
        (f"Authorization: Bearer {LOOKS[20:]}", f"Authorization: Bearer {MASK}"),
        (
            "risk-free\\nmasks-and-tasks-for-everybody \x1b[31mred",
            "risk-free\\nmasks-and-tasks-for-everybody \x1b[31mred",
        ),
    ],
)
def test_a_key_is_found_where_it_does_not_seem_to_begin_a_word(tmp_path: Path, text: str, masked: str) -> None:
    assert masking({}, tmp_path)(text) == masked


def arguments_masked(home: Path, written: str) -> str:
    entry = Entry("e", NOW, events.ActionEvent("c", "p", "t", written, "r", "LOW", None))
    [masked] = masked_stored(Stored([entry], (), 0), masking({"LLM_API_KEY": "1234567"}, home)).entries
    assert isinstance(masked.event, events.ActionEvent)
    return masked.event.arguments


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        ('{"a":"b"  }', '{"a":"b"  }'),
        (f'{{"a":"é\\n{LOOKS}"  }}', f'{{"a": "é\\n{MASK}"}}'),
        # A number is no key, though it reads like one; as text it is.
        ('{"a": 1234567}', '{"a": 1234567}'),
        ('{"a": "1234567"}', f'{{"a": "{MASK}"}}'),
        # What no parser reads is text.
        (f'{{"a": "{LOOKS}", "a": "b"}}', f'{{"a": "{MASK}", "a": "b"}}'),
        (f'{{"a": "{LOOKS}', f'{{"a": "{MASK}'),
        ("[" * 100_000, "[" * 100_000),
        ("", ""),
    ],
    ids=range(8),
)
def test_arguments_that_are_json_stay_json(tmp_path: Path, written: str, masked: str) -> None:
    assert arguments_masked(tmp_path, written) == masked


@settings(max_examples=40, deadline=None)
@given(conversations())
def test_whatever_is_masked_a_conversation_stays_one(entries: list[Entry]) -> None:
    stored = Stored(entries, ("a note",), 7)
    assert masked_stored(stored, str) == stored
    # As if every text were a key.
    masked = masked_stored(stored, lambda _: MASK)
    assert [from_json(json.loads(json.dumps(to_json(entry)))) for entry in masked.entries] == masked.entries
    assert [(entry.id, type(entry.event)) for entry in masked.entries] == [
        (entry.id, type(entry.event)) for entry in entries
    ]
    assert [type(message) for message in history(masked.entries)] == [type(message) for message in history(entries)]
    assert len(to_openhands(masked.entries)) == len(to_openhands(entries))


@settings(max_examples=10, deadline=None)
@given(conversations())
def test_a_masked_trajectory_can_still_be_read(tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]) -> None:
    folder = tmp_path_factory.mktemp("conversations")
    masked = masked_stored(Stored(entries, (), 0), lambda text: text.replace("tide", MASK))
    write_layout(folder, TIDES, to_openhands(masked.entries), state={})
    assert told(read_conversation(folder, TIDES).entries) == told(masked.entries)

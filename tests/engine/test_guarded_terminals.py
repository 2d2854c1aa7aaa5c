"""What a handle lets pass without asking, beyond what the policy's tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from openhands_acp.engine.cards import Card
from openhands_acp.engine.events import Event
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.permission.guard import Guard, GuardedFiles, GuardedTerminals
from openhands_acp.engine.ports import Answer, Exit, Job, Patience, Question
from openhands_acp.engine.tool import Rejected
from openhands_acp.local.files import LocalFiles
from tests.harness.ran import Ran

pytestmark = pytest.mark.anyio

PATIENCE = Patience(1, 1)


class Person:
    """Says no, and remembers what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        return "reject_once"


def guard(person: Person, root: Path, readable: Path) -> Guard:
    def emit(_event: Event) -> str:
        return ""

    rules: set[str] = set()
    return Guard(
        "c1",
        Card("t", "other"),
        {},
        "LOW",
        (AbsPath(str(root)),),
        lambda: "always-ask",
        lambda: rules,
        person,
        emit,
        (AbsPath(str(readable)),),
    )


async def test_the_sessions_own_outputs_are_read_without_a_question_and_nothing_beside_them(tmp_path: Path) -> None:
    root, outputs = tmp_path / "root", tmp_path / "session" / "output"
    for folder in (root, outputs):
        folder.mkdir(parents=True)
    for file in (outputs / "1.txt", outputs.parent / "journal.jsonl", tmp_path / "secret"):
        file.write_text("x")
    (outputs / "link").symlink_to(tmp_path / "secret")
    person = Person()
    files = GuardedFiles(LocalFiles(), guard(person, root, outputs))
    assert (await files.read(AbsPath(f"{outputs}/1.txt"))).text == "x"
    for path in (f"{outputs}/link", f"{outputs.parent}/journal.jsonl", f"{outputs}/../journal.jsonl"):
        with pytest.raises(Rejected):
            await files.read(AbsPath(path))
    with pytest.raises(Rejected):
        await files.remove(AbsPath(f"{outputs}/1.txt"), replaces=await LocalFiles().read(AbsPath(f"{outputs}/1.txt")))
    assert len(person.asked) == 4


@pytest.mark.parametrize(
    ("keys", "is_asked"),
    [("", False), ("\x03", False), ("\x03\r", True), ("\x04", True), ("\r", True), ("y\r", True)],
)
async def test_looking_and_interrupting_ask_nobody_and_all_other_keys_do(
    tmp_path: Path, keys: str, is_asked: bool
) -> None:
    person = Person()
    ran = Ran(ended=Exit(0, None, False, 0), jobs=(Job("1", "npm init", 1),))
    terminals = GuardedTerminals(ran, guard(person, tmp_path, tmp_path))

    async def sink(_text: str) -> None:
        return

    if is_asked:
        with pytest.raises(Rejected):
            await terminals.attend("1", keys, sink, PATIENCE)
    else:
        await terminals.attend("1", keys, sink, PATIENCE)
    assert (len(person.asked), len(ran.asked)) == (is_asked, not is_asked)

"""One question for several changes: it stands for what it shows, and for nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from openhands_acp.engine.cards import Card, ShownDiff
from openhands_acp.engine.events import Event
from openhands_acp.engine.modes import Mode
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.permission.guard import Guard, GuardedFiles
from openhands_acp.engine.ports import Answer, FileChanged, Question, TextFile
from openhands_acp.engine.tool import Rejected
from openhands_acp.local.files import LocalFiles

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = TextFile("1\n"), TextFile("2\n"), TextFile("3\n")


@dataclass
class Desk:
    """A person who says yes, and the files of a call that they watch."""

    root: Path
    mode: Mode = "always-ask"
    asked: list[Card] = field(default_factory=list[Card])

    def __post_init__(self) -> None:
        guard = Guard(
            "call",
            Card("Patch files", "edit"),
            {},
            "LOW",
            (AbsPath(str(self.root)),),
            lambda: self.mode,
            set[str],
            self,
            self.heard,
        )
        self.files = GuardedFiles(LocalFiles(), guard)

    def path(self, name: str) -> AbsPath:
        return AbsPath(str(self.root / name))

    def heard(self, _event: Event) -> str:
        return ""

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question.card)
        return "allow_once"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("1\n")
    return Desk(tmp_path)


def whole(desk: Desk) -> Card:
    a, b, c, d = map(desk.path, "abcd")
    return Card(
        "All", "edit", (), (ShownDiff(a, "1\n", "2\n"), ShownDiff(d, "1\n", "3\n", b), ShownDiff(c, "1\n", None))
    )


async def test_what_is_shown_is_asked_once(desk: Desk) -> None:
    card = whole(desk)
    desk.files.intend(card)
    await desk.files.write(desk.path("a"), TWO, replaces=ONE)
    await desk.files.write(desk.path("d"), THREE, replaces=None)
    await desk.files.remove(desk.path("b"), replaces=ONE)
    await desk.files.remove(desk.path("c"), replaces=ONE)
    assert desk.asked == [card]


async def test_what_is_not_shown_so_is_asked_by_itself(desk: Desk) -> None:
    card = whole(desk)
    desk.files.intend(card)
    await desk.files.write(desk.path("a"), THREE, replaces=ONE)
    await desk.files.write(desk.path("e"), ONE, replaces=None)
    await desk.files.write(desk.path("d"), TWO, replaces=None)
    await desk.files.remove(desk.path("b"), replaces=ONE)
    assert [each.shown for each in desk.asked] == [
        (ShownDiff(desk.path("a"), "1\n", "3\n"),),
        (ShownDiff(desk.path("e"), None, "1\n"),),
        (ShownDiff(desk.path("d"), None, "2\n"),),
        card.shown,
    ]


async def test_another_whole_is_another_question(desk: Desk) -> None:
    first, second = Card("A", "edit", (), whole(desk).shown[:1]), Card("C", "edit", (), whole(desk).shown[2:])
    desk.files.intend(first)
    await desk.files.write(desk.path("a"), TWO, replaces=ONE)
    desk.files.intend(second)
    await desk.files.remove(desk.path("c"), replaces=ONE)
    assert desk.asked == [first, second]


async def test_a_call_takes_back_what_it_did_unasked_and_nothing_else(desk: Desk) -> None:
    a, c, d = desk.path("a"), desk.path("c"), desk.path("d")
    await desk.files.write(a, TWO, replaces=ONE)
    await desk.files.write(d, TWO, replaces=None)
    await desk.files.remove(c, replaces=ONE)
    desk.mode = "plan"
    for attempt in (
        desk.files.write(a, THREE, replaces=TWO),
        desk.files.remove(a, replaces=TWO),
        desk.files.write(c, TWO, replaces=None),
    ):
        with pytest.raises(Rejected):
            await attempt
    await desk.files.write(a, ONE, replaces=TWO)
    await desk.files.remove(d, replaces=TWO)
    await desk.files.write(c, ONE, replaces=None)
    assert len(desk.asked) == 3
    assert {path.name: path.read_text() for path in desk.root.iterdir()} == {"a": "1\n", "b": "1\n", "c": "1\n"}


LINES = TextFile("".join(f"line {number}\n" for number in range(1, 10)))
MINE = TextFile(LINES.text.replace("line 5", "mine"))
TYPED = TextFile(LINES.text.replace("line 9", "typed"))
BOTH = TextFile(MINE.text.replace("line 9", "typed"))


@pytest.mark.parametrize(
    ("after", "questions"),
    [
        (BOTH, 1),
        # More than was shown, or something else, or nothing of it.
        (TextFile(BOTH.text.replace("line 1", "and more")), 2),
        (TextFile(TYPED.text.replace("line 5", "other")), 2),
        (MINE, 2),
    ],
)
async def test_the_same_change_of_a_file_that_changed_meanwhile_is_not_asked_for_again(
    desk: Desk, after: TextFile, questions: int
) -> None:
    path = desk.path("a")
    (desk.root / "a").write_text(TYPED.text)
    with pytest.raises(FileChanged):
        await desk.files.write(path, MINE, replaces=LINES)
    await desk.files.write(path, after, replaces=TYPED)
    assert (len(desk.asked), (desk.root / "a").read_text()) == (questions, after.text)


async def test_a_mode_that_forbids_counts_for_what_was_permitted_a_moment_ago_too(desk: Desk) -> None:
    path = desk.path("a")
    (desk.root / "a").write_text(TYPED.text)
    with pytest.raises(FileChanged):
        await desk.files.write(path, MINE, replaces=LINES)
    desk.mode = "plan"
    with pytest.raises(Rejected):
        await desk.files.write(path, BOTH, replaces=TYPED)
    assert (desk.root / "a").read_text() == TYPED.text

"""What the card of a task shows: who works, how far they are, and no more of it than one can read."""

from __future__ import annotations

from inline_snapshot import snapshot

from openhands_acp.engine.cards import Card, ShownCommand, ShownDiff, ShownText
from openhands_acp.engine.events import Usage
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.subagents.course import Course, bounded

RUN = Card("pytest -q\nsecond line", "execute")


def text_of(course: Course) -> str:
    (shown,) = course.shown()
    assert isinstance(shown, ShownText)
    return shown.text


def busy() -> Course:
    course = Course("bash-runner", "Run the tests")
    course.step("c1", Card("Read `a.py`", "read"))
    course.state("c1", "failed")
    course.step("c2", RUN)
    course.used.add(Usage(12_000, 345, cost_usd=0.021))
    return course


def test_while_it_works_it_shows_what_it_does_and_what_that_prints() -> None:
    course = busy()
    course.said("Now the tests.\nAll of them.")
    course.progress((ShownCommand("pytest -q", f"{'x' * 1_000}\n12 passed"),))
    course.notice = "Trying again in 5 s (1 of 5)."
    assert text_of(course).replace("x" * 590, "x…") == snapshot("""\
**bash-runner**: Run the tests
2 steps, 12,345 tokens, $0.021

- Read `a.py` (failed)
- `pytest -q second line` …

```console
x…
12 passed
```

> Now the tests. All of them.

*Trying again in 5 s (1 of 5).*\
""")
    course.state("c2", "waiting")
    assert text_of(course) == snapshot("""\
**bash-runner**: Run the tests
2 steps, 12,345 tokens, $0.021

- Read `a.py` (failed)
- `pytest -q second line` (waits for your answer)

> Now the tests. All of them.

*Trying again in 5 s (1 of 5).*\
""")


def test_many_steps_are_counted_and_the_newest_listed() -> None:
    course = Course("code-explorer", "")
    for number in range(60):
        course.step(f"c{number}", Card(f"Read {number}.txt" + "y" * (200 if number == 59 else 0), "read"))
        course.state(f"c{number}", "completed")
    assert text_of(course) == snapshot("""\
**code-explorer**
60 steps

- … 52 earlier
- Read 52.txt
- Read 53.txt
- Read 54.txt
- Read 55.txt
- Read 56.txt
- Read 57.txt
- Read 58.txt
- Read 59.txtyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…\
""")
    (over,) = course.over("completed", "Done.")
    assert isinstance(over, ShownText)
    assert (over.text.count("\n- "), over.text.endswith("\n\nDone.")) == (51, True)


def test_what_is_not_known_to_be_free_is_not_told_as_free() -> None:
    course = Course("x", "")
    course.used.add(Usage(10, 1))
    assert (text_of(course), course.figures("task_00000001", "failed")) == snapshot(
        (
            """\
**x**
0 steps, 11 tokens\
""",
            {
                "task_id": "task_00000001",
                "subagent": "x",
                "status": "failed",
                "steps": 0,
                "tokens": 11,
                "cost_usd": None,
            },
        )
    )


def test_of_a_step_texts_are_kept_by_their_end_and_changes_whole() -> None:
    diff = ShownDiff(AbsPath("/w/a"), "o" * 9_000, "n" * 9_000)
    long, short = "a" * 5_000, ShownText("short")
    shown = bounded((ShownText(long), ShownCommand("ls", long), diff, short, ShownCommand("ls")))
    cut = f"[…]\n{'a' * 4_000}"
    assert shown == (ShownText(cut), ShownCommand("ls", cut), diff, short, ShownCommand("ls"))

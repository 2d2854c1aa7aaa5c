"""`python -m tests.store.owner FOLDER ID WHAT`: another window, as a process.

`hold` claims the session, says so and waits for a line on stdin; `hold-with-child` starts a command
first, which outlives it; `turns NAME COUNT` takes COUNT turns, each as soon as it may, and says what
it was told that names neither the owner nor what to do.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from openhands_acp.engine.events import ConversationStarted, Entry, NoticeEvent, TurnEnded, TurnStarted
from openhands_acp.engine.paths import AbsPath
from openhands_acp.engine.ports import Taken
from openhands_acp.store.library import Library, NoSuchSession, Stored

NOTICES = 20


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def hold(library: Library, session_id: str, *, with_child: bool) -> None:
    journal = library.journal(session_id, say, library.read(session_id))
    journal.claim()
    child = (
        subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) if with_child else None
    )
    say(str(child.pid) if child else "mine")
    sys.stdin.readline()
    journal.close()


def turns(library: Library, session_id: str, name: str, count: int) -> None:
    done = 0
    while done < count:
        journal = library.journal(session_id, say, _stored(library, session_id))
        try:
            journal.claim()
        except Taken as taken:
            if not any(words in str(taken) for words in ("window: process ", "open it again")):
                say(str(taken))
            continue
        now = datetime.now(UTC)
        journal.append(Entry("e", now, ConversationStarted(session_id, (AbsPath("/w"),), "ask", name)))
        journal.append(Entry("e", now, TurnStarted(name)))
        for number in range(NOTICES):
            journal.append(Entry(str(number), now, NoticeEvent(name, "text", "x" * number * 100)))
        journal.append(Entry("e", now, TurnEnded(name, "end_turn")))
        journal.sync()
        journal.close()
        done += 1


def _stored(library: Library, session_id: str) -> Stored | None:
    try:
        return library.read(session_id)
    except NoSuchSession:
        return None


def main(folder: str, session_id: str, what: str, *more: str) -> None:
    library = Library(Path(folder))
    match what, more:
        case "hold", ():
            hold(library, session_id, with_child=False)
        case "hold-with-child", ():
            hold(library, session_id, with_child=True)
        case "turns", (name, count):
            turns(library, session_id, name, int(count))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])

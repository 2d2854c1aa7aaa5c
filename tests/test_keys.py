"""Keys that are asked for when they are wanted: from a program, from the keyring."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import anyio
import anyio.to_thread
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.compat import properties
from keyring.errors import KeyringLocked

from openhands_acp.keys import KeyCommand, KeyringEntry, Keys, NoKey
from openhands_acp.redaction import Secret
from tests.harness.process import eventually, is_alive
from tests.harness.waiting import PATIENCE

pytestmark = pytest.mark.anyio

KEY = "marked-key-5f1c"


def program(text: str) -> KeyCommand:
    return KeyCommand((sys.executable, "-c", text))


def keys(learnt: list[str], patience: float = 20, **environ: str) -> Keys:
    async def given() -> Mapping[str, str]:
        return {"PATH": os.environ["PATH"], **environ}

    return Keys(given, learnt.append, patience)


async def test_a_program_is_asked_once_however_many_want_its_key(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    source = program(f"open({str(runs)!r}, 'a').write('x'); print({KEY!r}, 'and notes', sep='\\n')")
    learnt: list[str] = []
    asked = keys(learnt)
    found: list[Secret] = []

    async def ask() -> None:
        found.append(await asked.get(source))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
        assert (found, learnt, runs.read_text()) == ([Secret(KEY)] * 3, [KEY], "x")
        asked.forget()
        await ask()
    assert (found, learnt, runs.read_text()) == ([Secret(KEY)] * 4, [KEY] * 2, "xx")


async def test_a_program_that_fails_fails_once_for_all_who_wait(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    source = program(f"open({str(runs)!r}, 'a').write('x'); raise SystemExit(3)")
    asked = keys([])
    told: list[str] = []

    async def ask() -> None:
        with pytest.raises(NoKey) as caught:
            await asked.get(source)
        told.append(str(caught.value))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
        assert (len(set(told)), len(told), runs.read_text()) == (1, 3, "x")
        await ask()
    assert runs.read_text() == "xx"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "printed nothing"),
        ("import sys; sys.exit('locked: ' + 'x' * 400)", f"failed with exit code 1: {'x' * 300}"),
        # What it was to keep to its output is not quoted with its errors.
        (
            f"import sys; print({KEY!r}); print('cannot send', {KEY!r}, file=sys.stderr); sys.exit(3)",
            "failed with exit code 3: cannot send [secret]",
        ),
        ("print('no such entry')", "printed something that is no key: it has spaces in it"),
        ("print('a\\x1bb')", "printed something that is no key: it has spaces in it"),
    ],
)
async def test_what_a_program_did_instead_is_told_without_the_key(text: str, said: str) -> None:
    learnt: list[str] = []
    with anyio.fail_after(PATIENCE), pytest.raises(NoKey) as refused:
        await keys(learnt).get(program(text))
    name = f"the program of `api_key_command` ({sys.executable!r})"
    assert (str(refused.value), learnt) == (f"{name} {said}", [])


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(NoKey, match=r"\('/no/such'\) cannot be started: No such file or directory$"):
        await keys([]).get(KeyCommand(("/no/such", "x")))


async def test_a_program_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    text = (
        "import subprocess, sys, time\n"
        "started = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"open({str(child)!r}, 'w').write(str(started.pid))\n"
        "print('asking you', file=sys.stderr, flush=True)\n"
        "time.sleep(300)"
    )
    with anyio.fail_after(PATIENCE), pytest.raises(NoKey, match=r"did not end within 3 s: asking you$"):
        await keys([], patience=3).get(program(text))
    eventually(lambda: not is_alive(int(child.read_text())))


async def test_one_who_stops_waiting_leaves_no_program_behind_and_the_next_asks_anew(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    source = program(f"import os, time; open({str(mark)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(300)")
    asked = keys([])
    for run in (1, 2):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asked.get, source)
            await anyio.to_thread.run_sync(
                eventually, lambda run=run: mark.exists() and len(mark.read_text().split()) == run
            )
            tasks.cancel_scope.cancel()
    for pid in mark.read_text().split():
        eventually(lambda pid=pid: not is_alive(int(pid)))


async def test_it_has_the_environment_that_it_is_given_and_no_terminal() -> None:
    text = "import os, sys; print(os.environ['A'] + str(sys.stdin.read() == '') + str(os.getsid(0) == os.getpid()))"
    assert await keys([], A="a").get(program(text)) == Secret("aTrueTrue")


# ---------------------------------------------------------------- the keyring


class Ring(KeyringBackend):
    """A keyring that has one entry, and one that is locked."""

    @properties.classproperty
    def priority(cls) -> float:
        return 1

    def get_password(self, service: str, username: str) -> str | None:
        if service == "locked":
            raise KeyringLocked("it is locked")
        return KEY if (service, username) == ("openai", "me/too") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError


@pytest.fixture
def ring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(Ring())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("ring")
async def test_the_systems_keyring_is_asked() -> None:
    learnt: list[str] = []
    assert (await keys(learnt).get(KeyringEntry("openai", "me/too")), learnt) == (Secret(KEY), [KEY])


@pytest.mark.usefixtures("ring")
@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("other", "there is no other/me in the system's keyring: run `keyring set other me`"),
        ("locked", "the system's keyring cannot be read: it is locked"),
    ],
)
async def test_what_the_keyring_does_not_give_is_told(service: str, said: str) -> None:
    with pytest.raises(NoKey) as refused:
        await keys([]).get(KeyringEntry(service, "me"))
    assert str(refused.value) == said

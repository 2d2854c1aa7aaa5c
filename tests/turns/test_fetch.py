"""Fetching in a turn: what is asked, what an answer covers, and what the model reads."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openhands_acp.engine.messages import Image, ToolMessage
from openhands_acp.web.fetching import FetchingWeb
from tests.harness.check import Running, TestBackend, agent
from tests.harness.editor import allowed, rejected
from tests.harness.model import Answer as Said
from tests.harness.model import ScriptedModel, call, say
from tests.harness.site import Answer, Site, site

pytestmark = pytest.mark.anyio

GIF = "R0lGODlhAQABAAAAACwAAAAAAQABAAA7"
LONG = "\n".join(f"line {number}" for number in range(10_000))


@pytest.fixture
def served() -> Iterator[Site]:
    with site({"/": Answer(b"<title>Home</title><p>Hello"), "/2": Answer(b"two", "text/plain")}) as made:
        made.pages["/moved"] = Answer(status=302, headers={"Location": made.url("/2", "localhost")})
        made.pages["/long"] = Answer(LONG.encode(), "text/plain")
        # One that is none of what it says.
        made.pages["/pic"] = Answer(b64decode(GIF), "image/png")
        made.pages["/damaged"] = Answer(b"\x89PNG\r\n\x1a\n", "image/png")
        made.pages["/none"] = Answer(b"<html>", "image/png")
        yield made


def fetch(url: str, **more: Any) -> Said:
    return [call("fetch", url=url, **more)]


def backend(*answers: Said, mode: str = "always-ask", allowed: tuple[str, ...] = ("*",)) -> TestBackend:
    made = TestBackend(ScriptedModel((*answers, [say("Done.")])), mode=mode)
    made.web = FetchingWeb("test", allowed)
    return made


def asked(running: Running) -> list[dict[str, Any]]:
    return [m["params"] for _, m in running.editor.log if m.get("method") == "session/request_permission"]


def results(running: Running) -> list[str]:
    return [m.text for m in running.model.requests[-1] if isinstance(m, ToolMessage)]


async def test_the_person_sees_the_whole_address_and_can_allow_the_host(tmp_path: Path, served: Site) -> None:
    urls = [served.url(), served.url("/2"), served.url("/2", "localhost")]
    made = backend(*[fetch(url) for url in urls])
    permission = allowed("allow_always")
    async with agent(tmp_path, backend=made, permission=lambda _params: permission) as running:
        await running.prompt("go")
        shown = [
            (question["toolCall"]["title"], question["toolCall"]["content"][0]["content"]["text"])
            for question in asked(running)
        ]
        assert shown == [(f"Fetch {url}", f"Fetch `{url}`") for url in (urls[0], urls[2])]
        names = [option["name"] for option in asked(running)[0]["options"]]
        assert names == ["Allow once", f"Always allow 127.0.0.1:{served.port} in this session", "Reject"]
        assert results(running) == ["# Home\n\nHello", "two", "two"]


@pytest.mark.parametrize(
    ("url", "shown", "host"),
    [
        # Cyrillic, but for the end.
        (
            "https://аррӏе.example/x",
            "`https://аррӏе.example/x` (the host `xn--80ak6aa92e.example`)",
            "xn--80ak6aa92e.example",
        ),
        (
            "https://Bücher.example:8/",
            "`https://Bücher.example:8/` (the host `xn--bcher-kva.example:8`)",
            "xn--bcher-kva.example:8",
        ),
        ("https://faß.example/", "`https://faß.example/` (the host `xn--fa-hia.example`)", "xn--fa-hia.example"),
        ("https://ｅｘａｍｐｌｅ.com/ä", "`https://ｅｘａｍｐｌｅ.com/ä`", "example.com"),
    ],
)
async def test_a_host_that_looks_like_another_is_shown_as_it_is_sent(
    tmp_path: Path, url: str, shown: str, host: str
) -> None:
    made = backend(fetch(url))
    async with agent(tmp_path, backend=made, permission=lambda _params: rejected()) as running:
        await running.prompt("go")
        (question,) = asked(running)
        assert question["toolCall"]["content"][0]["content"]["text"] == f"Fetch {shown}"
        assert question["options"][1]["name"] == f"Always allow {host} in this session"


async def test_a_page_that_has_moved_to_another_host_is_asked_for_again(tmp_path: Path, served: Site) -> None:
    answers = iter([allowed(), rejected()])
    made = backend(fetch(served.url("/moved")))
    async with agent(tmp_path, backend=made, permission=lambda _params: next(answers)) as running:
        await running.prompt("go")
        assert asked(running)[1]["toolCall"]["content"][0]["content"]["text"] == (
            f"Fetch `{served.url('/2', 'localhost')}`, where `{served.url('/moved')}` leads to"
        )
        assert results(running)[0].startswith("Rejected: the person said no")
        assert served.asked == [(f"127.0.0.1:{served.port}", "/moved")]


@pytest.mark.parametrize(
    ("mode", "risk", "questions"),
    [
        ("always-ask", "LOW", 1),
        ("accept-edits", "LOW", 1),
        ("llm-approve", "LOW", 0),
        ("llm-approve", "HIGH", 1),
        ("always-approve", "HIGH", 0),
        # It changes nothing; but who is asked learns that they were.
        ("plan", "LOW", 1),
    ],
)
async def test_modes(tmp_path: Path, served: Site, mode: str, risk: str, questions: int) -> None:
    made = backend(fetch(served.url("/2"), security_risk=risk), mode=mode)
    async with agent(tmp_path, backend=made) as running:
        await running.prompt("go")
        assert (len(asked(running)), results(running)) == (questions, ["two"])


async def test_this_machine_is_refused_whatever_the_person_answers(tmp_path: Path, served: Site) -> None:
    made = backend(fetch(served.url()), mode="always-approve", allowed=())
    async with agent(tmp_path, backend=made) as running:
        await running.prompt("go")
        assert results(running)[0] == (
            "Error: 127.0.0.1 is 127.0.0.1, which is this machine or a network that is not public. If the person wants "
            f"it reached, they can add '127.0.0.1:{served.port}' to `fetch_private` in acp.toml; do not try other ways"
        )
        assert served.asked == []


async def test_what_is_no_address_is_not_asked_about(tmp_path: Path) -> None:
    async with agent(tmp_path, backend=backend(fetch("file:///etc/passwd"))) as running:
        await running.prompt("go")
        assert asked(running) == []
        assert "must begin with https" in results(running)[0]


async def test_a_long_page_is_kept_whole_in_a_file(tmp_path: Path, served: Site) -> None:
    made = backend(fetch(served.url("/long")), mode="always-approve")
    made.outputs = tmp_path / "outputs"
    async with agent(tmp_path, backend=made) as running:
        await running.prompt("go")
        (kept,) = made.outputs.iterdir()
        assert kept.read_text() == LONG
        (text,) = results(running)
        assert len(text) < 21_000
        assert str(kept) in text


async def test_an_image_is_for_the_model_to_look_at(tmp_path: Path, served: Site) -> None:
    made = backend(fetch(served.url("/pic")), mode="always-approve")
    assert isinstance(made.model, ScriptedModel)
    made.model.sees_images = True
    async with agent(tmp_path, backend=made) as running:
        await running.prompt("go")
        results_read = [m for m in running.model.requests[-1] if isinstance(m, ToolMessage)]
        assert results_read[0].images == (Image("image/gif", GIF),)


@pytest.mark.parametrize(
    ("path", "why"), [("/damaged", "the image is cut off or damaged"), ("/none", "is said to be an image, and is none")]
)
async def test_an_image_that_providers_refuse_never_gets_into_the_conversation(
    tmp_path: Path, served: Site, path: str, why: str
) -> None:
    made = backend(fetch(served.url(path)), mode="always-approve")
    async with agent(tmp_path, backend=made) as running:
        await running.prompt("go")
        (read,) = [m for m in running.model.requests[-1] if isinstance(m, ToolMessage)]
        assert read.images == ()
        assert why in read.text


async def test_a_page_that_is_not_there_is_a_failure_with_what_it_says(tmp_path: Path, served: Site) -> None:
    async with agent(tmp_path, backend=backend(fetch(served.url("/nothing")), mode="always-approve")) as running:
        await running.prompt("go")
        assert results(running) == ["(HTTP status 404)\n\nnot here"]
        closed = [u for u in running.editor.updates() if u.get("status") == "failed"]
        assert len(closed) == 1

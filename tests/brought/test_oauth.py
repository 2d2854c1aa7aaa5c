"""Logging in at a server over http: links, tokens, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import keyring
import pytest
from httpx2 import AsyncClient
from keyring.backend import KeyringBackend
from keyring.compat import properties
from keyring.errors import KeyringLocked

from tests.brought.test_servers import backend, offered, servers, told
from tests.harness.check import Running, agent, transcript
from tests.harness.mcp_http import listening, login_at, serving
from tests.harness.model import call, say
from tests.harness.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


def far(address: str, **headers: str) -> dict[str, Any]:
    pairs = [{"name": name, "value": value} for name, value in headers.items()]
    return {"type": "http", "name": "far", "url": f"{address}/mcp", "headers": pairs}


async def visit(url: str) -> str:
    """Do what a browser does."""
    async with AsyncClient(follow_redirects=True) as browser:
        return (await browser.get(url)).text


def kept(tmp_path: Path) -> list[dict[str, Any]]:
    folder = tmp_path / "home/acp/mcp-tokens"
    return [json.loads(path.read_text()) for path in folder.glob("*.json")]


def links(running: Running) -> list[dict[str, Any]]:
    """What the editor was asked to have opened."""
    asked = [message for direction, message in running.editor.log if direction == "out"]
    return [message["params"] for message in asked if message.get("method") == "elicitation/create"]


def accepted(_params: dict[str, Any]) -> dict[str, Any]:
    return {"action": "accept"}


def declined(_params: dict[str, Any]) -> dict[str, Any]:
    return {"action": "decline"}


def status(running: Running) -> str:
    states = servers(running).states()
    return states[0].status if states else ""


def error(running: Running) -> str:
    states = servers(running).states()
    return states[0].error if states else ""


async def test_the_editor_shows_the_link_and_the_login_is_kept(root: Path, tmp_path: Path) -> None:
    port, address = listening()
    made = backend(tmp_path, [call("far__header", wanted="authorization")], [say("In.")], [say("Again.")])
    with anyio.fail_after(PATIENCE):
        async with serving(port, login=login_at(address)):
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: links(running))
                page = await visit(links(running)[0]["url"])
                await until(lambda: status(running) == "ready")
                await running.prompt("log in")
                token = kept(tmp_path)[0]["tokens"]["access_token"]
                assert f"Bearer {token}" in told(running)
                assert "go back to your editor" in page
                ids = [link["elicitationId"] for link in links(running)]
                await running.editor.until(lambda message: message.get("method") == "elicitation/complete")
                assert len(ids) == 1
            # Whoever comes back is not asked again.
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await running.prompt("once more")
                assert (offered(running, 2), links(running)) == (["far__header"], [])
    (file,) = (tmp_path / "home/acp/mcp-tokens").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


class Ring(KeyringBackend):
    """A keyring of the test's own, which can be locked."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.is_locked = False

    @properties.classproperty
    def priority(cls) -> float:
        return 1

    def get_password(self, service: str, username: str) -> str | None:
        self._look()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._look()
        self.kept[service, username] = password

    def _look(self) -> None:
        if self.is_locked:
            raise KeyringLocked("it is locked")


@pytest.fixture
def ring() -> Iterator[Ring]:
    before, ring = keyring.get_keyring(), Ring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


async def test_a_login_is_kept_in_the_keyring_and_in_a_file_where_that_is_locked(
    root: Path, tmp_path: Path, ring: Ring
) -> None:
    port, address = listening()
    made = backend(tmp_path, [say("Hi.")], [say("Hi.")])
    with anyio.fail_after(PATIENCE):
        async with serving(port, login=login_at(address)):
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: links(running))
                await visit(links(running)[0]["url"])
                await until(lambda: status(running) == "ready")
            assert [*ring.kept] == [("openhands-acp", f"{address}/mcp")]
            (written,) = kept(tmp_path)
            secret = json.loads(ring.kept["openhands-acp", f"{address}/mcp"])["tokens"]["access_token"]
            assert secret not in str(written)
            # Whoever comes back is not asked again.
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: status(running) == "ready")
                assert links(running) == []
            ring.is_locked = True
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: links(running))
                await visit(links(running)[0]["url"])
                await until(lambda: status(running) == "ready")
                await running.prompt("hello")
                await running.prompt("hello again")
                words = "the system's keyring cannot be read: it is locked; so you have to log in again"
                assert (error(running), transcript(running).count(words)) == (words, 1)
    assert "access_token" in kept(tmp_path)[0]["tokens"]


async def test_without_links_in_the_editor_the_servers_state_has_it(root: Path, tmp_path: Path) -> None:
    port, address = listening()
    with anyio.fail_after(PATIENCE):
        async with (
            serving(port, login=login_at(address)),
            agent(root, backend=backend(tmp_path, [say("Hi.")]), mcp_servers=[far(address)]) as running,
        ):
            await until(lambda: status(running) == "needs_login")
            words = servers(running).states()[0].error.split()
            assert [words[0], *words[2:]] == ["open", "in", "a", "browser", "and", "log", "in"]
            await visit(words[1])
            await until(lambda: status(running) == "ready")


async def test_a_login_that_is_declined_is_asked_for_again_on_demand(root: Path, tmp_path: Path) -> None:
    port, address = listening()
    with anyio.fail_after(PATIENCE):
        async with (
            serving(port, login=login_at(address)),
            agent(
                root, backend=backend(tmp_path, [say("Hi.")]), mcp_servers=[far(address)], elicits=declined
            ) as running,
        ):
            await until(lambda: error(running) == "the login was declined; `/mcp retry far` asks again")
            assert status(running) == "needs_login"
            running.editor.elicit(accepted)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(servers(running).retry, "far")
                await until(lambda: len(links(running)) == 2)
                await visit(links(running)[1]["url"])
            await until(lambda: status(running) == "ready")


async def test_an_old_token_is_renewed_without_a_question(root: Path, tmp_path: Path) -> None:
    port, address = listening()
    made = backend(tmp_path, [say("Hi.")])
    with anyio.fail_after(PATIENCE):
        async with serving(port, login=login_at(address)):
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: links(running))
                await visit(links(running)[0]["url"])
                await until(lambda: status(running) == "ready")
            (file,) = (tmp_path / "home/acp/mcp-tokens").iterdir()
            before = json.loads(file.read_text())
            file.write_text(json.dumps({**before, "expires_at": 1}))
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: status(running) == "ready")
                assert links(running) == []
    assert kept(tmp_path)[0]["tokens"]["access_token"] != before["tokens"]["access_token"]


async def test_a_server_that_forgot_this_program_is_told_of_it_anew(root: Path, tmp_path: Path) -> None:
    port, address = listening()
    provider = login_at(address)
    made = backend(tmp_path, [say("Hi.")])
    with anyio.fail_after(PATIENCE):
        async with serving(port, login=provider):
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: links(running))
                await visit(links(running)[0]["url"])
                await until(lambda: status(running) == "ready")
            for forgotten in (provider.clients, provider.access_tokens, provider.refresh_tokens):
                forgotten.clear()
            async with agent(root, backend=made, mcp_servers=[far(address)], elicits=accepted) as running:
                await until(lambda: links(running))
                await visit(links(running)[0]["url"])
                await until(lambda: status(running) == "ready")


async def test_a_header_to_get_in_with_needs_no_login(root: Path, tmp_path: Path) -> None:
    port, address = listening()
    made = backend(tmp_path, [call("far__header", wanted="authorization")], [say("In.")])
    with anyio.fail_after(PATIENCE):
        async with (
            serving(port),
            agent(root, backend=made, mcp_servers=[far(address, Authorization="Bearer mine")]) as running,
        ):
            await running.prompt("get in")
            assert "Bearer mine" in told(running)


async def test_the_older_transport(root: Path, tmp_path: Path) -> None:
    port, address = listening()
    made = backend(tmp_path, [call("far__header", wanted="x-colour")], [say("In.")])
    server = {"type": "sse", "name": "far", "url": f"{address}/sse", "headers": [{"name": "X-Colour", "value": "red"}]}
    with anyio.fail_after(PATIENCE):
        async with serving(port, "sse"), agent(root, backend=made, mcp_servers=[server]) as running:
            await running.prompt("get in")
            assert "red" in told(running)

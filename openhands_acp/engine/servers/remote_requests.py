"""What servers want while they work: a form filled in, a page visited, an answer of the model.

While a call of a server runs, whoever made the call answers, with the call's card, and no longer than the call
lasts. At any other time forms and links go to the person: servers of the older protocols may ask for a login then.
The model is not to be had then, in no protocol: sampling is "nested inside other MCP server features" (2025-11-25,
client/sampling), and what belongs to no request of ours is refused (SEP-2260, of 2026-07-28). While a prompt is fetched
it could be, but there is no card then to ask the person with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Literal, Protocol, TypeVar

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from openhands_acp.engine.person.door import Form, Link, Nobody, Person, Pick, Picked, Reply
from openhands_acp.engine.ports import Dismissed
from openhands_acp.engine.servers.door import RemoteFailure, Sampled, SampleRefused, SampleRequest

T = TypeVar("T")


class Caller(Protocol):
    """Who made a call, and answers what its server wants meanwhile. May raise Dismissed: the person wants to stop."""

    async def fill(self, form: Form) -> Reply: ...

    async def visit(self, link: Link) -> Reply: ...

    async def sample(self, request: SampleRequest) -> Sampled:
        """Raises SampleRefused."""
        ...


@dataclass(slots=True, eq=False)
class _Request:
    """One that waits for its answer, or has it."""

    put: Callable[[Caller], Awaitable[Reply | Sampled]]
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    done: anyio.Event = field(default_factory=anyio.Event)
    answer: Reply | Sampled | SampleRefused = "dismissed"
    """So it stays where the call was over first."""


@dataclass(slots=True)
class RemoteRequests:
    """Stands before the person where servers ask (`Person`), and before the model (`Sample`)."""

    person: Person = field(default_factory=Nobody)
    _lines: dict[str, list[MemoryObjectSendStream[_Request]]] = field(
        default_factory=dict[str, list[MemoryObjectSendStream[_Request]]]
    )
    """To those who have a call of a server running, by its name."""

    async def fill(self, form: Form) -> Reply:
        answer = await self._asked(form.asker, lambda caller: caller.fill(form))
        return await self.person.fill(form) if answer is None else _reply(answer)

    async def visit(self, link: Link) -> Reply:
        answer = await self._asked(link.asker, lambda caller: caller.visit(link))
        return await self.person.visit(link) if answer is None else _reply(answer)

    def visited(self, link_id: str) -> None:
        self.person.visited(link_id)

    async def pick(self, pick: Pick) -> Picked | Literal["dismissed", "unable"]:
        return await self.person.pick(pick)

    async def sample(self, request: SampleRequest) -> Sampled:
        """Have the session's model answer, if the person agrees. Raises SampleRefused."""
        answer = await self._asked(request.server, lambda caller: caller.sample(request))
        if isinstance(answer, Sampled):
            return answer
        if isinstance(answer, SampleRefused):
            raise answer
        raise SampleRefused("no call of this server is running", "unrelated")

    async def during(self, server: str, caller: Caller, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, a call of `server`; let `caller` answer what the server wants meanwhile, one after the other.

        Raises RemoteFailure as `work` does, and Dismissed.
        """
        send, receive = anyio.create_memory_object_stream[_Request](inf)
        lines = self._lines.setdefault(server, [])
        lines.append(send)
        outcomes: list[T] = []
        failures: list[RemoteFailure | Dismissed] = []
        try:
            async with anyio.create_task_group() as tasks:

                async def answer() -> None:
                    try:
                        await _answer(receive, caller)
                    except Dismissed as dismissed:
                        failures.append(dismissed)
                        tasks.cancel_scope.cancel()

                tasks.start_soon(answer)
                try:
                    outcomes.append(await work())
                except RemoteFailure as failure:
                    # Out of the group by itself: a group would wrap it.
                    failures.append(failure)
                tasks.cancel_scope.cancel()
        finally:
            lines.remove(send)
            send.close()
            _leave_unanswered(receive)
        for failure in failures:
            raise failure
        return outcomes[0]

    async def _asked(
        self, server: str, put: Callable[[Caller], Awaitable[Reply | Sampled]]
    ) -> Reply | Sampled | SampleRefused | None:
        """Have the latest call of the server answer; None: there is none."""
        lines = self._lines.get(server)
        if not lines:
            return None
        request = _Request(put)
        lines[-1].send_nowait(request)
        try:
            await request.done.wait()
        finally:
            # Whoever asked may have given up: nobody is to answer any more.
            request.scope.cancel()
        return request.answer


async def _answer(requests: MemoryObjectReceiveStream[_Request], caller: Caller) -> None:
    async for request in requests:
        try:
            with request.scope:
                request.answer = await request.put(caller)
        except SampleRefused as refused:
            request.answer = refused
        finally:
            request.done.set()


def _leave_unanswered(requests: MemoryObjectReceiveStream[_Request]) -> None:
    with suppress(anyio.WouldBlock, anyio.EndOfStream):
        while True:
            requests.receive_nowait().done.set()
    requests.close()


def _reply(answer: Reply | Sampled | SampleRefused) -> Reply:
    assert not isinstance(answer, Sampled | SampleRefused)
    return answer

"""Terminals without processes: they say what they were told to, and remember what they were asked."""

from __future__ import annotations

from collections.abc import Mapping

from openhands_acp.engine.ports import Command, Exit, Job, Patience, Running, Sink


class Ran:
    """Terminals that say this and come to that, and remember what they were asked."""

    def __init__(self, *said: str, ended: Exit | Running | Exception, jobs: tuple[Job, ...] = ()) -> None:
        self.said = said
        self.ended = ended
        self.now = jobs
        self.asked: list[object] = []

    async def run(self, command: Command, sink: Sink, patience: Patience) -> Exit | Running:
        self.asked.append((command.line, command.cwd, command.limit, patience))
        return await self._end(sink)

    def redefined(self) -> Mapping[str, str]:
        return {}

    async def attend(self, job: str, keys: str, sink: Sink, patience: Patience) -> Exit | Running:
        self.asked.append((job, keys, patience))
        return await self._end(sink)

    def jobs(self) -> tuple[Job, ...]:
        return self.now

    async def end(self, job: str | None = None) -> None:
        self.asked.append(("end", job))
        self.now = tuple(each for each in self.now if job is not None and each.id != job)

    async def _end(self, sink: Sink) -> Exit | Running:
        for text in self.said:
            await sink(text)
        if isinstance(self.ended, Exception):
            raise self.ended
        return self.ended

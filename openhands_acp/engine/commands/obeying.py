"""What comes of a prompt that calls a slash command: it is carried out, becomes a prompt for the model, or is answered.

Knows where a command is looked up; what each does, `bodies` and `expansions` know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from openhands_acp.engine.attachments import PromptPart
from openhands_acp.engine.commands import bodies as command_bodies
from openhands_acp.engine.commands import expansions
from openhands_acp.engine.commands.bodies import BODIES, PROMPTS
from openhands_acp.engine.commands.expansions import Expansion, expanded
from openhands_acp.engine.commands.table import SlashCommand, called, nearest, reads_like_a_call
from openhands_acp.engine.events import NoticeEvent
from openhands_acp.engine.guidance import trusting
from openhands_acp.engine.hooks import hooking
from openhands_acp.engine.messages import Part, Text, plain_text
from openhands_acp.engine.ports import Dismissed
from openhands_acp.engine.servers.door import RemoteFailure
from openhands_acp.engine.titles import cleaned, title_of

Prompt = tuple[PromptPart, ...]


class Session(command_bodies.Conversation, expansions.Session, hooking.Session, trusting.Session, Protocol):
    @property
    def commands(self) -> tuple[SlashCommand, ...]: ...

    @property
    def expansions(self) -> Mapping[str, Expansion]: ...

    def cancel(self) -> None: ...


async def obeyed(session: Session, prompts: list[Prompt]) -> str | None:
    """Carry out the first prompt and take it out, if it calls a command.

    Returns what the model is to work on, in the words of a title; None if there is nothing for it. Raises TurnError.
    """
    # By what is known from the turn before.
    hooking.watch(session)
    prompt = prompts[0]
    typed = prompt[0].text if isinstance(prompt[0], Text) else ""
    call = called(typed)
    if call is None:
        return _about(prompt)
    name, argument = call
    if name in PROMPTS:
        return await _handed_on(session, prompts, typed, lambda: _in_parts(PROMPTS[name](session, argument)))
    if name in BODIES and len(prompt) == 1:
        prompts.pop(0)
        await _carried_out(session, typed, BODIES[name](session, argument))
        return _about(prompts[0]) if prompts else None
    # Before it is looked up: it may be one that only a trusted project has, or a server that is still connecting.
    await session.look_around()
    if trusting.is_withheld(session, name):
        await trusting.settle(session)
    if ":" in name and name not in session.expansions:
        await session.servers.ready()
    if expansion := session.expansions.get(name):
        return await _handed_on(session, prompts, typed, lambda: expanded(session, expansion.source, argument))
    if len(prompt) == 1 and reads_like_a_call(typed, session.commands):
        prompts.pop(0)
        await _carried_out(session, typed, _unknown(session, name))
        return _about(prompts[0]) if prompts else None
    return _about(prompt)


async def _carried_out(session: Session, typed: str, body: Awaitable[str]) -> None:
    session.emit(NoticeEvent(session.new_id(), "user", typed))
    try:
        if said := await body:
            session.emit(NoticeEvent(session.new_id(), "text", said))
    except Dismissed:
        session.cancel()


async def _handed_on(
    session: Session, prompts: list[Prompt], typed: str, expand: Callable[[], Awaitable[Sequence[Part]]]
) -> str | None:
    """Have the model read what a command stands for; the person keeps seeing what they typed."""
    # What is told of it comes after the prompt, also in the journal.
    await session.prepare()
    title = cleaned(typed)
    # Now: commands in its text are the turn's.
    session.checkpoints.begin(title)
    try:
        parts = await expand()
    except RemoteFailure as failure:
        prompts.pop(0)
        await _carried_out(session, typed, _said(f"`{typed.split(maxsplit=1)[0]}` did not work: {failure}."))
        return _about(prompts[0]) if prompts else None
    except Dismissed:
        session.cancel()
        return None
    verdict = await hooking.prompted(session, parts)
    if hooking.kept_out(session, typed, verdict):
        prompts.pop(0)
        return _about(prompts[0]) if prompts else None
    more = (*(part for part in parts if not isinstance(part, Text)), *prompts[0][1:])
    # Only now: of a turn that is stopped before, what was typed is told as it is.
    prompts[:1] = [more] if more else []
    if session.transcript.title is None:
        session.set_option("title", title)
    hooking.add(session, verdict)
    session.emit(NoticeEvent(session.new_id(), "user", typed, plain_text(parts)))
    return title


async def _in_parts(text: Awaitable[str]) -> tuple[Part, ...]:
    return (Text(await text),)


async def _said(text: str) -> str:
    return text


async def _unknown(session: Session, name: str) -> str:
    near = nearest(name, [command.name for command in session.commands])
    meant = f" Did you mean {' or '.join(f'`/{each}`' for each in near)}?" if near else ""
    is_there = " The project has it, and is not trusted." if trusting.is_withheld(session, name) else ""
    return (
        f"There is no command `/{name}`.{is_there}{meant} `/help` lists all of them. "
        "If it was meant for the agent, send it again with a space in front of it."
    )


def _about(prompt: Prompt) -> str:
    return title_of(tuple([part for part in prompt if isinstance(part, Text)])) or "a prompt without text"

"""`/ask`: a question aside, about the conversation and no part of it.

The model reads the history as it is, with the same tools, so that the provider's cache is used and the history
is valid; a call that it makes is not run. Of question and answer nothing is ever read by a model again.
"""

from __future__ import annotations

from typing import Protocol

from openhands_acp.engine import preparing
from openhands_acp.engine.consulting import consulted
from openhands_acp.engine.events import MessageDelta, NoticeEvent
from openhands_acp.engine.messages import Text, UserMessage
from openhands_acp.engine.ports import LLM
from openhands_acp.engine.usage import limits

_ASIDE = (
    "(A question aside, which is no part of the work and is forgotten afterwards. Answer it in words, from what you "
    "know of this conversation. Call no tools: nothing would be run.)\n\n"
)
_ONLY_CALLS = (
    "The model wanted to use its tools instead of answering, which a question aside does not let it. Send the question "
    "as a prompt, without `/ask`."
)


class Session(preparing.Session, limits.Session, Protocol):
    async def open_llm(self, purpose: str = "agent", model: str | None = None) -> LLM: ...


async def ask(session: Session, question: str) -> str:
    """Answer in the chat, as it comes. Raises TurnError."""
    if not question:
        return "Write the question after the command: `/ask QUESTION`."
    if await limits.checked(session) is not None:
        return ""
    system = await preparing.previewed(session)
    llm = await session.open_llm("ask")
    history = session.transcript.history(with_images=llm.sees_images)
    # Before the first prompt none is written yet, and a question aside writes none.
    messages = [*([] if session.transcript.system else [system]), *history, UserMessage((Text(_ASIDE + question),))]
    specs = tuple(tool.spec for tool in session.tools.values())
    message_id = session.new_id()
    said = ""
    try:
        said = await consulted(
            session,
            "ask",
            messages,
            llm=llm,
            tools=specs,
            heard=lambda text: session.emit(MessageDelta(message_id, "text", text)),
        )
    finally:
        # Also of an answer that was cut short: what the person saw of it stays.
        partial = session.transcript.partial.get(message_id)
        if partial is not None:
            session.emit(NoticeEvent(message_id, "text", partial.text))
    return "" if said.strip() else _ONLY_CALLS

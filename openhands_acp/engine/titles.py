"""A session's title: from the first prompt at once, then one in the model's words."""

from __future__ import annotations

from contextlib import aclosing

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import Message, Part, SystemMessage, Text, UserMessage, plain_text
from openhands_acp.engine.ports import LLM, Finish, TextChunk

LONGEST = 60
_ASKED_ABOUT = 2_000
"""Characters of the prompt that a title is made of."""
_PATIENCE = 400
"""Characters of an answer that are listened to: a model that does not stop is not asked for an essay."""
_TASK = (
    "Write a title for a conversation that begins with the message you are given: what it is about, in at most eight "
    "words, in the language of the message. Answer with the title alone, without quotes or a full stop."
)


def title_of(parts: tuple[Part, ...]) -> str | None:
    """Make a title of a first prompt: its first line of text."""
    for part in parts:
        if isinstance(part, Text) and not part.text.startswith("<file ") and (line := cleaned(part.text)):
            return line
    return None


def cleaned(text: str) -> str:
    """Put text on one line of at most 60 characters."""
    line = text.strip().split("\n")[0].replace("**", "").replace("`", "")
    line = " ".join(line.split()).strip("\"'#* .")
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"


async def ask_for_title(llm: LLM, first: UserMessage) -> tuple[str, Usage | None]:
    """Ask once, for a few words. Raises TurnError."""
    messages: list[Message] = [
        SystemMessage(_TASK, ""),
        UserMessage((Text(plain_text(first.parts)[:_ASKED_ABOUT]),)),
    ]
    text, usage = "", None
    async with aclosing(llm.stream(messages, ())) as chunks:
        async for chunk in chunks:
            match chunk:
                case TextChunk():
                    text += chunk.text
                case Finish():
                    usage = chunk.usage
                case _:
                    pass
            if len(text) > _PATIENCE:
                break
    return cleaned(text), usage

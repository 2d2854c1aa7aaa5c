"""How a model is brought to call tools: by what it has for that, by its prompt, or the second when the first fails.

The one place where that is decided. Knows models by their names, and what their provider says of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Aside, Chunk, ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.engine.wrapped import Wrapped
from openhands_acp.llm.called_in_text import with_printed_calls
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.prompted import prompted, with_stop_word

_TOOLS: Final = r"\b(?:tools?|tool[\ _-](?:use|choice|call(?:s|ing))|function[\ _-]?call(?:s|ing)|functions)\b"
_ON: Final = r"(?:[^.]|(?<=\d)\.(?=\d))"
"""A character of the same sentence."""
_REFUSAL: Final = re.compile(
    rf"""{_TOOLS}{_ON}{{0,60}}\b(?:not|un)\s?(?:be\s)?(?:supported|enabled|available|allowed)
      | (?:\bnot?\b|n't\b|\bun){_ON}{{0,40}}support{_ON}{{0,60}}{_TOOLS}
      | \bunrecogni[sz]ed\b{_ON}{{0,40}}{_TOOLS}
      | \brequires?\s--(?:enable-auto-tool-choice|tool-call-parser|jinja)""",
    re.VERBOSE | re.IGNORECASE,
)
"""How providers and servers say that this model, or the way it is served, has no tools."""
_RELIABLE: Final = re.compile(
    r"(?:^|[/.:@-])(?:claude|gpt-[345]|gpt-35|chatgpt|o[1-9](?![0-9a-z])|codex|gemini|nova-|grok)", re.IGNORECASE
)
"""Models that make their calls: what one of them writes is meant to be read."""
_TOLD: Final = (
    "{model} has no tools of its own here, so they are described in its prompt and its calls are read from its text. "
    'Set `tool_calls = "prompted"` in acp.toml to begin so.'
)


class Offered(LLM, Protocol):
    """A model as its provider offers it."""

    @property
    def calls_tools(self) -> bool | None:
        """Whether it has native calls; None: the provider's table does not say."""
        ...


Open = Callable[[ModelSettings], Offered]


def calling(open_model: Open, settings: ModelSettings) -> LLM:
    """Open a model so that it can call tools, as `settings.tool_calls` says."""
    # LiteLLM prompts the models of `ollama/` itself, by switching that on for all other providers of the process.
    settings = replace(settings, model=re.sub("^ollama/", "ollama_chat/", settings.model))
    if settings.tool_calls == "prompted":
        return _prompted(open_model, settings)
    model = open_model(settings)
    careful = model if _RELIABLE.search(settings.model) else with_printed_calls(model)
    if settings.tool_calls == "native":
        return careful
    return adaptive(model, careful, lambda: _prompted(open_model, settings))


def refuses_tools(text: str) -> bool:
    """Tell whether a failure is about the tools that a model was offered."""
    return _REFUSAL.search(text) is not None


def _prompted(open_model: Open, settings: ModelSettings) -> LLM:
    # Whatever it is told, a model may fall back on the spelling that it was taught.
    return with_printed_calls(prompted(open_model(with_stop_word(replace(settings, api="chat")))))


def adaptive(offered: Offered, native: LLM, open_prompted: Callable[[], LLM]) -> LLM:
    """Wrap a model so that it uses native calls until they are refused, and from then on the prompt."""
    return Wrapped(offered, _Adaptive(offered, native, open_prompted).ask)


@dataclass(slots=True)
class _Adaptive:
    offered: Offered
    native: LLM
    open_prompted: Callable[[], LLM]
    _prompted: LLM | None = field(default=None, init=False)

    async def ask(self, llm: LLM, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        if self._prompted is None and self.offered.calls_tools is False:
            self._prompted = self.open_prompted()
        has_begun = False
        try:
            async with aclosing((self._prompted or self.native).stream(messages, tools)) as chunks:
                async for chunk in chunks:
                    has_begun = True
                    yield chunk
                return
        except TurnError as error:
            if has_begun or self._prompted is not None or not tools or not refuses_tools(error.detail):
                raise
        self._prompted = self.open_prompted()
        yield Aside(_TOLD.format(model=llm.model))
        async with aclosing(self._prompted.stream(messages, tools)) as chunks:
            async for chunk in chunks:
                yield chunk

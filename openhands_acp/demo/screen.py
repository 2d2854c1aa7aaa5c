"""What the person sees: finished things are printed and stay; beneath them, in a terminal, what is still going on.

Knows the updates of the protocol and Rich; knows neither the server nor how a turn is had.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from openhands_acp import display
from openhands_acp.demo import cards
from openhands_acp.demo.question import HINT, first_of_kind, option_meant, read_line

RECORDED_WIDTH = 84
_CHUNKS = {"agent_message_chunk": "text", "agent_thought_chunk": "thought"}
_OVER = ("completed", "failed")


class Screen:
    """A `client.Person`. As a context manager it shows, while it lasts, what is going on.

    Without a terminal it prints what is finished, and nothing that would have to be erased again.
    """

    def __init__(self, console: Console, *, says_yes: bool, recorder: Console | None = None) -> None:
        self._console = console
        self._says_yes = says_yes
        self._recorder = recorder
        self._live: Live | None = None
        self._spinner = Spinner("dots", style="yellow")
        self._started = time.monotonic()
        self._message: tuple[str, str, list[str]] | None = None
        """What the agent is saying: its channel, its id and its pieces."""
        self._calls: dict[str, dict[str, Any]] = {}
        self._plan: Sequence[Mapping[str, Any]] = ()
        self._usage: Mapping[str, Any] | None = None
        self._diffs_shown: set[str] = set()
        self._last_block = ""

    def __enter__(self) -> Self:
        self._show_live()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hide_live()
        self._end_message()

    def say(self, renderable: RenderableType) -> None:
        """Print something that stays."""
        # How Rich tells that nobody reads any more (`| head`): it is silent from then on, and the turn goes on.
        with contextlib.suppress(SystemExit):
            self._console.print(renderable)
        if self._recorder is not None:
            self._recorder.print(renderable)

    def refresh(self) -> None:
        """Draw what is going on anew; called some times a second, so that streams cost no more than that."""
        if self._live is not None:
            self._live.refresh()

    @property
    def usage(self) -> str | None:
        return cards.usage(self._usage) if self._usage else None

    # ---------------------------------------------------------------- what arrives

    def see(self, update: Mapping[str, Any]) -> None:
        kind = update.get("sessionUpdate")
        match kind:
            case "agent_message_chunk" | "agent_thought_chunk":
                self._add_to_message(_CHUNKS[kind], update)
            case "tool_call" | "tool_call_update":
                self._end_message()
                self._update_call(update)
            case "plan":
                self._end_message()
                entries: Sequence[Mapping[str, Any]] = update["entries"]
                if (shown := cards.plan(entries, self._plan)) is not None:
                    self._block("plan", shown)
                self._plan = entries
            case "usage_update":
                self._usage = update
            case _:
                # Commands, modes, options and titles are for editors.
                pass

    def _add_to_message(self, channel: str, update: Mapping[str, Any]) -> None:
        message_id = str(update.get("messageId"))
        if self._message is None or self._message[:2] != (channel, message_id):
            self._end_message()
            self._message = channel, message_id, []
        self._message[2].append(str(update["content"].get("text", "")))

    def _end_message(self) -> None:
        if self._message is not None and (shown := self._shown_message()):
            self._block(self._message[0], shown)
        self._message = None

    def _shown_message(self) -> RenderableType | None:
        if self._message is None or not (text := "".join(self._message[2])).strip():
            return None
        return display.said(text) if self._message[0] == "text" else display.thought(text)

    def _update_call(self, update: Mapping[str, Any]) -> None:
        call_id = str(update["toolCallId"])
        call = self._calls.setdefault(call_id, {})
        call.update(update)
        if call.get("status") in _OVER:
            del self._calls[call_id]
            body = cards.body(call, with_diff=call_id not in self._diffs_shown)
            self._block("call", cards.heading(call), *([body] if body else []))

    # ---------------------------------------------------------------- the question

    async def choose(self, call: Mapping[str, Any], options: Sequence[Mapping[str, Any]]) -> str | None:
        self._end_message()
        known = {**self._calls.get(str(call["toolCallId"]), {}), **call}
        self._diffs_shown.add(str(call["toolCallId"]))
        body = cards.body(known)
        asked = display.marked("?", "bold yellow", Text.assemble("May it do this?  ", cards.title(known)))
        self._block("question", asked, *([body] if body else []))
        self.say(_choices(options))
        if self._says_yes:
            chosen = first_of_kind("allow_once", options)
            self._answered(chosen, "--yes")
            return str(chosen["optionId"]) if chosen else None
        self._hide_live()
        chosen = None
        try:
            chosen = await self._typed(options)
        finally:
            if chosen is None:
                # The cursor is still behind the question.
                self._console.print()
            self._show_live()
        self._answered(chosen, None)
        return str(chosen["optionId"]) if chosen else None

    async def _typed(self, options: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        while True:
            self._console.print(Text.assemble(("    Your answer", "bold"), (f" ({HINT}): ", "dim")), end="")
            line = await read_line()
            if line is None:
                return None
            if chosen := option_meant(line, options):
                return chosen

    def _answered(self, chosen: Mapping[str, Any] | None, who: str | None) -> None:
        answer = display.plain(str(chosen["name"])) if chosen else "closed without an answer"
        text = Text.assemble("→ ", (answer, "bold"), (f"  ({who})" if who else "", "dim"))
        self.say(display.indented(text))

    # ---------------------------------------------------------------- what is going on

    def _block(self, kind: str, *renderables: RenderableType) -> None:
        """Print what belongs together, apart from what was before; plan lines and calls without output stay close."""
        is_line = len(renderables) == 1 and kind in ("call", "plan")
        if not (is_line and self._last_block == kind):
            self.say("")
        for renderable in renderables:
            self.say(renderable)
        self._last_block = kind if is_line else ""

    def _show_live(self) -> None:
        if self._live is None and self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._going_on, auto_refresh=False, transient=True)
            self._live.start()

    def _hide_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _going_on(self) -> RenderableType:
        parts: list[RenderableType] = [Text("")]
        if (message := self._shown_message()) is not None:
            parts += [message, Text("")]
        for call_id, call in self._calls.items():
            parts.append(cards.heading(call))
            if body := cards.body(call, with_diff=call_id not in self._diffs_shown):
                parts.append(body)
        seconds = f"{time.monotonic() - self._started:.0f} s"
        words = [seconds, self.usage, "Ctrl-C stops it"]
        self._spinner.update(text=Text(" · ".join(word for word in words if word), "dim"))
        return _Tail(Group(*parts, self._spinner))


class _Tail:
    """As much of the end of something as fits the screen: a region that is taller cannot be erased."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._renderable, options, pad=False)
        for number, line in enumerate(lines[-max(1, console.height - 2) :]):
            if number:
                yield Segment.line()
            yield from line


def _choices(options: Sequence[Mapping[str, Any]]) -> RenderableType:
    rows = [
        Text.assemble((f"{number} ", "bold yellow"), display.plain(str(option["name"])))
        for number, option in enumerate(options, start=1)
    ]
    return display.indented(Group(*rows))


def recorder() -> Console:
    """Return a console that keeps what is printed, as a terminal would show it."""
    return Console(
        record=True,
        file=io.StringIO(),
        width=RECORDED_WIDTH,
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
        legacy_windows=False,
    )

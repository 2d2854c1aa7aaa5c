"""What tests of sub-agents share: a model that answers each by its task, and a backend with one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from openhands_acp.engine.guidance.inventory import AgentDefinition, Inventory
from openhands_acp.engine.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    ToolMessage,
    UserMessage,
    plain_text,
)
from openhands_acp.engine.ports import Chunk, ToolSpec
from tests.harness.check import Running, TestBackend
from tests.harness.model import Answer, ScriptedModel, Step, call


@dataclass(slots=True)
class ByTask:
    """The model of sub-agents: one script for each, found by a word of the task that it was given first."""

    scripts: Mapping[str, ScriptedModel]
    model: str = "fake/model"
    context_window: int | None = 200_000
    sees_images: bool = False
    tools: dict[str, list[tuple[str, ...]]] = field(default_factory=dict[str, list[tuple[str, ...]]])
    """Those of each request, by that word."""

    def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        task = next(plain_text(message.parts) for message in messages if isinstance(message, UserMessage))
        word = next(word for word in self.scripts if word in task)
        self.tools.setdefault(word, []).append(tuple(spec.name for spec in tools))
        return self.scripts[word].stream(messages, tools)


def delegating(*answers: Answer, agents: tuple[AgentDefinition, ...] = (), **tasks: list[Answer]) -> TestBackend:
    """Make a backend whose session says `answers`, and whose sub-agents answer by a word of their task."""
    backend = TestBackend(ScriptedModel(answers), inventory=Inventory(agents=agents))
    if tasks:
        backend.by_purpose["subagent"] = ByTask({word: ScriptedModel(script) for word, script in tasks.items()})
    return backend


def child(backend: TestBackend, word: str) -> ScriptedModel:
    model = backend.by_purpose["subagent"]
    assert isinstance(model, ByTask)
    return model.scripts[word]


def task(prompt: str, index: int = 0, **arguments: Any) -> list[Step]:
    return call("task", index, prompt=prompt, **arguments)


def again(backend: TestBackend, *answers: Answer, **tasks: list[Answer]) -> TestBackend:
    """Make the backend of another process on the same machine."""
    scripts = {word: ScriptedModel(script) for word, script in tasks.items()}
    return replace(backend, model=ScriptedModel(answers), by_purpose={"subagent": ByTask(scripts)}, sessions={})


def said_to(message: Message) -> str:
    """Return the first line of what matters in a message that a model reads."""
    match message:
        case UserMessage(parts):
            text = plain_text(parts)
        case AssistantMessage():
            text = f"(says) {message.text} {[made.name for made in message.calls]}"
        case ToolMessage():
            text = f"({message.name}) {message.text.splitlines()[:2][-1].strip()}"
        case SystemMessage():
            text = "(the prompt)"
    return text


def results(running: Running) -> list[str]:
    """Return what the session's model was told last of its calls."""
    return [message.text for message in running.model.requests[-1] if isinstance(message, ToolMessage)]


def cards(running: Running) -> dict[str, tuple[str, str]]:
    """Return how each call looks to the editor now: by its title, its status and its texts."""
    calls: dict[str, dict[str, Any]] = {}
    for update in running.editor.updates():
        if update["sessionUpdate"] in ("tool_call", "tool_call_update"):
            calls.setdefault(update["toolCallId"], {}).update(update)
    texts = {
        key: "\n".join(item["content"]["text"] if item["type"] == "content" else item["type"] for item in fields)
        for key, fields in ((key, fields["content"]) for key, fields in calls.items())
    }
    return {fields["title"]: (fields["status"], texts[key]) for key, fields in calls.items()}


def edit(path: str, old: str, new: str, index: int = 0) -> list[Step]:
    return call("file_editor", index, command="str_replace", path=path, old_str=old, new_str=new)


def view(path: str, index: int = 0) -> list[Step]:
    return call("file_editor", index, command="view", path=path)


def file_in(root: Path, text: str = "one\n") -> Path:
    path = root / "a.txt"
    path.write_text(text)
    return path

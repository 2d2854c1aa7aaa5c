"""`/model`: the list, and the choice of another."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from openhands_acp.engine.choices import Choice
from tests.harness.check import TestBackend, agent
from tests.harness.choices import FixedChoices
from tests.harness.model import ScriptedModel, say

pytestmark = pytest.mark.anyio

CHOICES = [
    Choice("fake/model", "fake/model", 200_000, 3.0, 15.0),
    Choice("profile:fast", "fast (fake/small)", 8_000),
    Choice("fake/model-mini", "fake/model-mini", None, 0.25, 2.0),
    Choice("fake/locked", "fake/locked"),
    Choice("ollama_chat/qwen3:4b", "qwen3:4b (Ollama)", note="at http://127.0.0.1:11434"),
]


async def said(root: Path, *prompts: str) -> tuple[str, str]:
    """Return what the last prompt was answered with, and the model then."""
    choices = FixedChoices(CHOICES, {"fake/locked": "no API key for fake/locked"}, ["other/new"])
    backend = TestBackend(ScriptedModel([[say("Hi.")]]), models=choices)
    async with agent(root, backend=backend) as running:
        for prompt in prompts:
            await running.prompt(prompt)
        chunks = [u["content"]["text"] for u in running.editor.updates() if u["sessionUpdate"] == "agent_message_chunk"]
        return chunks[-1].strip(), backend.sessions[running.session_id].model


async def test_the_list(tmp_path: Path) -> None:
    assert (await said(tmp_path, "/model fast", "/model"))[0] == snapshot("""\
The model is `profile:fast`. `/model NAME` chooses another: a part of a name that only one has will do, and so will any PROVIDER/NAME for which there is a key.

| model | tokens it reads | per million tokens |
| --- | --- | --- |
| `fake/model` | 200,000 | $3.00 in, $15.00 out |
| **`profile:fast`** | 8,000 |  |
| `fake/model-mini` |  | $0.25 in, $2.00 out |
| `fake/locked` |  |  |
| `ollama_chat/qwen3:4b` at http://127.0.0.1:11434 |  |  |\
""")


@pytest.mark.parametrize(
    ("typed", "answer", "model"),
    [
        ("fake/model-mini", snapshot("The model is now `fake/model-mini`, from its next call on."), "fake/model-mini"),
        ("MINI", snapshot("The model is now `fake/model-mini`, from its next call on."), "fake/model-mini"),
        # Another one has it as a part; this is the name itself.
        ("fake/model", snapshot("The model is now `fake/model`, from its next call on."), "fake/model"),
        ("model", snapshot("The model is now `fake/model`, from its next call on."), "fake/model"),
        ("fast", snapshot("The model is now `profile:fast`, from its next call on."), "profile:fast"),
        ("4b", snapshot("The model is now `ollama_chat/qwen3:4b`, from its next call on."), "ollama_chat/qwen3:4b"),
        (
            "fake/",
            snapshot("`fake/` could be `fake/model`, `fake/model-mini`, `fake/locked`. Write more of it."),
            "fake/model",
        ),
        (
            "locked",
            snapshot("The model stays `fake/model`. `fake/locked` cannot be chosen: no API key for fake/locked"),
            "fake/model",
        ),
        (
            "nonsense",
            snapshot(
                "The model stays `fake/model`. `nonsense` cannot be chosen: there is no such model; these can be chosen: fake/model, profile:fast, fake/model-mini, fake/locked, ollama_chat/qwen3:4b"
            ),
            "fake/model",
        ),
        (
            "other/new",
            snapshot(
                "The model is now `other/new`, from its next call on. It is on no list that is known here: its provider will say whether it has it."
            ),
            "other/new",
        ),
    ],
)
async def test_what_is_typed_is_the_one_that_can_be_meant_and_else_the_model_stays(
    tmp_path: Path, typed: str, answer: str, model: str
) -> None:
    assert await said(tmp_path, f"/model {typed}") == (answer, model)


async def test_the_choice_counts_for_the_next_turn_and_the_selector_shows_it(tmp_path: Path) -> None:
    backend = TestBackend(ScriptedModel([[say("Hi.")]]), models=FixedChoices(CHOICES))
    async with agent(tmp_path, backend=backend) as running:
        await running.prompt("/model fast")
        await running.prompt("hi")
        (update,) = [u for u in running.editor.updates() if u["sessionUpdate"] == "config_option_update"]
        option = next(each for each in update["configOptions"] if each["id"] == "model")
        assert (option["currentValue"], option["options"][1]) == (
            "profile:fast",
            {"value": "profile:fast", "name": "fast (fake/small)", "description": "8,000 tokens"},
        )
        assert set(backend.opened) == {("profile:fast", "default")}

"""Which models are asked for calls how, and what becomes of those that have none."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
import pytest

from openhands_acp.engine.messages import Message
from openhands_acp.engine.ports import LLM, Aside, Chunk, Finish, TextChunk, ToolSpec
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.calling import adaptive, calling, refuses_tools
from openhands_acp.llm.model import ModelSettings, is_small
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness import replies
from tests.harness.provider import Provider
from tests.harness.waiting import PATIENCE
from tests.llm.asking import HELLO, settings
from tests.llm.offered import EDITOR, TERMINAL, Told, told

pytestmark = pytest.mark.anyio

CALL = "<function=terminal>\n<parameter=command>\nls\n</parameter>\n</function>"
PRINTED = '```json\n{"name": "terminal", "arguments": {"command": "ls"}}\n```'
LS = ["terminal", {"command": "ls"}]
TOLD = (
    "fake-model has no tools of its own here, so they are described in its prompt and its calls are read from its "
    'text. Set `tool_calls = "prompted"` in acp.toml to begin so.'
)


async def asked(model: LLM, tools: tuple[ToolSpec, ...] = (TERMINAL, EDITOR)) -> list[Chunk]:
    with anyio.fail_after(PATIENCE):
        async with aclosing(model.stream(HELLO, tools)) as stream:
            return [chunk async for chunk in stream]


@asynccontextmanager
async def opener() -> AsyncGenerator[Callable[[ModelSettings], LiteLLM]]:
    """Opens models, and closes them in the end."""
    opened: list[LiteLLM] = []

    def open_model(wanted: ModelSettings) -> LiteLLM:
        opened.append(LiteLLM(wanted))
        return opened[-1]

    try:
        yield open_model
    finally:
        for model in opened:
            await model.close()


def offered(body: dict[str, Any]) -> tuple[bool, Any]:
    """What the provider was asked: whether there were tools, and the stop word."""
    return ("tools" in body, body.get("stop"))


async def test_a_model_without_tools_is_prompted_from_then_on_and_the_person_told_once() -> None:
    refusal = [replies.openai_error(400, "registry.ollama.ai/library/gemma:2b does not support tools")]
    answers = [replies.Text(CALL)], [replies.Text("Two files.")]
    with Provider(refusal, *answers) as provider:
        async with opener() as open_model:
            model = calling(open_model, settings(provider))
            first, second = await asked(model), await asked(model)
        bodies = [offered(request.body) for request in provider.requests]
    assert (first[0], told(first), told(second)) == (
        Aside(f"openai/{TOLD}"),
        Told("", [LS]),
        Told("Two files.", []),
    )
    assert bodies == [(True, None), (False, ["</function"]), (False, ["</function"])]


@pytest.mark.parametrize(
    ("how", "text", "tools"),
    [
        pytest.param("auto", PRINTED, (True, None), id="by itself"),
        pytest.param("native", PRINTED, (True, None), id="native"),
        pytest.param("prompted", CALL, (False, ["</function"]), id="prompted"),
        pytest.param("prompted", PRINTED, (False, ["</function"]), id="prompted, and spelt as it was taught"),
    ],
)
async def test_the_person_chooses_how(how: Any, text: str, tools: tuple[bool, Any]) -> None:
    with Provider([replies.Text(text)]) as provider:
        async with opener() as open_model:
            model = calling(open_model, replace(settings(provider), tool_calls=how))
            assert told(await asked(model)) == Told("", [LS])
        assert offered(provider.requests[0].body) == tools


@pytest.mark.parametrize(
    ("model", "is_call"),
    [
        ("openai/qwen2.5-coder-7b", True),
        ("ollama_chat/llama3.1", True),
        ("openai/gpt-oss-20b", True),
        ("openai/fake-model", True),
        ("openai/gpt-4o", False),
        ("openai/gpt-5.1", False),
        ("anthropic/claude-sonnet-4-5", False),
        ("openrouter/google/gemini-2.5-pro", False),
        ("o4-mini", False),
    ],
)
async def test_text_is_searched_for_calls_where_models_print_them(model: str, is_call: bool) -> None:
    llm = calling(partial(Fake, [[TextChunk(PRINTED), Finish("stop")]]), ModelSettings(model))
    assert told(await asked(llm)) == (Told("", [LS]) if is_call else Told(PRINTED, []))


@pytest.mark.parametrize(
    ("model", "vision", "sees", "calls"),
    [
        ("openai/gpt-4o", None, True, True),
        ("openai/gpt-4o", False, False, True),
        ("deepseek/deepseek-reasoner", None, False, False),
        ("openai/llava-7b", None, False, None),
        ("openai/llava-7b", True, True, None),
    ],
)
def test_what_the_table_says_counts_where_the_person_says_nothing(
    model: str, vision: bool | None, sees: bool, calls: bool | None
) -> None:
    llm = LiteLLM(ModelSettings(model, vision=vision))
    assert (llm.sees_images, llm.calls_tools) == (sees, calls)


# ---------------------------------------------------------------- without a network


@dataclass(slots=True)
class Fake:
    """A model that answers by script; a failure in it is raised."""

    answers: Sequence[Sequence[Chunk | TurnError]]
    settings: ModelSettings
    calls_tools: bool | None = None
    context_window: int | None = None
    sees_images: bool = False
    asked: list[tuple[ToolSpec, ...]] = field(default_factory=list[tuple[ToolSpec, ...]])

    @property
    def model(self) -> str:
        return self.settings.model

    async def stream(self, messages: list[Message], tools: tuple[ToolSpec, ...]) -> AsyncGenerator[Chunk]:
        self.asked.append(tools)
        for chunk in self.answers[len(self.asked) - 1]:
            if isinstance(chunk, TurnError):
                raise chunk
            yield chunk


REFUSED = TurnError("request", "Ollama refused the request to gemma (400): gemma does not support tools")
OTHERWISE = TurnError("request", "Ollama refused the request to gemma (400): no such temperature")
MODEL = ModelSettings("ollama_chat/gemma")


async def test_a_model_that_is_known_to_have_no_tools_is_not_asked_with_them() -> None:
    native = Fake([], MODEL, calls_tools=False)
    prompted = Fake([[TextChunk("Yes."), Finish("stop")]], MODEL)
    assert await asked(adaptive(native, native, lambda: prompted)) == [TextChunk("Yes."), Finish("stop")]


@pytest.mark.parametrize(
    ("answer", "tools"),
    [
        pytest.param([OTHERWISE], (TERMINAL,), id="another failure"),
        pytest.param([TextChunk("Y"), REFUSED], (TERMINAL,), id="in mid-answer"),
        pytest.param([REFUSED], (), id="nobody offered tools"),
    ],
)
async def test_any_other_failure_is_told(answer: list[Chunk | TurnError], tools: tuple[ToolSpec, ...]) -> None:
    native = Fake([answer], MODEL)
    with pytest.raises(TurnError):
        await asked(adaptive(native, native, lambda: native), tools)
    assert native.asked == [tools]


def test_models_of_ollama_are_asked_over_its_chat() -> None:
    # By `ollama/` LiteLLM would prompt them itself, and every other model of this process with them.
    model = calling(partial(Fake, []), ModelSettings("ollama/llama3.2:3b"))
    assert model.model == "ollama_chat/llama3.2:3b"


@pytest.mark.parametrize(
    "text",
    [
        "registry.ollama.ai/library/gemma:2b does not support tools",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "tools param requires --jinja flag",
        "No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai",
        "`tool calling` is not supported with this model",
        "Function calling is not supported by petals.",
        "deepseek-reasoner does not support Function Calling",
        "openai does not support parameters: ['tools'], for model=old",
        "Tool use is not supported for this model",
        "This model doesn't support tool use in streaming mode.",
        "Unrecognized request argument supplied: functions",
        "Tool calling for qwen2.5-coder:1.5b is not supported",
    ],
)
def test_refusals_of_tools_are_known(text: str) -> None:
    assert refuses_tools(text)


@pytest.mark.parametrize(
    "text",
    [
        "messages with role 'tool' must be a response to a preceding message with 'tool_calls'",
        "tools.0.input_schema: JSON schema is invalid",
        "tools.3.type: 'web_search' is not supported",
        "this model does not support images",
        "temperature is not supported with this model",
        "tool_choice must be one of auto, none",
    ],
)
def test_other_refusals_are_not(text: str) -> None:
    assert not refuses_tools(text)


@pytest.mark.parametrize(
    ("model", "small"),
    [
        ("openai/qwen2.5-coder-1.5b", True),
        ("ollama_chat/llama3.2:3b", True),
        ("Qwen/Qwen2.5-7B-Instruct", True),
        ("deepseek-r1-distill-llama-8b", True),
        ("gemma3n:e4b", True),
        ("smollm2-135m", True),
        ("qwen3-30b-a3b", False),
        ("mixtral-8x7b", False),
        ("Qwen2.5-14B-Instruct-1M", False),
        ("anthropic/claude-sonnet-4-5", False),
        ("openai/gpt-5-mini", False),
        ("openai/fake-model", False),
    ],
)
def test_small_models_are_known_by_their_names(model: str, small: bool) -> None:
    assert is_small(model) is small

"""What an answer took: its tokens, and its price if anybody knows it."""

from __future__ import annotations

import pytest

from openhands_acp.engine.events import Usage
from openhands_acp.engine.messages import Message, SystemMessage, Text, UserMessage
from openhands_acp.engine.ports import Finish
from openhands_acp.engine.tool import TurnError
from openhands_acp.llm.model import ModelSettings
from openhands_acp.llm.via_litellm import LiteLLM
from tests.harness import replies as fake
from tests.harness.provider import Provider
from tests.harness.replies import Cut, Error, Event, Reply
from tests.llm.asking import KEY, PATIENT, answer

pytestmark = pytest.mark.anyio

COUNTED = fake.Usage(10_000, 1_000, cached=6_000, reasoning=400)
TOOL = 25
"""Tokens that the tool is taken for which is offered with each question."""
WRITTEN = fake.Usage(10_000, 1_000, cached=6_000, written=3_000)


def dollars(*priced: tuple[int, float]) -> float:
    """Tokens, and dollars for a million of them."""
    return sum(tokens * price for tokens, price in priced) / 1_000_000


@pytest.mark.parametrize(
    ("model", "counted", "usage"),
    [
        pytest.param(
            "openai/gpt-5",
            COUNTED,
            Usage(10_000, 1_000, 6_000, dollars((4_000, 1.25), (6_000, 0.125), (1_000, 10))),
            id="chat completions",
        ),
        pytest.param(
            "openai/responses/gpt-5",
            COUNTED,
            Usage(10_000, 1_000, 6_000, dollars((4_000, 1.25), (6_000, 0.125), (1_000, 10)), reasoning_tokens=400),
            id="responses",
        ),
        pytest.param(
            "anthropic/claude-sonnet-4-5",
            WRITTEN,
            Usage(10_000, 1_000, 6_000, dollars((1_000, 3), (6_000, 0.3), (3_000, 3.75), (1_000, 15)), 3_000),
            id="anthropic",
        ),
        pytest.param(
            "gemini/gemini-2.5-flash",
            COUNTED,
            Usage(10_000, 1_000, 6_000, dollars((4_000, 0.3), (6_000, 0.03), (1_000, 2.5)), reasoning_tokens=400),
            id="gemini",
        ),
        # For these LiteLLM would say that they cost nothing.
        pytest.param("openai/my-model", COUNTED, Usage(10_000, 1_000, 6_000, None), id="a model that nobody knows"),
        pytest.param(
            "gemini/gemini-3-pro-preview",
            COUNTED,
            Usage(10_000, 1_000, 6_000, None, reasoning_tokens=400),
            id="a model without a price",
        ),
        pytest.param("openai/gpt-5", None, None, id="a provider that does not count"),
    ],
)
async def test_what_was_counted_is_priced(model: str, counted: fake.Usage | None, usage: Usage | None) -> None:
    reply: Reply = [fake.Text("hi"), *([counted] if counted else [])]
    with Provider(reply) as provider:
        llm = LiteLLM(ModelSettings(model, KEY, provider.base_url(model), PATIENT))
        last = (await answer(llm))[-1]
    assert isinstance(last, Finish)
    if usage is None or last.usage is None or usage.cost_usd is None:
        assert last.usage == usage
    else:
        assert last.usage.cost_usd == pytest.approx(usage.cost_usd)
        assert Usage(*_counts(last.usage)) == Usage(*_counts(usage))


def _counts(usage: Usage) -> tuple[int, int, int, None, int, int]:
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        None,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )


@pytest.mark.parametrize(
    ("model", "read", "written"),
    [
        ("openai/gpt-5", 1.25, 10),
        ("openai/responses/gpt-5", 1.25, 10),
        ("anthropic/claude-sonnet-4-5", 3, 15),
        ("gemini/gemini-2.5-flash", 0.3, 2.5),
    ],
)
async def test_an_answer_that_broke_off_is_charged_for_by_its_length(model: str, read: float, written: float) -> None:
    prompt: list[Message] = [SystemMessage("s" * 3_500, ""), UserMessage((Text("p" * 3_500),))]
    with Provider([fake.Text("t" * 350), Cut()]) as provider, pytest.raises(TurnError) as raised:
        await answer(LiteLLM(ModelSettings(model, KEY, provider.base_url(model), PATIENT)), prompt)
    spent = raised.value.spent
    assert spent is not None
    assert (spent.input_tokens, spent.output_tokens) == (2_000 + TOOL, 100)
    assert spent.cost_usd == pytest.approx(dollars((2_000 + TOOL, read), (100, written)))


async def test_what_broke_off_before_its_beginning_cost_nothing() -> None:
    with Provider([Error(503, {"error": {"message": "busy"}})]) as provider, pytest.raises(TurnError) as raised:
        await answer(LiteLLM(ModelSettings("openai/gpt-5", KEY, provider.url)))
    assert raised.value.spent is None


async def test_a_provider_that_tells_what_it_took_is_believed() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.25}
    with Provider([fake.Text("hi"), fake.Finish("stop"), Event({"choices": [], "usage": usage})]) as provider:
        last = (await answer(LiteLLM(ModelSettings("openai/some-model", KEY, provider.url))))[-1]
    assert isinstance(last, Finish)
    assert last.usage == Usage(10, 5, 0, 0.25)

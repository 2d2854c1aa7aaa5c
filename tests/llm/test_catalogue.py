"""Which of LiteLLM's models are offered, and in which order."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from openhands_acp.engine.choices import Choice, meant
from openhands_acp.llm.catalogue import Known, by_provider, known
from openhands_acp.llm.via_litellm import entries, takes
from openhands_acp.providers import PROVIDERS

TODAY = date(2026, 11, 22)


def entry(provider: str = "p", **facts: Any) -> dict[str, Any]:
    return {"litellm_provider": provider, "mode": "chat", "supports_function_calling": True, **facts}


def names(table: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    return {name: [each.model for each in models] for name, models in by_provider(table, ("p", "q"), TODAY).items()}


@pytest.mark.parametrize(
    ("table", "offered"),
    [
        ({"p/a": entry(), "b": entry("q"), "c": entry("unknown")}, {"p": ["p/a"], "q": ["q/b"]}),
        ({"a": entry("p-some_models"), "b": entry("p_converse")}, {"p": ["p/b", "p/a"]}),
        ({"a": entry(mode="responses"), "b": entry(mode="embedding"), "c": entry(mode=None)}, {"p": ["p/a"]}),
        ({"a": entry(supports_function_calling=False), "b": entry(supports_function_calling=None)}, {}),
        (
            {"a": entry(deprecation_date="2026-11-22"), "b": entry(deprecation_date="2026-11-23")},
            {"p": ["p/b"]},
        ),
        ({"a": entry(deprecation_date="soon")}, {"p": ["p/a"]}),
        # One model by two names: the date says no more than the name without.
        (
            {"a-1": entry(), "a-1-2025-04-14": entry(), "a-1-20250414": entry(), "a-1@20250414": entry()},
            {"p": ["p/a-1"]},
        ),
        (
            {"a-2": entry(), "a-2-latest": entry(), "b-2512": entry(), "b-latest": entry()},
            {"p": ["p/a-2", "p/b-latest"]},
        ),
        ({"a-20250414": entry()}, {"p": ["p/a-20250414"]}),
        ({"a": entry(), "p/a": entry()}, {"p": ["p/a"]}),
        ({"ft:a": entry(), "a-audio": entry(), "a-search-preview": entry()}, {}),
        # The newest first, whatever they are called.
        (
            {name: entry() for name in ("gpt-5", "gpt-6", "gpt-5.10", "gpt-5.9", "o4-mini", "x", "x-70b", "y-4-1")},
            {"p": ["p/gpt-6", "p/gpt-5.10", "p/gpt-5.9", "p/gpt-5", "p/y-4-1", "p/o4-mini", "p/x-70b", "p/x"]},
        ),
    ],
)
def test_the_offer(table: dict[str, dict[str, Any]], offered: dict[str, list[str]]) -> None:
    assert names(table) == offered


def test_what_is_known_of_a_model() -> None:
    table = {"a": entry(max_input_tokens=9, input_cost_per_token=3e-06, output_cost_per_token=0), "q/b": entry("q")}
    assert [known(table, model, ("p", "q")) for model in ("a", "p/a", "q/b", "q/a", "b", "p/b")] == [
        *[Known("p/a", 9, 3.0, 0.0)] * 2,
        Known("q/b"),
        *[None] * 3,
    ]


def test_litellms_own_catalogue_gives_what_people_use_first() -> None:
    offered = by_provider(entries(), PROVIDERS, TODAY)
    assert all(model.model.startswith(f"{provider}/") for provider, models in offered.items() for model in models)
    assert all(takes(models[0].model) for provider, models in offered.items() if provider != "github_copilot")
    for provider, least in (("anthropic", 8), ("openai", 15), ("gemini", 10), ("mistral", 10), ("deepseek", 4)):
        assert len(offered[provider]) >= least
    claudes = [model.model for model in offered["anthropic"]]
    assert "anthropic/claude-sonnet-4-5" in claudes
    assert not any(name[-8:].isdecimal() for name in claudes)


CHOICES = [Choice(value, name) for value, name in (("a/x", "a/x"), ("a/x-mini", "a/x-mini"), ("profile:x", "x (a/y)"))]


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ("a/x", ["a/x"]),
        ("A/X", ["a/x"]),
        ("x", ["a/x", "profile:x"]),
        ("mini", ["a/x-mini"]),
        ("a/", ["a/x", "a/x-mini"]),
        ("x (a/y)", ["profile:x"]),
        ("y", []),
    ],
)
def test_what_is_typed_means_those_that_are_called_so_or_else_those_that_it_is_a_part_of(
    typed: str, values: list[str]
) -> None:
    assert [choice.value for choice in meant(typed, CHOICES)] == values

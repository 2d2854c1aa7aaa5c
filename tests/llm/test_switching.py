"""Another model takes over: what one signed goes back to it alone, and nobody refuses the conversation."""

from __future__ import annotations

import pytest

from openhands_acp.engine.messages import AssistantMessage, CallMade, JsonValue, ToolMessage
from tests.harness.provider import Provider
from tests.harness.replies import Call, Delta, Redacted, Reply, Text, Thought
from tests.llm.conversing import ANTHROPIC, CHAT, FAMILIES, GEMINI, RESPONSES, Conversing

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROUND: list[Reply] = [
    [Thought("first", "seal-1"), Text("I look."), Call("terminal", {"command": "ls"}), Call("terminal")],
    [Thought("second", "seal-2"), Call("terminal", {"command": "cat a"})],
    [Thought("third", "seal-3"), Text("Done.")],
    [Text("Yes.")],
]
SEALED = ["seal-1", "seal-2", "seal-3"]
SEALS = {CHAT: ["first", "second", "third"], RESPONSES: SEALED, ANTHROPIC: SEALED, GEMINI: SEALED}
"""What shows that a thought was given back: DeepSeek's are plain text."""


def found(sent: str, thoughts: list[str]) -> list[str]:
    return [thought for thought in thoughts if f'"{thought}"' in sent]


@pytest.mark.parametrize("boundary", [1, 2, 3])
@pytest.mark.parametrize("after", FAMILIES)
@pytest.mark.parametrize("before", FAMILIES)
async def test_a_conversation_goes_on_with_another_model(before: str, after: str, boundary: int) -> None:
    """Boundaries 1 and 2 are in the middle of a round; the provider's validators are strict, and all remember."""
    with Provider(*ROUND) as provider:
        conversing = Conversing(provider)
        for at in range(4):
            if at == 3:
                conversing.ask("sure?")
            await conversing.step(before if at < boundary else after)
        sent = [conversing.sent(at) for at in range(4)]
    for at in range(boundary):
        assert found(sent[at], SEALS[before]) == SEALS[before][:at]
    for at in range(boundary, 4):
        own = SEALS[before] if before == after else []
        # Claude thinks again from the next round on: this one has an answer without its thought in it.
        is_off = after == ANTHROPIC != before and at < 3
        assert found(sent[at], SEALS[before][:boundary]) == own[:boundary]
        assert found(sent[at], SEALS[after][boundary:]) == ([] if is_off else SEALS[after][boundary:at])


@pytest.mark.parametrize("after", FAMILIES)
@pytest.mark.parametrize("before", FAMILIES)
async def test_what_is_said_behind_results_that_nobody_answered_is_answered_by_another(before: str, after: str) -> None:
    """As where the process was killed, or where the person steers; the provider's validators are strict."""
    with Provider(*ROUND) as provider:
        conversing = Conversing(provider)
        await conversing.step(before)
        conversing.ask("and now?")
        await conversing.step(after)
        await conversing.step(after)
        conversing.ask("sure?")
        await conversing.step(after)
        own = [found(conversing.sent(at), SEALS[after]) for at in (2, 3)]
    first = 0 if before == after else 1
    # Claude thinks again from the next round on.
    is_off = after == ANTHROPIC != before
    assert own == [[] if is_off else SEALS[after][first:2], SEALS[after][first:]]


@pytest.mark.parametrize("other", FAMILIES)
@pytest.mark.parametrize("model", FAMILIES)
async def test_a_model_that_comes_back_reads_its_own_thoughts_and_no_others(model: str, other: str) -> None:
    """Each answer is another's, in one round."""
    with Provider(*ROUND) as provider:
        conversing = Conversing(provider)
        for each in (model, other, model):
            await conversing.step(each)
        conversing.ask("sure?")
        await conversing.step(model)
        last = found(conversing.sent(3), SEALS[model])
    mine = SEALS[model] if model == other else [SEALS[model][0], SEALS[model][2]]
    assert last == mine


async def test_what_anthropic_hid_goes_back_as_it_came() -> None:
    with Provider([Thought("hm", "seal"), Redacted("xyz"), Call("terminal")], [Text("Done.")]) as provider:
        conversing = Conversing(provider)
        await conversing.step(ANTHROPIC)
        await conversing.step(ANTHROPIC)
        assistant = provider.requests[1].body["messages"][1]
    assert assistant["content"][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "seal"},
        {"type": "redacted_thinking", "data": "xyz"},
    ]


async def test_a_journal_of_before_holds_claudes_blocks_without_saying_whose_they_are() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "seal"}]
    old = [AssistantMessage("", (CallMade("a", "terminal", "{}"),), "hm", blocks), ToolMessage("a", "terminal", "ran")]
    with Provider([Text("Yes.")], [Text("Yes.")]) as provider:
        claude, other = Conversing(provider), Conversing(provider)
        claude.messages += old
        other.messages += old
        await claude.step(ANTHROPIC)
        await other.step(CHAT)
        assert [found(claude.sent(at), ["seal"]) for at in range(2)] == [["seal"], []]


async def test_a_later_claude_thinks_on_in_a_round_that_another_began() -> None:
    model = "anthropic/claude-opus-4-6"
    with Provider(*ROUND) as provider:
        conversing = Conversing(provider)
        await conversing.step(CHAT)
        await conversing.step(model)
        await conversing.step(model)
        assert found(conversing.sent(2), SEALS[ANTHROPIC]) == ["seal-2"]
        assert provider.requests[2].body["thinking"]["type"] == "adaptive"


async def test_claude_behind_a_proxy_is_given_its_blocks_back() -> None:
    model = "openai/claude-behind-a-proxy"
    block = {"type": "thinking", "thinking": "hm"}
    signed = {"reasoning_content": "", "thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "seal"}]}
    thought = [Delta({"reasoning_content": "hm", "thinking_blocks": [block]}), Delta(signed)]
    with Provider([*thought, Call("terminal")], [Text("Done.")]) as provider:
        conversing = Conversing(provider)
        await conversing.step(model)
        await conversing.step(model)
        assistant = provider.requests[1].body["messages"][2]
    assert (assistant["reasoning_content"], assistant["thinking_blocks"]) == ("hm", [{**block, "signature": "seal"}])


async def test_thoughts_are_not_given_back_where_they_are_switched_off() -> None:
    with Provider(*ROUND) as provider:
        conversing = Conversing(provider)
        await conversing.step(ANTHROPIC)
        await conversing.step(ANTHROPIC, "off")
        await conversing.step(ANTHROPIC, "default")
        assert [found(conversing.sent(at), SEALS[ANTHROPIC]) for at in range(3)] == [[], [], []]


async def test_openrouter_is_given_its_details_back() -> None:
    model = "openrouter/anthropic/claude-sonnet-4.5"
    detail = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    thought = [Delta({"reasoning": text, "reasoning_details": [{**detail, "text": text}]}) for text in ("I ", "see")]
    signed = Delta({"reasoning_details": [{**detail, "signature": "seal"}]})
    with Provider([*thought, signed, Call("terminal")], [Text("Done.")], [Text("Yes.")]) as provider:
        conversing = Conversing(provider)
        await conversing.step(model)
        await conversing.step(model)
        await conversing.step(ANTHROPIC)
        assistant = provider.requests[1].body["messages"][2]
        assert found(conversing.sent(2), ["seal"]) == []
    assert assistant["reasoning_details"] == [{**detail, "text": "I see", "signature": "seal"}]


async def test_gemini_is_given_the_signature_of_a_call_on_the_call() -> None:
    with Provider([Thought("hm", "seal"), Call("terminal", id="one"), Call("terminal")], [Text("Done.")]) as provider:
        conversing = Conversing(provider)
        said = await conversing.step(GEMINI)
        await conversing.step(GEMINI)
        parts = provider.requests[1].body["contents"][1]["parts"]
    assert said.calls[0].id == "one"
    assert [part.get("thoughtSignature") for part in parts] == ["seal", None]


async def test_reasoning_whose_answer_was_cut_off_is_left_out() -> None:
    with Provider([Text("Yes.")]) as provider:
        conversing = Conversing(provider)
        blocks: dict[str, JsonValue] = {
            "form": "reasoning_items",
            "provider": "openai",
            "family": "gpt-5",
            "content": [
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "seal"},
                {"type": "message", "length": 3, "phase": "commentary"},
                {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "cut"},
            ],
        }
        conversing.messages.append(AssistantMessage("one\n\ntwo", (), "", blocks))
        conversing.ask("and?")
        await conversing.step(RESPONSES)
        items = provider.requests[0].body["input"]
    assert items[1:4] == [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "seal"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "one"}],
            "phase": "commentary",
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "two"}]},
    ]

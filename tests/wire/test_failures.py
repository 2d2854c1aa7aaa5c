"""Providers that fail, over real HTTP and a real process: each turn ends, says why in one sentence, and the next works."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from tests.harness.process import SETTINGS, Server, prompt, with_provider
from tests.harness.provider import Provider
from tests.harness.replies import Call, Json, Refusal, Reply, Reset, Stall, Text, Usage

FAILURES: dict[str, Reply] = {
    "silent": [Stall()],
    "stalls": [Text("One, "), Text("two, "), Text("three"), Stall()],
    "resets": [Text("Look."), Call("terminal", id="call_r", pieces=('{"comm', 'and": "touch here')), Reset()],
    "fails": [Refusal("server")],
    "overloaded": [Refusal("overloaded")],
    "limited": [Refusal("rate_limit", 1.0)],
    "recovers": [Refusal("server")],
    "exhausted": [Refusal("quota")],
}
"""What each model does, by its name."""


class Script:
    def __init__(self) -> None:
        self.asked = Counter[str]()

    def __call__(self, body: Json) -> Reply:
        model = body["model"]
        self.asked[model] += 1
        has_recovered = model == "recovers" and self.asked[model] == 2
        fine = [Text("Fine."), Usage(10, 2)]
        return fine if "again" in str(body["messages"][-1]["content"]) or has_recovered else FAILURES[model]


def choose(server: Server, session_id: str, model: str) -> None:
    params = {"sessionId": session_id, "configId": "model", "value": f"openai/{model}"}
    assert "result" in server.ask("session/set_config_option", params)


def ask_all(server: Server, sessions: dict[str, str], text: str) -> dict[str, list[str]]:
    """Prompt all sessions at once; return what each was told, with its calls, up to its one answer."""
    waiting = {server.put("session/prompt", prompt(session_id, text)): model for model, session_id in sessions.items()}
    models = {session_id: model for model, session_id in sessions.items()}
    told: dict[str, dict[str, str]] = {model: {} for model in sessions}
    while waiting:
        message = server.message()
        if message.get("id") in waiting:
            told[waiting.pop(message["id"])]["end"] = str(message["result"]["stopReason"])
        elif message.get("method") == "session/update":
            shown = told[models[message["params"]["sessionId"]]]
            assert "end" not in shown
            _take(shown, message["params"]["update"])
    return {model: [_steady(text) for text in shown.values()] for model, shown in told.items()}


def _take(shown: dict[str, str], update: dict[str, Any]) -> None:
    match update["sessionUpdate"]:
        case "agent_message_chunk":
            key = update["messageId"]
            shown[key] = shown.get(key, "") + update["content"]["text"]
        case "tool_call" | "tool_call_update":
            shown[update["toolCallId"]] = f"call {update['status']}"
        case _:
            pass


def _steady(text: str) -> str:
    """Leave out what chance decides."""
    text = re.sub(r"in \d s \(", "in N s (", text.strip())
    return re.sub(r"127\.0\.0\.1:\d+", "PROVIDER", text)


@pytest.mark.slow
def test_each_ends_with_one_reason_and_the_next_prompt_works(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / SETTINGS).parent.mkdir(parents=True)
    names = [f"openai/{model}" for model in FAILURES]
    (home / SETTINGS).write_text(
        f"titles = false\nretries = 1\nmodels = {names}\n[deadlines]\nfirst_token = 4\nbetween_chunks = 2\n"
    )
    script = Script()
    with Provider(script=script) as provider, Server(home, **with_provider(provider.url)) as server:
        server.initialize()
        sessions = {model: server.new_session(tmp_path) for model in FAILURES}
        for model, session_id in sessions.items():
            choose(server, session_id, model)
        assert ask_all(server, sessions, "go") == snapshot(
            {
                "silent": [
                    "The server at PROVIDER accepted the request, but silent sent nothing within 4 s. Trying again in N s (1 of 1).",
                    "The server at PROVIDER accepted the request, but silent sent nothing within 4 s. It was tried 2 times. Check whether the provider is overloaded, or raise the `first_token` deadline, then send the prompt again.",
                    "end_turn",
                ],
                "stalls": [
                    "One, two, three",
                    "The server at PROVIDER stopped sending: stalls was silent for 2 s in its answer. The answer begins anew in N s (1 of 1).",
                    "One, two, three",
                    "The server at PROVIDER stopped sending: stalls was silent for 2 s in its answer. It was tried 2 times. Check whether the provider is overloaded, or raise the `between_chunks` deadline, then send the prompt again.",
                    "end_turn",
                ],
                "resets": [
                    "Look.",
                    "call failed",
                    "The connection to the server at PROVIDER broke while resets was answering: the connection was reset. The answer begins anew in N s (1 of 1).",
                    "Look.",
                    "call failed",
                    "The connection to the server at PROVIDER broke while resets was answering: the connection was reset. It was tried 2 times. Check the network, then send the prompt again.",
                    "end_turn",
                ],
                "fails": [
                    "The server at PROVIDER failed while running fails (500): The server had an error while processing your request. Sorry about that! Trying again in N s (1 of 1).",
                    "The server at PROVIDER failed while running fails (500): The server had an error while processing your request. Sorry about that! It was tried 2 times. Wait a little, then send the prompt again.",
                    "end_turn",
                ],
                "overloaded": [
                    "The server at PROVIDER is overloaded and did not run overloaded (503): The engine is currently overloaded, please try again later. Trying again in N s (1 of 1).",
                    "The server at PROVIDER is overloaded and did not run overloaded (503): The engine is currently overloaded, please try again later. It was tried 2 times. Wait a little, then send the prompt again.",
                    "end_turn",
                ],
                "limited": [
                    "The server at PROVIDER limits how often limited may be asked (429): Rate limit reached for limited in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 1s. Visit… Trying again in N s (1 of 1).",
                    "The server at PROVIDER limits how often limited may be asked (429): Rate limit reached for limited in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 1s. Visit https://platform.openai.com/account/rate-limits to learn more. It was tried 2 times. Wait 1 s, then send the prompt again.",
                    "end_turn",
                ],
                "recovers": [
                    "The server at PROVIDER failed while running recovers (500): The server had an error while processing your request. Sorry about that! Trying again in N s (1 of 1).",
                    "Fine.",
                    "end_turn",
                ],
                "exhausted": [
                    "The server at PROVIDER says that the quota for exhausted is used up (429): You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors. Add credit or choose another model, then send the prompt again.",
                    "end_turn",
                ],
            }
        )
        assert script.asked == snapshot(
            Counter(
                {
                    "silent": 2,
                    "stalls": 2,
                    "resets": 2,
                    "fails": 2,
                    "overloaded": 2,
                    "limited": 2,
                    "recovers": 2,
                    "exhausted": 1,
                }
            )
        )
        assert ask_all(server, sessions, "again") == {model: ["Fine.", "end_turn"] for model in FAILURES}
    assert not (tmp_path / "here").exists()

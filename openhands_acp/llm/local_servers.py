"""Servers of models on this machine: what they offer, and how much of a conversation each model reads.

Asks whoever answers at an address; knows Ollama, LM Studio, llama.cpp and vLLM by what they say. Blocks, so it is
called in a thread. A proxy that is set for the network is not asked: these are no addresses of the network.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from openhands_acp.llm.fields import count, table, tables, text

PATIENCE = 0.3
"""Seconds that an address gets to answer a question."""
_MOST = 4 << 20
"""Bytes of an answer."""
_OLLAMAS_USUAL = 32_768
"""Tokens that Ollama is asked to read where nobody said how many: it would read 4,096, which no agent can work in."""


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    """As people call it."""
    provider: str
    """As LiteLLM calls it."""
    path: str
    """Of its API, behind the address."""
    port: int


OLLAMA = Kind("Ollama", "ollama_chat", "", 11434)
LM_STUDIO = Kind("LM Studio", "lm_studio", "/v1", 1234)
LLAMA_CPP = Kind("llama.cpp", "llamafile", "/v1", 8080)
VLLM = Kind("vLLM", "hosted_vllm", "/v1", 8000)
KINDS = {"ollama": OLLAMA, **{kind.provider: kind for kind in (OLLAMA, LM_STUDIO, LLAMA_CPP, VLLM)}}
"""By all that LiteLLM calls them."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model that a server offers."""

    name: str
    kind: Kind
    address: str
    window: int | None = None
    """Tokens it reads, as far as the list says; Ollama is asked for it by itself (`window`)."""

    @property
    def base_url(self) -> str:
        return f"{_bare(self.address)}{self.kind.path}"

    @property
    def value(self) -> str:
        """PROVIDER/NAME, with the address behind it where it is not the usual one."""
        return f"{self.kind.provider}/{self.name}" + (
            "" if _is_usual(self.kind, self.address) else f"@{_place(self.address)}"
        )


def located(value: str, addresses: Sequence[str]) -> Found | None:
    """Tell where the model of a `Found.value` is, without asking; None if no server is known that it could be on.

    `addresses` are those that are looked at; one of a kind's usual port counts for it.
    """
    provider, slash, rest = value.partition("/")
    kind = KINDS.get(provider)
    if kind is None or not slash:
        return None
    name, at, place = rest.rpartition("@")
    if at:
        return next((Found(name, kind, address) for address in addresses if _place(address) == place), None)
    return next((Found(rest, kind, address) for address in addresses if _is_usual(kind, address)), None)


def models_at(address: str, patience: float | None = None) -> tuple[Found, ...]:
    """List what the server at an address offers; nothing if none that is known answers in time."""
    port = urlsplit(address).port
    # A stranger's server on a usual port is asked one thing, which it can answer with "not found".
    asks = {OLLAMA.port: (_ollama, _openai), LM_STUDIO.port: (_lm_studio, _openai)}.get(port or 0, (_openai,))
    for ask in asks:
        if found := list(ask(_asker(address, patience), address)):
            return tuple(found)
    return ()


def window_of(found: Found, patience: float | None = None) -> int | None:
    """Return the tokens that a model reads; None if the server does not say."""
    if found.kind is not OLLAMA:
        return found.window or window_at(found.address, found.name, patience)
    ask = _asker(found.address, patience)
    for loaded in tables(ask("/api/ps").get("models")):
        if found.name in (loaded.get("name"), loaded.get("model")) and (window := count(loaded, "context_length")):
            return window
    shown = ask("/api/show", {"model": found.name})
    for line in str(shown.get("parameters", "")).splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx" and value.strip().isdecimal():
            return int(value)
    facts = table(shown.get("model_info"))
    most = next((count(facts, name) for name in facts if name.endswith(".context_length")), None)
    return min(most, _OLLAMAS_USUAL) if most else None


def window_at(base_url: str, name: str, patience: float | None = None) -> int | None:
    """Return the tokens that a model reads at an address of which nothing else is known; None: it does not say.

    Ollama is not believed: behind this protocol it reads less than it can, and cannot be asked for more.
    """
    offered = models_at(base_url, patience)
    # llama.cpp has one, whatever it is called in a request.
    return next((each.window for each in offered if each.name == name or len(offered) == 1), None)


# ---------------------------------------------------------------- each kind


_Ask = Callable[..., dict[str, Any]]


def _ollama(ask: _Ask, address: str) -> Iterator[Found]:
    for model in tables(ask("/api/tags").get("models")):
        if name := text(model, "name"):
            yield Found(name, OLLAMA, address)


def _lm_studio(ask: _Ask, address: str) -> Iterator[Found]:
    for model in tables(ask("/api/v0/models").get("data")):
        name = text(model, "id")
        if name and model.get("type") != "embeddings":
            window = count(model, "loaded_context_length") or count(model, "max_context_length")
            yield Found(name, LM_STUDIO, address, window)


def _openai(ask: _Ask, address: str) -> Iterator[Found]:
    """Ask what all of them answer, and tell from it who it is."""
    models = [(name, model) for model in tables(ask("/v1/models").get("data")) if (name := text(model, "id"))]
    owners = {str(model.get("owned_by", "")).lower() for _, model in models}
    if "vllm" in owners:
        for name, model in models:
            yield Found(name, VLLM, address, count(model, "max_model_len"))
    elif "llamacpp" in owners:
        props = ask("/props")
        window = count(table(props.get("default_generation_settings")), "n_ctx") or count(props, "n_ctx")
        for name, _ in models:
            yield Found(name, LLAMA_CPP, address, window)
    elif models:
        theirs = [*_lm_studio(ask, address)] or [*_ollama(ask, address)]
        # Whoever else speaks OpenAI's protocol does so as vLLM does.
        yield from theirs or [Found(name, VLLM, address, count(model, "max_model_len")) for name, model in models]


def _is_usual(kind: Kind, address: str) -> bool:
    parts = urlsplit(address)
    return parts.port == kind.port and parts.hostname in ("127.0.0.1", "localhost", "::1")


def _bare(address: str) -> str:
    """Take off what people write behind an address because LLM_BASE_URL wants it."""
    return address.rstrip("/").removesuffix("/v1")


def _place(address: str) -> str:
    return urlsplit(address).netloc.rpartition("@")[2]


# ---------------------------------------------------------------- HTTP


def _asker(address: str, patience: float | None) -> _Ask:
    """Return what asks the server for a JSON object; {} where it does not give one in time."""
    seconds = PATIENCE if patience is None else patience

    def ask(path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            return table(json.loads(_answer(address, path, body, monotonic() + seconds)))
        except (OSError, HTTPException, ValueError, RecursionError):
            return {}

    return ask


def _answer(address: str, path: str, body: Mapping[str, Any] | None, until: float) -> bytes:
    parts = urlsplit(_bare(address))
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=max(0.001, until - monotonic()))
    try:
        connection.request(
            "POST" if body is not None else "GET",
            parts.path + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Connection": "close"},
        )
        response = connection.getresponse()
        if response.status != 200:
            raise ValueError(f"status {response.status}")
        said = bytearray()
        # In pieces: the connection's own limit is for each wait, and a server that dribbles keeps within it.
        while piece := response.read1(65_536):
            said += piece
            if len(said) > _MOST or monotonic() > until:
                raise TimeoutError
        return bytes(said)
    finally:
        connection.close()

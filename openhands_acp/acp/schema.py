"""What clients send, as far as we read it (ACP 1, schema/v1/schema.json).

Lenient where the schema says so: unknown members are ignored, `null` is absence.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openhands_acp.engine.messages import JsonObject
from openhands_acp.rpc.errors import INVALID_PARAMS, RpcError

_LENIENT = ConfigDict(defer_build=True)
"""Validators are made when they are first used, which spreads what they cost."""


class TextBlock(BaseModel):
    model_config = _LENIENT
    type: Literal["text"]
    text: str


class ImageBlock(BaseModel):
    model_config = _LENIENT
    type: Literal["image"]
    data: str
    mimeType: str


class AudioBlock(BaseModel):
    model_config = _LENIENT
    type: Literal["audio"]
    data: str
    mimeType: str


class ResourceLinkBlock(BaseModel):
    model_config = _LENIENT
    type: Literal["resource_link"]
    uri: str
    name: str


class TextResource(BaseModel):
    model_config = _LENIENT
    uri: str
    text: str


class BlobResource(BaseModel):
    model_config = _LENIENT
    uri: str
    blob: str
    mimeType: str | None = None


class ResourceBlock(BaseModel):
    model_config = _LENIENT
    type: Literal["resource"]
    resource: TextResource | BlobResource


ContentBlock: TypeAlias = TextBlock | ImageBlock | AudioBlock | ResourceLinkBlock | ResourceBlock


class NewSession(BaseModel):
    # Made at import, right behind `initialize`: every client asks for this next.
    cwd: str
    mcpServers: list[dict[str, Any]] | None = None
    additionalDirectories: list[str] | None = None


class KeptSession(BaseModel):
    """Parameters of load, resume and fork."""

    model_config = _LENIENT
    sessionId: str
    cwd: str
    mcpServers: list[dict[str, Any]] | None = None
    additionalDirectories: list[str] | None = None
    meta: Any = Field(default=None, alias="_meta")
    """Lenient: whatever is no object is none."""


class ListSessions(BaseModel):
    model_config = _LENIENT
    cwd: str | None = None
    cursor: str | None = None


class OfSession(BaseModel):
    """Parameters that only name their session."""

    model_config = _LENIENT
    sessionId: str


class Prompt(BaseModel):
    model_config = _LENIENT
    sessionId: str
    prompt: list[Annotated[ContentBlock, Field(discriminator="type")]]
    meta: Any = Field(default=None, alias="_meta")


class SetMode(BaseModel):
    model_config = _LENIENT
    sessionId: str
    modeId: str


class SetConfigOption(BaseModel):
    model_config = _LENIENT
    sessionId: str
    configId: str
    value: Any


class Authenticate(BaseModel):
    model_config = _LENIENT
    methodId: str


P = TypeVar("P", bound=BaseModel)


def read(model: type[P], params: JsonObject) -> P:
    """Validate a method's parameters. Raises RpcError that names each field and what is wrong with it."""
    try:
        return model.model_validate(params)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(step) for step in problem['loc'])}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise RpcError(INVALID_PARAMS, "; ".join(problems)) from error

"""How each provider says no: status, headers and body, as the real ones send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias, assert_never

from tests.harness.replies import Error, Json, Kind, openai_error

Protocol: TypeAlias = Literal["chat", "azure", "responses", "anthropic", "gemini", "ollama"]


def refusal(protocol: Protocol, kind: Kind, model: str, wait: float | None = None) -> Error:
    match protocol:
        case "chat":
            table = _chat(model, wait)
        case "azure":
            table = _azure(wait)
        case "responses":
            table = _chat(model, wait) | _responses()
        case "anthropic":
            table = _anthropic(model, wait)
        case "gemini":
            table = _gemini(model, wait)
        case "ollama":
            table = _ollama(model)
        case _:
            assert_never(protocol)
    return (_SAME_FOR_ALL | table)[kind]


def page(title: str) -> str:
    """What a proxy answers in the provider's place."""
    body = f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx/1.27.0</center>"
    return f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n{body}\r\n</body>\r\n</html>\r\n"


def invalid(protocol: Protocol, fault: str) -> Error:
    """Refuse a request that is not valid, as each provider does."""
    match protocol:
        case "chat" | "azure" | "responses":
            return openai_error(400, fault)
        case "anthropic":
            return anthropic_error(400, "invalid_request_error", fault)
        case "gemini":
            return gemini_error(400, "INVALID_ARGUMENT", fault)
        case "ollama":
            return Error(400, {"error": fault})
        case _:
            assert_never(protocol)


def broken(protocol: Protocol, kind: Literal["overloaded", "server"]) -> Json:
    """Spell an error in the middle of a stream that began well."""
    whole = refusal(protocol, kind, "").body
    assert isinstance(whole, dict)
    if protocol == "responses":
        code = "server_error" if kind == "server" else "server_is_overloaded"
        error = {"code": code, "message": whole["error"]["message"]}
        return {"type": "response.failed", "response": {"error": error}}
    return whole


# ---------------------------------------------------------------- whoever it is

_SAME_FOR_ALL: dict[Kind, Error] = {
    "proxy": Error(502, page("502 Bad Gateway")),
    "timeout": Error(504, page("504 Gateway Time-out")),
    "empty": Error(200, "", {"content-type": "text/event-stream"}),
}


def _retry_after(wait: float | None) -> dict[str, str]:
    return {} if wait is None else {"retry_after": f"{wait:g}"}


# ---------------------------------------------------------------- Ollama


def _ollama(model: str) -> dict[Kind, Error]:
    # The first three are of its cloud; on a machine of one's own it asks for no key, and leaves out what is too long.
    return {
        "auth": Error(401, {"error": "unauthorized"}),
        "forbidden": Error(403, {"error": "this model requires a subscription, upgrade for access"}),
        "quota": Error(429, {"error": "you've reached your hourly usage limit, please upgrade to continue"}),
        "rate_limit": Error(429, {"error": "too many concurrent requests"}),
        "context": Error(400, {"error": "prompt too long; exceeded max context length by 1200 tokens"}),
        "model": Error(404, {"error": f"model '{model}' not found"}),
        "request": Error(400, {"error": f"registry.ollama.ai/library/{model} does not support tools"}),
        "overloaded": Error(503, {"error": "server busy, please try again.  maximum pending requests exceeded"}),
        "server": Error(500, {"error": "llama runner process has terminated: exit status 2"}),
    }


# ---------------------------------------------------------------- OpenAI


def _chat(model: str, wait: float | None) -> dict[Kind, Error]:
    limited = (
        f"Rate limit reached for {model} in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, "
        f"Requested 2000. {'' if wait is None else f'Please try again in {wait:g}s. '}"
        "Visit https://platform.openai.com/account/rate-limits to learn more."
    )
    resets = {} if wait is None else {"x_ratelimit_reset_tokens": f"{wait:g}s", **_retry_after(wait)}
    return {
        "auth": openai_error(
            401,
            "Incorrect API key provided: sk-proj-********ijkl. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            "invalid_api_key",
        ),
        "forbidden": openai_error(403, f"Project `proj_1` does not have access to model `{model}`", "model_not_found"),
        "quota": openai_error(
            429,
            "You exceeded your current quota, please check your plan and billing details. For more information "
            "on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
            "insufficient_quota",
            "insufficient_quota",
        ),
        "rate_limit": openai_error(429, limited, "rate_limit_exceeded", "tokens", **resets),
        "context": openai_error(
            400,
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130562 tokens "
            "(129562 in the messages, 1000 in the functions). Please reduce the length of the messages or functions.",
            "context_length_exceeded",
        ),
        "model": openai_error(
            404, f"The model `{model}` does not exist or you do not have access to it.", "model_not_found"
        ),
        "content_filter": openai_error(
            400,
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. "
            "Please try again with a different prompt.",
            "invalid_prompt",
        ),
        "request": openai_error(
            400, "Unsupported parameter: 'temperature' is not supported with this model.", "unsupported_parameter"
        ),
        "overloaded": openai_error(
            503,
            "The engine is currently overloaded, please try again later",
            kind="server_error",
            **_retry_after(wait),
        ),
        "server": openai_error(
            500, "The server had an error while processing your request. Sorry about that!", kind="server_error"
        ),
    }


def _responses() -> dict[Kind, Error]:
    text = "Your input exceeds the context window of this model. Please adjust your input and try again."
    return {"context": openai_error(400, text, "context_length_exceeded")}


# ---------------------------------------------------------------- Azure


def _azure(wait: float | None) -> dict[Kind, Error]:
    """OpenAI's errors where the model speaks, and others where the service around it does."""
    version = "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21"
    tier = "rate limit of your current OpenAI S0 pricing tier"
    more = (
        "Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit."
    )
    action = "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action"
    key = (
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
        "active subscription and use a correct regional API endpoint for your resource."
    )
    filtered: Json = {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. "
        "Please modify your prompt and retry. To learn more about our content filtering policies please read our "
        "documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
        },
    }
    return {
        "auth": _azure_error(401, "401", key),
        "forbidden": _azure_error(
            403,
            "PermissionDenied",
            f"The principal `9c5b` lacks the required data action `{action}` to perform "
            "`POST /openai/deployments/{deployment-id}/chat/completions` operation.",
        ),
        "quota": _azure_error(
            429, "429", f"{version} have exceeded token {tier}. Please retry after 86400 seconds. {more}", wait=86400
        ),
        "rate_limit": _azure_error(
            429,
            "429",
            f"{version} have exceeded call {tier}. Please retry after {wait or 1:g} seconds. {more}",
            wait=wait,
        ),
        "context": openai_error(
            400,
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 10015 tokens. "
            "Please reduce the length of the messages.",
            "context_length_exceeded",
        ),
        "model": _azure_error(
            404,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment within the last "
            "5 minutes, please wait a moment and try again.",
        ),
        "content_filter": Error(400, {"error": filtered}),
        "request": openai_error(400, "Unrecognized request argument supplied: colour"),
        "overloaded": _azure_error(
            503,
            "ServiceUnavailable",
            "The service is temporarily unable to process your request. Please try again later.",
        ),
        "server": _azure_error(
            500, "InternalServerError", "The server had an error processing your request. Sorry about that!"
        ),
        "timeout": _azure_error(408, "Timeout", "The operation was timeout."),
    }


def _azure_error(status: int, code: str, message: str, wait: float | None = None) -> Error:
    headers = {} if wait is None else {"retry-after": f"{wait:g}"}
    return Error(status, {"error": {"code": code, "message": message}}, headers)


# ---------------------------------------------------------------- Anthropic


def anthropic_error(status: int, kind: str, message: str, **headers: str) -> Error:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return Error(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def _anthropic(model: str, wait: float | None) -> dict[Kind, Error]:
    until = datetime.now(UTC) + timedelta(seconds=wait or 0)
    resets = {} if wait is None else {"anthropic_ratelimit_input_tokens_reset": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    spent = (
        "Your credit balance is too low to access the Anthropic API. "
        "Please go to Plans & Billing to upgrade or purchase credits."
        if wait is None
        else "You have reached your specified API usage limits. "
        f"You will regain access on {until:%Y-%m-%d at %H:%M} UTC."
    )
    return {
        "auth": anthropic_error(401, "authentication_error", "invalid x-api-key"),
        "forbidden": anthropic_error(
            403, "permission_error", "Your API key does not have permission to use the specified resource."
        ),
        "quota": anthropic_error(400, "invalid_request_error", spent),
        "rate_limit": anthropic_error(
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 30,000 input tokens per minute.",
            **_retry_after(wait),
            **resets,
        ),
        "context": anthropic_error(400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
        "model": anthropic_error(404, "not_found_error", f"model: {model}"),
        "content_filter": anthropic_error(400, "invalid_request_error", "Output blocked by content filtering policy"),
        "request": anthropic_error(400, "invalid_request_error", "temperature: range: 0..1"),
        "overloaded": anthropic_error(529, "overloaded_error", "Overloaded", **_retry_after(wait)),
        "server": anthropic_error(500, "api_error", "Internal server error"),
        "timeout": anthropic_error(504, "timeout_error", "Request timed out"),
    }


# ---------------------------------------------------------------- Gemini


def gemini_error(status: int, name: str, message: str, *details: Json) -> Error:
    body: Json = {"error": {"code": status, "message": message, "status": name}}
    if details:
        body["error"]["details"] = [
            {**each, "@type": f"type.googleapis.com/google.rpc.{each['@type']}"} for each in details
        ]
    return Error(status, body)


def _gemini(model: str, wait: float | None) -> dict[Kind, Error]:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": model}
    return {
        "auth": gemini_error(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            {"@type": "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
        ),
        "forbidden": gemini_error(
            403,
            "PERMISSION_DENIED",
            "Generative Language API has not been used in project 123 before or it is disabled.",
            {"@type": "ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com"},
        ),
        "quota": _exhausted("PerDay", "250", model, wait),
        "rate_limit": _exhausted("PerMinute", "10", model, wait),
        "context": gemini_error(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1248101) exceeds the maximum number of tokens allowed (1048576).",
        ),
        "model": gemini_error(
            404,
            "NOT_FOUND",
            f"models/{model} is not found for API version v1beta, or is not supported for generateContent. "
            "Call ListModels to see the list of available models and their supported methods.",
        ),
        "content_filter": Error(200, f"data: {json.dumps(blocked)}\r\n\r\n", {"content-type": "text/event-stream"}),
        "request": gemini_error(
            400, "INVALID_ARGUMENT", 'Invalid JSON payload received. Unknown name "colour": Cannot find field.'
        ),
        "overloaded": gemini_error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        "server": gemini_error(500, "INTERNAL", "An internal error has occurred. Please retry."),
        "timeout": gemini_error(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    }


def _exhausted(period: str, limit: str, model: str, wait: float | None) -> Error:
    """Gemini says `quota` of every limit, and tells which in the details."""
    text = (
        "You exceeded your current quota, please check your plan and billing details. For more information on this "
        "error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: "
        f"generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: {limit}, model: {model}"
    )
    named = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": f"GenerateRequests{period}PerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": limit,
    }
    details: list[Json] = [{"@type": "QuotaFailure", "violations": [named]}]
    if wait is not None:
        text += f"\nPlease retry in {wait:g}s."
        details.append({"@type": "RetryInfo", "retryDelay": f"{wait:g}s"})
    return gemini_error(429, "RESOURCE_EXHAUSTED", text, *details)

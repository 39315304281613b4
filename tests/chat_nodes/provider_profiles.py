"""Twelve providers as public documents and reports describe them: their checks and answers.

The checks are in `provider_checks`; this module has each provider's format of errors and answers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chat_nodes.provider_checks import (
    DETAILS,
    STRICT,
    Check,
    Refused,
    content_is_text,
    details_come_back,
    ids_of_nine,
    known_keys,
    no_empty_text,
    no_ids_over_40,
    no_max_tokens,
    no_null,
    no_schema_extras,
    no_temperature,
    plain_messages,
    signature_comes_back,
    thinking_comes_back,
)

# Formats of errors.


def object_error(refused: Refused) -> object:
    """OpenAI: all four keys, always [doc]."""
    kind = "invalid_request_error"
    fields = {
        "message": refused.message,
        "type": kind,
        "param": refused.param,
        "code": refused.code,
    }
    return {"error": fields}


def azure_error(refused: Refused) -> object:
    """Azure: with the status inside [report]."""
    fields = {
        "message": refused.message,
        "param": refused.param,
        "code": refused.code,
        "type": None,
    }
    return {"error": {**fields, "status": refused.status}}


def array_error(refused: Refused) -> object:
    """Gemini: an array, with RetryInfo [report]."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.05s"}]
    return [
        {
            "error": {
                "code": refused.status,
                "message": refused.message,
                "status": "INVALID_ARGUMENT",
                "details": details if refused.status == 429 else [],
            }
        }
    ]


def detail_error(refused: Refused) -> object:
    """Mistral: a list of details under 422, flat otherwise [report]."""
    if refused.status == 422:
        place = ["body", *str(refused.param).split(".")]
        detail = {"type": "extra_forbidden", "loc": place, "msg": "Extra inputs are not permitted"}
        return {"object": "error", "message": {"detail": [detail]}, "param": None, "code": None}
    return {"object": "error", "message": refused.message, "type": "x", "code": refused.code}


def bare_error(refused: Refused) -> object:
    """Groq: without `param` [report]."""
    return {"error": {"message": refused.message, "type": "invalid_request_error"}}


def wrapped_error(refused: Refused) -> object:
    """OpenRouter: the upstream's error in `metadata.raw` [report]."""
    raw = json.dumps({"error": {"message": refused.message, "param": refused.param}})
    metadata = {"raw": raw, "provider_name": "Upstream"}
    fields = {"code": refused.status, "message": "Provider returned error", "metadata": metadata}
    return {"error": fields}


def flat_error(refused: Refused) -> object:
    """Older vLLM and SGLang [report]."""
    return {"object": "error", "message": refused.message, "code": refused.status, "param": None}


def coded_error(refused: Refused) -> object:
    """llama.cpp: an integer code [doc]."""
    return {"error": {"code": refused.status, "message": refused.message, "type": "x"}}


def text_error(refused: Refused) -> object:
    """LM Studio: only a text [report]."""
    return {"error": refused.message}


SIGNATURE = {"extra_content": {"google": {"thought_signature": "c2lnbmF0dXJl"}}}
THOUGHT = "First I look at what I hold."
UNKNOWN_NAME = 'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'


BUSY = Refused(503, "overloaded")


@dataclass(frozen=True, slots=True)
class Provider:
    """The behaviour of one provider.

    Attributes:
        checks: Checks of a request, in order; the first refusal counts.
        error: Converts a refusal to the provider's format.
        fault: The answer to the very first request: a transient fault.
        fault_headers: Headers of that answer.
        message: Further fields of every answer's message.
        call: Further fields of an answer's first call.
        finish: The finish reason of an answer with calls.
        ids: Pattern of its tool call ids.
        prefix: Bytes before the JSON.
        broken: Form in which it returns a call whose arguments are not JSON.
    """

    name: str
    checks: Sequence[Check]
    error: Callable[[Refused], object] = object_error
    fault: Refused = BUSY
    fault_status: int | None = None
    fault_headers: Mapping[str, str] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    finish: str | None = "tool_calls"
    ids: str = "call_{}"
    prefix: bytes = b""
    broken: str = "arguments"
    usage: Mapping[str, Any] = field(
        default_factory=lambda: {"prompt_tokens": 2000, "completion_tokens": 40}
    )


OPENAI_KEYS = ("temperature", "seed", "max_tokens", "max_completion_tokens", "reasoning_effort")
PROVIDERS = {
    p.name: p
    for p in (
        Provider(
            "openai",
            (no_max_tokens, no_temperature, known_keys(*OPENAI_KEYS), no_ids_over_40, *STRICT),
            fault=Refused(429, "Rate limit reached", None, "rate_limit_exceeded"),
            fault_headers={"retry-after-ms": "20"},
        ),
        Provider(
            "azure",
            (no_max_tokens, known_keys(*OPENAI_KEYS), no_ids_over_40, *STRICT),
            error=azure_error,
            fault_headers={"retry-after": "0.02"},
        ),
        Provider(
            "deepseek",
            (thinking_comes_back, *STRICT),
            message={"reasoning_content": THOUGHT},
            prefix=b"\n\n\n",
            usage={"prompt_tokens": 2000, "completion_tokens": 40, "prompt_cache_hit_tokens": 512},
        ),
        Provider(
            "gemini",
            (
                known_keys("temperature", "max_tokens", words=UNKNOWN_NAME),
                no_schema_extras,
                signature_comes_back,
                *STRICT,
            ),
            error=array_error,
            fault=Refused(429, "You exceeded your current quota, please check your plan"),
            call=SIGNATURE,
            finish="stop",
        ),
        Provider(
            "anthropic",
            (no_empty_text, *STRICT),
            fault=Refused(529, "Overloaded", None, "overloaded_error"),
            ids="toolu_{}",
        ),
        Provider(
            "mistral",
            (
                known_keys("temperature", "max_tokens", "random_seed", status=422),
                plain_messages(422, "{name}"),
                ids_of_nine,
                *STRICT,
            ),
            error=detail_error,
            fault=Refused(429, "Requests rate limit exceeded"),
            message={"content": [{"type": "text", "text": "I act."}]},
            ids="aBcD{:05d}",
        ),
        Provider(
            "groq",
            (
                plain_messages(400, "'messages.{i}' : property '{name}' is unsupported"),
                no_ids_over_40,
                *STRICT,
            ),
            error=bare_error,
            fault=Refused(498, "capacity exceeded"),
            message={"reasoning": THOUGHT},
            broken="tool_use_failed",
        ),
        Provider(
            "openrouter",
            (details_come_back, *STRICT),
            error=wrapped_error,
            fault=Refused(502, "Network connection lost."),
            fault_status=200,
            message={"reasoning": THOUGHT, "reasoning_details": DETAILS},
            ids="",
        ),
        Provider(
            "vllm", STRICT, error=flat_error, message={"reasoning": THOUGHT}, ids="chatcmpl-tool-{}"
        ),
        Provider(
            "ollama",
            (content_is_text, *STRICT),
            fault=Refused(500, "llama runner process has terminated"),
            message={"reasoning": THOUGHT, "content": ""},
            finish=None,
        ),
        Provider(
            "llamacpp",
            STRICT,
            error=coded_error,
            fault=Refused(503, "Loading model"),
            message={"reasoning_content": THOUGHT},
            usage={},
        ),
        Provider(
            "lmstudio",
            (no_null, *STRICT),
            error=text_error,
            ids="36517448{}",
            broken="text",
        ),
    )
}

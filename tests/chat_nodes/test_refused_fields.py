"""A refusal that names a field of the request is about that field, whatever its text."""

from typing import Any

import pytest
from pydantic import JsonValue

from arena.messages import Cause
from chat_nodes.adaptations import adapt
from chat_nodes.dialect import Dialect, RefusedRequest
from chat_nodes.refusals import Refusal, read_refusal
from chat_nodes.refused_fields import is_blamed
from tests.chat_nodes.example_errors import body, error

OPTIONS: dict[str, JsonValue] = {
    "temperature": 0.3,
    "seed": 7,
    "top_p": 0.9,
    "max_tokens": 900,
    "stop": ["x"],
}


def read_with_options(status: int, form: bytes, waits: bool = False) -> Refusal:
    """The refusal of a request with all of these options."""
    return read_refusal(status, form, sent=OPTIONS, has_wait_header=waits)


def adaptation_phrase(
    status: int, form: bytes, options: dict[str, JsonValue] | None = None
) -> str | None:
    """The phrase of the adaptation after a refusal."""
    sent = RefusedRequest(options or dict(OPTIONS), has_calls=True)
    found = adapt(Dialect(), read_refusal(status, form, sent=sent.options), sent)
    return found and found[1]


MISLEADING = (
    "For model stub, the parameter {} is not available.",
    "model stub: {} 0.3 is not a valid value, only 1 is supported",
    "Model stub: field {} not found in the request schema",
    "Unauthorized parameter: {}. Remove it from the request.",
    "parameter {} is flagged as deprecated and will be refused",
    "parameter '{}' must be omitted: it requires moderation of sampling",
    "The model does not exist with the option {}",
    "Invalid authentication of the parameter {}",
    "No more credits are spent on parameter {}",
    "parameter `{}`: no route for this value",
    "The content filter does not take the argument '{}'",
    "unknown model parameter {}",
)


@pytest.mark.parametrize("words", MISLEADING)
@pytest.mark.parametrize("name", ["temperature", "seed", "top_p"])
@pytest.mark.parametrize("kind", ["param", "loc", "words"])
@pytest.mark.parametrize("status", [400, 422])
def test_named_option_is_adapted(words: str, name: str, kind: str, status: int) -> None:
    """It is not a wrong key, model, filter, account or path."""
    text = words.format(name)
    forms = {
        "param": error(text, param=name, code="unsupported_parameter"),
        "loc": body({"detail": [{"loc": ["body", name], "msg": text, "type": "x"}]}),
        "words": error(text),
    }

    found = read_with_options(status, forms[kind])

    assert (Cause.REFUSED_REQUEST, False, True) == (found.cause, found.retryable, found.adaptable)
    assert f"without {name}" == adaptation_phrase(status, forms[kind])


@pytest.mark.parametrize(
    ("status", "form", "cause"),
    [
        (401, error("Unauthorized parameter seed", param="seed"), Cause.AUTH),
        (403, error("parameter seed is forbidden", param="seed"), Cause.FORBIDDEN),
        (404, error("The model `m` does not exist", param="seed"), Cause.MODEL_NOT_FOUND),
        (400, error("The model `m` does not exist", param="model"), Cause.MODEL_NOT_FOUND),
        (400, error("model is not a valid parameter", param="model"), Cause.MODEL_NOT_FOUND),
        (400, error("The prompt was flagged as unsafe", param="prompt"), Cause.CONTENT_FILTER),
        (400, error("stop", param="prompt", code="content_filter"), Cause.CONTENT_FILTER),
        (400, error("Invalid API key; seed=7, max_tokens=900"), Cause.AUTH),
        (400, error('Invalid API key for {"temperature": 0.3, "top_p": 0.9}'), Cause.AUTH),
        (400, error("the parameter seed is fine", code="invalid_api_key"), Cause.AUTH),
        (400, error("Credit balance is too low for max_tokens"), Cause.QUOTA),
        (400, error("Invalid model: nano"), Cause.MODEL_NOT_FOUND),
        (
            400,
            error("For model x, n is not available", param="n", code="unsupported_parameter"),
            Cause.REFUSED_REQUEST,
        ),
    ],
)
def test_other_refusals_keep_their_cause(status: int, form: bytes, cause: Cause) -> None:
    """Keys, models, filters and accounts, even if the text prints the request."""
    found = read_with_options(status, form)

    assert (cause, False) == (found.cause, found.retryable)


def test_path_counts_more_than_context_words() -> None:
    """A path shows what is refused; a cap that is too long is still about the context."""
    printed = "body.seed Extra inputs are not permitted. Input was: context length exceeded"
    long = "maximum context length is 4096 tokens (3096 in the messages, 2000 in the completion)"

    assert "without seed" == adaptation_phrase(422, error(printed, param="seed"))
    assert read_with_options(400, error(long, param="max_tokens")).context is not None
    assert (
        Cause.CONTEXT_LENGTH
        is read_with_options(400, error("prompt is too long", param="messages")).cause
    )


@pytest.mark.parametrize(
    ("status", "words", "cause"),
    [
        (400, "Invalid model output: the model produced a malformed function call, please retry.",
         Cause.UNUSABLE_ANSWER),
        (400, "The model returned an empty response", Cause.UNUSABLE_ANSWER),
        (400, "Failed to parse the function call", Cause.UNUSABLE_ANSWER),
        (400, "Something went wrong, please try again later", Cause.SERVER_ERROR),
        (503, "The content filter service is temporarily unavailable", Cause.SERVER_ERROR),
        (503, "upstream connect error: no route to host", Cause.SERVER_ERROR),
        (502, "no route to host", Cause.SERVER_ERROR),
        (503, "billing limit service does not answer", Cause.SERVER_ERROR),
        (500, "the content filter timed out", Cause.SERVER_ERROR),
        (429, "spending limit per minute reached", Cause.RATE_LIMIT),
        (429, "Request too large for model x on tokens per minute (TPM): Limit 6000, Used 5000, "
         "Requested 4000. Please try again in 1.1s.", Cause.RATE_LIMIT),
    ],
)  # fmt: skip
def test_transient_status_is_retryable(status: int, words: str, cause: Cause) -> None:
    """The text of a transient status does not make it final."""
    found = read_with_options(status, error(words))

    assert (cause, True) == (found.cause, found.retryable)
    assert found.context is None


@pytest.mark.parametrize(
    ("more", "waits", "cause"),
    [
        ({}, True, Cause.RATE_LIMIT),
        ({}, False, Cause.QUOTA),
        ({"code": "insufficient_quota"}, True, Cause.QUOTA),
    ],
)
def test_limit_with_a_time_is_a_rate_limit(more: dict[str, Any], waits: bool, cause: Cause) -> None:
    """A wait header counts more than the text, and a code more than the header."""
    assert cause is read_with_options(429, error("spending limit reached", **more), waits).cause


AFFORD = "This request requires more credits, or fewer max_tokens. You requested up to 900 tokens, "


def test_cap_is_lowered_to_affordable_tokens() -> None:
    """OpenRouter states what the account can afford; too little is an empty account."""
    form = error(AFFORD + "but can only afford 412.", code=402)
    small = error(AFFORD + "but can only afford 12.", code=402)

    assert "max_tokens at most 412" == adaptation_phrase(402, form)
    assert adaptation_phrase(402, form, {"max_tokens": 400}) is None
    assert "max_tokens = 412" == adaptation_phrase(402, form, {"seed": 7})
    assert (Cause.QUOTA, False) == (
        read_with_options(402, form).cause,
        read_with_options(402, form).retryable,
    )
    assert adaptation_phrase(402, small) is None


@pytest.mark.parametrize(
    ("text", "is_it"),
    [
        ("Unknown parameter: 'top_p'", True),
        ("topP is not supported", True),
        ('Unknown name "top_p": Cannot find field', True),
        ("top_p: Extra inputs are not permitted", True),
        ("property 'top_p' is unsupported", True),
        ('{"top_p": 0.9}', False),
        ("{'top_p': 0.9}", False),
        ("top_p=0.9, and the key is wrong", False),
        ("stop_p is not supported", False),
    ],
)
def test_blamed_field_differs_from_a_printed_one(text: str, is_it: bool) -> None:
    """The words of a refusal count, not the request in its text."""
    assert is_it == is_blamed("top_p", text)

"""Prompts that are too long: the errors of servers, and errors about something else."""

import pytest

from arena.messages import Cause, PromptSize
from chat_nodes.refusals import read_refusal
from tests.chat_nodes.example_errors import body, error

CONTEXTS = [
    (
        400,
        error(
            "This model's maximum context length is 4096 tokens. However, "
            "you requested 5000 tokens (4900 in the messages, 100 in the "
            "completion)."
        ),
        4096,
        4900,
    ),
    (
        400,
        error(
            "This model's maximum context length is 8192 tokens. However, "
            "your messages resulted in 9001 tokens.",
            code="context_length_exceeded",
        ),
        8192,
        9001,
    ),
    (400, error("Your input exceeds the context window of this model."), None, None),
    (
        400,
        body(
            [
                {
                    "error": {
                        "message": "The input token count (1200000) exceeds the maximum number of "
                        "tokens allowed (1048576)."
                    }
                }
            ]
        ),
        1048576,
        1200000,
    ),
    (400, error("prompt is too long: 210000 tokens > 200000 maximum"), 200000, 210000),
    (
        400,
        error(
            "Prompt contains 40000 tokens and 0 draft tokens, too large for "
            "model with 32768 maximum context length"
        ),
        32768,
        40000,
    ),
    (400, error("Please reduce the length of the messages or completion."), None, None),
    (
        400,
        body(
            {
                "code": "c",
                "error": "This model's maximum prompt length is 131072 but the request "
                "contains 140000 tokens.",
            }
        ),
        131072,
        140000,
    ),
    (
        422,
        error(
            "`inputs` tokens + `max_new_tokens` must be <= 4097. Given: "
            "4000 `inputs` tokens and 200 `max_new_tokens`"
        ),
        4097,
        4000,
    ),
    (
        400,
        error("Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)"),
        8192,
        9000,
    ),
    (
        400,
        error(
            "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]"
        ),
        30720,
        None,
    ),
    (400, error("invalid params, context window exceeds limit (2013)"), None, None),
    (
        400,
        body({"object": "error", "message": "max_tokens must be at least 1, got -186."}),
        None,
        None,
    ),
    (
        400,
        body(
            {
                "object": "error",
                "message": "The input (5000 tokens) is longer than the model's context "
                "length (4096 tokens).",
            }
        ),
        4096,
        5000,
    ),
    (
        400,
        error(
            "the request exceeds the available context size, try increasing it",
            type="exceed_context_size_error",
            n_prompt_tokens=3344,
            n_ctx=2048,
        ),
        2048,
        3344,
    ),
    (500, error("Context size has been exceeded."), None, None),
    (400, error("Requested tokens (5000) exceed context window of 2048"), 2048, 5000),
    (
        400,
        body(
            {
                "error": "Trying to keep the first 5000 tokens when context the "
                "overflows. However, the model is loaded with context length of "
                "only 4096 tokens"
            }
        ),
        4096,
        5000,
    ),
    (
        400,
        error(
            "litellm.ContextWindowExceededError: litellm.BadRequestError: "
            "XException - " + error("prompt is too long: 9000 tokens > 8000 maximum").decode()
        ),
        8000,
        9000,
    ),
    (
        413,
        error(
            "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7062"
        ),
        6000,
        7062,
    ),
    (413, b"<html><title>413 Request Entity Too Large</title></html>", None, None),
]


@pytest.mark.parametrize(("status", "form", "limit", "prompt"), CONTEXTS)
def test_long_prompt_is_recognized(
    status: int, form: bytes, limit: int | None, prompt: int | None
) -> None:
    """Every server's error, its numbers, and a smaller prompt as the remedy."""
    refusal = read_refusal(status, form, "full")

    assert (Cause.CONTEXT_LENGTH, False, False) == (
        refusal.cause,
        refusal.retryable,
        refusal.adaptable,
    )
    assert refusal.context is not None
    assert (limit, prompt) == (refusal.context.limit_tokens, refusal.context.prompt_tokens)
    assert 'prompt = "compact"' in refusal.remedy


@pytest.mark.parametrize(
    ("size", "remedy"),
    [("full", '"compact"'), ("compact", '"tiny"'), ("tiny", "trade fewer products")],
)
def test_remedy_is_the_next_smaller_prompt(size: PromptSize, remedy: str) -> None:
    """The remedy for the smallest prompt is another one."""
    assert remedy in read_refusal(413, b"", size).remedy


@pytest.mark.parametrize(
    "form",
    [
        error("Invalid 'tool_calls[0].id': string too long. Expected maximum length 40, got 60"),
        error("litellm.ContextWindowExceededError: string too long. Expected maximum length 40"),
        error("Range of max_tokens should be [1, 8192]"),
        error("max_tokens is too large: 100000. This model supports at most 16384"),
    ],
)
def test_other_limits_are_not_the_context(form: bytes) -> None:
    """A field that is too long and a cap that is too high can be adapted."""
    refusal = read_refusal(400, form)

    assert (Cause.REFUSED_REQUEST, True) == (refusal.cause, refusal.adaptable)


def test_large_cap_can_be_lowered() -> None:
    """The prompt fits; the tokens requested for the answer do not."""
    message = (
        "maximum context length is 4096 tokens. However, you requested "
        "5000 tokens (3000 in the messages, 2000 in the completion)"
    )

    refusal = read_refusal(400, error(message))

    assert Cause.REFUSED_REQUEST is refusal.cause
    assert refusal.context is not None
    assert 1096 == refusal.context.answer_tokens_max

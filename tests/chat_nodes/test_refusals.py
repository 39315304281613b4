"""Refusals of many servers: cause, whether they are transient, remedy, numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import Cause
from chat_nodes.error_bodies import read_error_body
from chat_nodes.refusals import MESSAGE_CHARS_MAX, generation_body, read_refusal
from tests.chat_nodes.example_errors import body, error

FORMS = (
    error("no such thing", type="invalid_request_error", param="seed", code=None),
    body([{"error": {"code": 400, "message": "no such thing", "status": "INVALID_ARGUMENT"}}]),
    body({"object": "error", "message": "no such thing", "type": "BadRequestError", "code": 400}),
    body({"error": "no such thing"}),
    body({"code": "Client specified an invalid argument", "error": "no such thing"}),
    body({"detail": "no such thing"}),
    body({"detail": [{"type": "extra", "loc": ["body", "seed"], "msg": "no such thing"}]}),
    body(
        {"object": "error", "message": {"detail": [{"loc": ["body", "x"], "msg": "no such thing"}]}}
    ),
    body({"message": body({"detail": [{"loc": ["b"], "msg": "no such thing"}]}).decode()}),
    error("litellm.BadRequestError: XException - " + error("no such thing").decode(), code="400"),
    error("BadRequestError: XException - b'" + error("no such thing").decode() + "'"),
    error("XException - {'error': {'message': 'no such thing', 'code': None}}. Fallbacks=None"),
    error(
        "Provider returned error",
        code=400,
        metadata={"raw": error("no such thing").decode(), "provider_name": "X"},
    ),
    body({"error": {"message": "<400> no such thing", "code": "x"}, "request_id": "r"}),
    body({"type": "error", "error": {"message": "no such thing (2013)", "http_code": "400"}}),
    body({"base_resp": {"status_code": 2013, "status_msg": "no such thing"}}),
    b"\xef\xbb\xbf\r\n\n" + error("no such thing"),
    b": keep-alive\n\ndata: " + error("no such thing") + b"\n\n",
    b"<html><head><title>no such thing</title></head><body>x</body></html>",
    b"no such thing\n",
)


@pytest.mark.parametrize("form", FORMS)
def test_message_is_found_in_every_form(form: bytes) -> None:
    """Objects, arrays, texts, lists of details, JSON inside texts, pages and plain text."""
    refusal = read_refusal(400, form)

    assert "no such thing" in refusal.message
    assert (Cause.REFUSED_REQUEST, False) == (refusal.cause, refusal.retryable)


def test_every_named_field_is_found() -> None:
    """Mistral lists all wrong fields, each with its path."""
    details = [
        {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs"},
        {"type": "extra_forbidden", "loc": ["body", "messages", 3, "assistant", "x"], "msg": "E"},
    ]

    refusal = read_refusal(422, body({"detail": details}))

    assert ("seed", "messages.3.assistant.x") == refusal.params


@pytest.mark.parametrize(
    ("status", "form", "cause", "retryable"),
    [
        (401, b"", Cause.AUTH, False),
        (400, error("API key not valid. Please pass a valid API key."), Cause.AUTH, False),
        (400, body({"code": "c", "error": "Incorrect API key provided: ab"}), Cause.AUTH, False),
        (400, error("No connected db."), Cause.AUTH, False),
        (403, b"", Cause.FORBIDDEN, False),
        (400, error("User location is not supported for the API use."), Cause.FORBIDDEN, False),
        (402, b"", Cause.QUOTA, False),
        (402, error("Insufficient Balance"), Cause.QUOTA, False),
        (429, error("You exceeded your quota", code="insufficient_quota"), Cause.QUOTA, False),
        (403, error("Your team has used all available credits"), Cause.QUOTA, False),
        (404, error("The model `gpt-9.1` does not exist"), Cause.MODEL_NOT_FOUND, False),
        (404, error("x", code="model_not_found"), Cause.MODEL_NOT_FOUND, False),
        (404, error('model "q:7b" not found, try pulling it first'), Cause.MODEL_NOT_FOUND, False),
        (400, error("foo/bar is not a valid model ID"), Cause.MODEL_NOT_FOUND, False),
        (400, error("Invalid model: nano", code="1500"), Cause.MODEL_NOT_FOUND, False),
        (400, error("Model Not Exist"), Cause.MODEL_NOT_FOUND, False),
        (404, body({"error": "No models loaded. Please load one"}), Cause.MODEL_NOT_FOUND, False),
        (404, body({"detail": "Not Found"}), Cause.UNREACHABLE, False),
        (404, b"404 page not found", Cause.UNREACHABLE, False),
        (405, b"", Cause.UNREACHABLE, False),
        (
            200,
            body({"error": "Unexpected endpoint or method. (POST /x)"}),
            Cause.UNREACHABLE,
            False,
        ),
        (400, error("x", code="content_filter", param="prompt"), Cause.CONTENT_FILTER, False),
        (
            400,
            error("x", innererror={"code": "ResponsibleAIPolicyViolation"}),
            *[Cause.CONTENT_FILTER, False],
        ),
        (429, error("slow down", code="rate_limit_exceeded"), Cause.RATE_LIMIT, True),
        (498, b"", Cause.SERVER_ERROR, True),
        (408, b"", Cause.TIMEOUT, True),
        (500, b"<html>oops</html>", Cause.SERVER_ERROR, True),
        (529, error("Overloaded", type="overloaded_error"), Cause.SERVER_ERROR, True),
        (400, error("bad", code="tool_use_failed"), Cause.UNUSABLE_ANSWER, True),
        (400, error("registry/x does not support tools"), Cause.REFUSED_REQUEST, False),
        (400, b"", Cause.REFUSED_REQUEST, False),
    ],
)
def test_refusal_has_a_cause(status: int, form: bytes, cause: Cause, retryable: bool) -> None:
    """The text counts more than the status, which servers choose freely."""
    refusal = read_refusal(status, form)

    assert (cause, retryable) == (refusal.cause, refusal.retryable)


def test_temporary_quota_is_a_rate_limit() -> None:
    """Gemini writes "exceeded your current quota" for a limit that ends in 37 seconds."""
    details = [{"@type": "RetryInfo", "retryDelay": "37s"}]
    form = body(
        [{"error": {"code": 429, "message": "exceeded your current quota", "details": details}}]
    )

    refusal = read_refusal(429, form)

    assert (Cause.RATE_LIMIT, True, "37s") == (
        refusal.cause,
        refusal.retryable,
        refusal.retry_delay,
    )


@pytest.mark.parametrize(
    ("form", "remedy"),
    [
        (error('"auto" tool choice requires --enable-auto-tool-choice'), "--tool-call-parser"),
        (error("tools param requires --jinja flag"), "--jinja"),
        (error("No endpoints found that support tool use"), "takes no tools"),
        (b"<html><title>Just a moment</title></html>", "a page came instead of JSON"),
        (b"The plain HTTP request was sent to HTTPS port", "https://"),
    ],
)
def test_refusal_has_a_remedy(form: bytes, remedy: str) -> None:
    """What the operator of the server, or of the arena, should do."""
    assert remedy in read_refusal(400, form).remedy


def test_refused_generation_is_returned() -> None:
    """Groq refuses its own model's call and sends it with the error."""
    written = '<function=execute_trade>{"quantity": "1"}</function>'

    refusal = read_refusal(400, error("x", code="tool_use_failed", failed_generation=written))

    message = json.loads(generation_body(refusal))["choices"][0]["message"]
    assert written == message["content"]


@given(st.sampled_from([200, 400, 404, 422, 429, 500]), st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(status: int, form: bytes) -> None:
    """Every body gives a refusal."""
    assert len(read_refusal(status, form).message) <= MESSAGE_CHARS_MAX


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "loc", "msg", "code", "param", "raw"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_arbitrary_json_has_a_cause(value: object) -> None:
    """The refusal has a cause, and its text is bounded."""
    found = read_refusal(400, body(value))

    assert isinstance(found.cause, Cause)
    assert len(found.message) <= MESSAGE_CHARS_MAX


def test_deep_or_huge_body_is_bounded() -> None:
    """Nesting and length are read up to the bounds."""
    deep: object = "x"
    for _ in range(200):
        deep = {"error": deep}

    assert "" == read_error_body(body(deep)).message
    assert len(read_refusal(400, b"x" * 1_000_000).message) <= MESSAGE_CHARS_MAX
    assert len(read_refusal(400, error("[{'" * 100_000)).message) <= MESSAGE_CHARS_MAX

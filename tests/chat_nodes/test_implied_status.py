"""Errors under status 200: the status that they imply, the cause, and the token counts."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.messages import Cause
from chat_nodes.decode import Tokens, decode_reply, decode_value, implied_status

FINE = {"choices": [{"message": {"content": "I hold."}, "finish_reason": "stop"}]}


def choice(finish: object, content: object = "", **fields: object) -> dict[str, object]:
    """An answer with one choice."""
    return {"choices": [{"message": {"content": content}, "finish_reason": finish, **fields}]}


@pytest.mark.parametrize(
    ("value", "status", "cause"),
    [
        ({"error": {"message": "Provider returned error", "code": 429}}, 429, Cause.RATE_LIMIT),
        ({"error": {"message": "x", "code": "502"}}, 502, Cause.SERVER_ERROR),
        ({"error": {"message": "x", "code": 401.0}}, 401, Cause.AUTH),
        ({"error": {"code": "rate_limit_exceeded", "type": "tokens"}}, 429, Cause.RATE_LIMIT),
        ({"error": {"type": "overloaded_error", "message": "x"}}, 503, Cause.SERVER_ERROR),
        ({"error": {"code": "invalid_api_key", "message": "x"}}, 401, Cause.AUTH),
        ({"error": {"code": "insufficient_quota", "message": "x"}}, 402, Cause.QUOTA),
        ({"error": {"code": "model_not_found", "message": "x"}}, 404, Cause.MODEL_NOT_FOUND),
        ({"error": {"type": "permission_error", "message": "x"}}, 403, Cause.FORBIDDEN),
        ({"error": {"code": "1305", "message": "x"}}, 429, Cause.RATE_LIMIT),
        ({"error": {"message": "Rate limit reached for requests"}}, 429, Cause.RATE_LIMIT),
        ({"error": "Model is unavailable"}, 503, Cause.SERVER_ERROR),
        ({"error": "Something else"}, 502, Cause.SERVER_ERROR),
        ({"error": ["invalid argument"]}, 400, Cause.REFUSED_REQUEST),
        ([{"error": {"code": 400, "status": "INVALID_ARGUMENT"}}], 400, Cause.REFUSED_REQUEST),
        ([{}, {"error": {"status": "RESOURCE_EXHAUSTED"}}], 429, Cause.RATE_LIMIT),
        ({"code": "Client specified an invalid argument", "error": "x"}, 400, "refused_request"),
        ({"object": "error", "message": "x", "code": 400}, 400, Cause.REFUSED_REQUEST),
        ({"object": "error", "message": "x", "type": "NotFoundError"}, 404, "model_not_found"),
        ({"base_resp": {"status_code": 1002, "status_msg": "x"}}, 429, Cause.RATE_LIMIT),
        ({"base_resp": {"status_code": 1004}, "choices": None}, 401, Cause.AUTH),
        ({"detail": "Not Found"}, 404, Cause.MODEL_NOT_FOUND),
        ({"message": "Internal server error"}, 500, Cause.SERVER_ERROR),
        ({"errors": [{"message": "timed out"}], "success": False}, 504, Cause.TIMEOUT),
        ({"choices": [], "usage": {}}, 502, Cause.UNUSABLE_ANSWER),
        ({"choices": [{"finish_reason": "stop"}]}, 502, Cause.UNUSABLE_ANSWER),
        ({"choices": "none"}, 502, Cause.UNUSABLE_ANSWER),
        (None, 502, Cause.UNUSABLE_ANSWER),
        ("I hold.", 502, Cause.UNUSABLE_ANSWER),
        (choice("error", error={"code": 504, "message": "idle"}), 504, Cause.TIMEOUT),
        (choice("error", "half an ans"), 502, Cause.UNUSABLE_ANSWER),
        (choice("insufficient_system_resource", "half"), 502, Cause.UNUSABLE_ANSWER),
        (choice("network_error"), 502, Cause.UNUSABLE_ANSWER),
        (choice(None), 502, Cause.UNUSABLE_ANSWER),
        ({**FINE, "choices": [{"message": {}}], "error": {"code": 503}}, 503, "server_error"),
        (choice("stop", None) | {"error": {"code": 500}}, 500, Cause.SERVER_ERROR),
        (choice("content_filter"), 200, Cause.CONTENT_FILTER),
        (choice("sensitive", "half"), 200, Cause.CONTENT_FILTER),
        (choice("length"), 200, Cause.UNUSABLE_ANSWER),
        ({"choices": [{"message": {"refusal": "No."}}]}, 200, Cause.CONTENT_FILTER),
        ({"choices": [{"message": {"tool_calls": False}}]}, 502, Cause.UNUSABLE_ANSWER),
        (FINE, 200, ""),
        ({**FINE, "error": {"code": 500, "message": "x"}}, 200, ""),
        ({**FINE, "base_resp": {"status_code": 0}, "error": None}, 200, ""),
        (choice("stop", None), 200, ""),
        (choice("eos", None), 200, ""),
        (choice(None, "I hold."), 200, ""),
        ({"choices": {"message": {"content": "I hold."}}}, 200, ""),
        ({"choices": [None, {"message": {"content": "I hold."}}]}, 200, ""),
        ({"choices": [{"text": "I hold."}]}, 200, ""),
    ],
)
def test_error_under_200_implies_a_status(value: object, status: int, cause: str) -> None:
    """The forms of many servers; the cause is the one of the implied status."""
    raw = orjson.dumps(value)

    assert (status, cause) == (implied_status(raw), decode_reply(raw).cause)


@pytest.mark.parametrize("raw", [b"", b"<!DOCTYPE html><html></html>", b'{"choices": [{"mess'])
def test_bytes_without_an_answer_imply_502(raw: bytes) -> None:
    """An empty body, an HTML page and a cut answer are retried."""
    assert (502, Cause.UNUSABLE_ANSWER) == (implied_status(raw), decode_reply(raw).cause)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 600) | st.sampled_from(["", "429", "x", "error"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "code",
                    "message",
                    "choices",
                    "finish_reason",
                    "content",
                    "delta",
                    "tool_calls",
                    "status",
                    "detail",
                    "errors",
                    "base_resp",
                    "type",
                    "refusal",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON, JSON, JSON)
def test_status_and_outcome_agree(top: object, message: object, finish: object) -> None:
    """A usable answer implies 200; any other outcome has a cause and an error status."""
    whole = {"choices": [{"message": message, "finish_reason": finish}], "error": top}
    for value in (top, whole):
        decoded, status = decode_value(value, ("a",)), implied_status(orjson.dumps(value))

        assert (decoded.outcome == "ok") == (not decoded.cause)
        assert status == 200 or decoded.outcome == "failed"
        assert status == 200 or 400 <= status <= 599


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": "1200", "completion_tokens": 30.0}, (1200, 30, 0, 0)),
        ({"prompt_tokens": "12.0", "completion_tokens": " 3 "}, (12, 3, 0, 0)),
        ({"input_tokens": 12, "output_tokens": 3, "cached_tokens": 5}, (12, 3, 0, 5)),
        ({"prompt_tokens": 12, "total_tokens": 15}, (12, 3, 0, 0)),
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 3,
                "total_tokens": 22,
                "completion_tokens_details": {"reasoning_tokens": 7},
                "prompt_tokens_details": {"cached_tokens": 99},
            },
            (12, 10, 7, 12),
        ),
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 10,
                "total_tokens": 22,
                "output_tokens_details": {"reasoning_tokens": 7},
            },
            (12, 10, 7, 0),
        ),
    ],
)
def test_usage_is_read_from_all_its_forms(
    usage: dict[str, object], expected: tuple[int, int, int, int]
) -> None:
    """Counts as text, under other names, without reasoning, in the choice or Groq's key."""
    first = FINE["choices"][0]
    tokens = Tokens(*expected, reported=True)

    for value in (
        {**FINE, "usage": usage},
        {**FINE, "x_groq": {"usage": usage}},
        {"choices": [{**first, "usage": usage}], "usage": None},
    ):
        assert tokens == decode_value(value).tokens


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": "many", "completion_tokens": True},
        {"prompt_tokens": 1.5, "completion_tokens": "1e3"},
        {"prompt_tokens": 10**12, "completion_tokens": -1},
        {"prompt_tokens": 0, "completion_tokens": 0},
        "none",
    ],
)
def test_impossible_counts_are_not_reported(usage: object) -> None:
    """A count that is not a whole number, too large, or zero for a prompt, is ignored."""
    assert Tokens() == decode_value({**FINE, "usage": usage}).tokens

"""How each kind of refusal is adapted to, and that adaptation ends."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from arena.messages import Sampling, WireForm
from chat_nodes.adaptations import adapt
from chat_nodes.dialect import Dialect, RefusedRequest, options_of
from chat_nodes.model import ModelSettings
from chat_nodes.refusals import read_refusal
from tests.chat_nodes.example_errors import body, error
from tests.chat_nodes.example_requests import request

OPTIONS: dict[str, JsonValue] = {"temperature": 0.7, "seed": 7, "max_tokens": 900}
SAMPLED = request(sampling=Sampling(temperature=0.7, seed=7, max_completion_tokens=900))


def adaptation(
    form: bytes,
    status: int = 400,
    dialect: Dialect | None = None,
    sent: Mapping[str, object] | None = None,
) -> tuple[Dialect, str] | None:
    """The adaptation after a refusal of a request with tool calls."""
    base = dialect or Dialect()
    held = RefusedRequest(dict(OPTIONS), wire=base.wire, has_calls=True)
    held = replace(held, **(sent or {}))  # type: ignore[arg-type]
    return adapt(base, read_refusal(status, form), held)


def options(**more: JsonValue) -> dict[str, object]:
    """The fields of a refused request with further options."""
    return {"options": {**OPTIONS, **more}}


UNSUPPORTED = "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
LISTED = "Unsupported value. Supported values are: 'none', 'low', 'medium' and 'high'."
MODEL = "is not supported by this model"

OF_OPTIONS = [
    (
        error(UNSUPPORTED + "'max_completion_tokens' instead.", param="max_tokens"),
        {},
        "max_completion_tokens instead of max_tokens",
    ),
    (
        error("property 'max_completion_tokens' is unsupported"),
        {"options": {"max_completion_tokens": 900}},
        "max_tokens instead of max_completion_tokens",
    ),
    (error("the valid range of max_tokens is [1, 512]"), {}, "max_tokens at most 512"),
    (error("max_tokens: 900 > 600, which is the maximum"), {}, "max_tokens at most 600"),
    (error("`max_tokens` must be less than or equal to `512`"), {}, "max_tokens at most 512"),
    (
        error("Invalid 'max_tokens': integer below minimum value. Expected >= 1000, got 900"),
        {},
        "max_tokens at least 1000",
    ),
    (
        error(
            "maximum context length is 4096 tokens (3096 in the messages, 2000 in the completion)"
        ),
        options(max_tokens=2000),
        "max_tokens at most 750",
    ),
    (
        body([{"error": {"message": 'Unknown name "seed": Cannot find field.'}}]),
        {},
        "without seed",
    ),
    (
        body([{"error": {"message": 'Unknown name "seed": x\nUnknown name "top_k": x'}}]),
        options(top_k=4),
        "without seed, top_k",
    ),
    (
        body({"detail": [{"loc": ["body", k], "msg": "extra"} for k in ("seed", "temperature")]}),
        {},
        "without temperature, seed",
    ),
    (error("Unsupported value", param="temperature", code="x"), {}, "without temperature"),
    (error("temperature must be in range [0, 0.5]"), {}, "temperature at most 0.5"),
    (
        body({"code": "c", "error": "Argument not supported on this model: presencePenalty"}),
        options(presence_penalty=0),
        "without presence_penalty",
    ),
    (error(f"`stop` {MODEL}"), options(stop=["x"]), "without stop"),
    (error(f"'top_p' {MODEL}"), options(top_p=0.9), "without top_p"),
    (
        error(
            "'parallel_tool_calls' is not supported with this model", param="parallel_tool_calls"
        ),
        options(parallel_tool_calls=True),
        "without parallel_tool_calls",
    ),
    (
        error("temperature and top_p cannot both be specified"),
        options(top_p=0.9),
        "without top_p",
    ),
    (
        error("x does not support parameters: ['seed', 'temperature'], for model=y"),
        {},
        "without temperature, seed",
    ),
    (
        error("Provider returned error", metadata={"raw": error("bad", param="seed").decode()}),
        {},
        "without seed",
    ),
    (
        error(LISTED, param="reasoning_effort"),
        options(reasoning_effort="minimal"),
        'reasoning_effort = "low"',
    ),
    (
        error(LISTED, param="reasoning_effort"),
        options(reasoning_effort="max"),
        'reasoning_effort = "high"',
    ),
    (
        error(f"reasoning_effort {MODEL}"),
        options(reasoning_effort="low"),
        "without reasoning_effort",
    ),
    (
        error("Function tools with reasoning_effort are not supported", param="reasoning_effort"),
        {},
        'reasoning_effort = "none"',
    ),
    (
        error("parameter.enable_thinking must be set to false for non-streaming calls"),
        {},
        "enable_thinking = false",
    ),
    (
        error('invalid reasoning value: \'minimal\' (must be "high", "medium", "low")'),
        options(reasoning_effort="minimal"),
        'reasoning_effort = "low"',
    ),
    (error("This model only support stream mode, please enable the stream"), {}, "stream = true"),
    (
        error("Requests with max_tokens > 512 must have stream=true"),
        {},
        "max_tokens at most 512",
    ),
    (error("unknown field seed, did you mean random_seed?"), {}, "random_seed instead of seed"),
    (
        error("tool_choice 'required' is not supported"),
        options(tool_choice="required"),
        "without tool_choice",
    ),
]


@pytest.mark.parametrize(("form", "sent", "phrase"), OF_OPTIONS)
def test_refused_option_is_renamed_bounded_or_omitted(
    form: bytes, sent: dict[str, object], phrase: str
) -> None:
    """One refusal leads to one change, which its text asks for."""
    found = adaptation(form, sent=sent)

    assert found is not None
    assert (phrase, (phrase,)) == (found[1], found[0].phrases)
    assert found[0].before_guess is None


THOUGHT = frozenset({"reasoning_content"})
OF_CONVERSATION = [
    (
        400,
        error("The `reasoning_content` in the thinking mode must be passed back."),
        {},
        {"empty_reasoning": True},
    ),
    (
        400,
        error("reasoning_content is missing in assistant tool call message at index 2"),
        {},
        {"empty_reasoning": True},
    ),
    (
        400,
        error("'messages.1' : property 'reasoning_content' is unsupported"),
        {"provider_fields": THOUGHT},
        {"dropped_fields": ("reasoning_content",)},
    ),
    (
        422,
        body(
            {
                "detail": [
                    {"loc": ["body", "messages", 3, "assistant", "extra_content"], "msg": "Extra"}
                ]
            }
        ),
        {"provider_fields": frozenset({"extra_content"})},
        {"dropped_fields": ("extra_content",)},
    ),
    (
        400,
        error(
            "Tool call id was call_a but must be a-z, A-Z, 0-9, with a length of 9.", code="3280"
        ),
        {},
        {"tool_ids": "short"},
    ),
    (
        400,
        error(
            "string too long", param="messages[2].tool_calls[0].id", code="string_above_max_length"
        ),
        {},
        {"tool_ids": "short"},
    ),
    (
        500,
        error("Tool call IDs should be alphanumeric strings with length 9!"),
        {},
        {"tool_ids": "short"},
    ),
    (
        400,
        error("expected a string, got null.", param="messages.[2].content"),
        {},
        {"content": "empty"},
    ),
    (400, error("invalid message content type: <nil>"), {}, {"content": "empty"}),
    (400, error("System role not supported"), {}, {"system_as_user": True}),
    (500, error("Jinja Exception: System role not supported"), {}, {"system_as_user": True}),
    (500, error("Conversation roles must alternate user/assistant"), {}, {"system_as_user": True}),
    (400, error('can only concatenate str (not "NoneType") to str'), {}, {"content": "empty"}),
    (
        400,
        error("invalid params, invalid message role: system (2013)"),
        {},
        {"system_as_user": True},
    ),
    (
        400,
        error(
            "'messages[0].role' does not support 'system' with this model.",
            param="messages[0].role",
        ),
        {},
        {"system_as_user": True},
    ),
    (
        400,
        error(
            'Unknown name "additionalProperties" at '
            "'tools[0].function_declarations[0].parameters'"
        ),
        {},
        {"schema_keywords": "bare"},
    ),
    (
        400,
        error(
            "Invalid schema for function 'f': 'format' is not permitted",
            param="tools[0].function.parameters",
        ),
        {},
        {"schema_keywords": "bare"},
    ),
    (
        400,
        error("tools.function.parameters is not a valid moonshot flavored json schema"),
        {},
        {"schema_keywords": "bare"},
    ),
]


@pytest.mark.parametrize(("status", "form", "sent", "wire"), OF_CONVERSATION)
def test_refused_conversation_gets_another_form(
    status: int, form: bytes, sent: dict[str, object], wire: dict[str, object]
) -> None:
    """Fields of the history, ids, contents, roles and schemas get the accepted form."""
    found = adaptation(form, status, sent=sent)

    assert found is not None
    assert WireForm().model_copy(update=wire) == found[0].wire


def test_refused_empty_content_becomes_null() -> None:
    """Anthropic refuses empty text; a server that refuses null gets an empty text."""
    dialect = Dialect(wire=WireForm(content="empty"))

    found = adaptation(error("messages: text content blocks must be non-empty"), dialect=dialect)

    assert found is not None
    assert "null" == found[0].wire.content


@pytest.mark.parametrize(
    ("status", "form"),
    [
        (401, error("Invalid API key; param seed", param="seed")),
        (402, error("Insufficient Balance")),
        (403, error("no")),
        (404, error("The model `m` does not exist")),
        (404, body({"detail": "Not Found"})),
        (400, error("prompt is too long: 9 tokens > 8 maximum")),
        (400, error("x", code="content_filter", param="prompt")),
        (400, error('"auto" tool choice requires --enable-auto-tool-choice')),
        (429, error("rate limit of seed")),
        (503, error("seed is not supported")),
        (500, error("seed is not supported")),
    ],
)
def test_refusal_for_other_reasons_changes_nothing(status: int, form: bytes) -> None:
    """Keys, credit, models, paths, contexts, filters, server flags and transient faults."""
    assert adaptation(form, status) is None


def test_refusal_without_a_reason_leads_to_guesses() -> None:
    """No options, then no cap, then the barest form; the dialect before the guesses is kept."""
    dialect, phrases = Dialect(), []
    sent = RefusedRequest(dict(OPTIONS), has_calls=True, provider_fields=frozenset({"x"}))
    while (found := adapt(dialect, read_refusal(400, error("1210")), sent)) is not None:
        dialect, phrase = found
        phrases.append(phrase)
        left = {k: v for k, v in sent.options.items() if k not in dialect.omitted}
        fields = frozenset() if dialect.wire.dropped_fields else sent.provider_fields
        sent = replace(sent, options=left, wire=dialect.wire, provider_fields=fields)

    assert [
        "without temperature, seed",
        "without max_tokens",
        "the barest form",
        "without the provider's own fields in the history",
    ] == phrases
    assert Dialect() == dialect.before_guess


WORDS = st.sampled_from(
    [
        *OPTIONS,
        "max_completion_tokens",
        "reasoning_content",
        "content",
        "null",
        "empty",
        "system role",
        "tools",
        "schema",
        "tool_call_id",
        "must be",
        "missing",
        "unsupported",
        "at most 5",
        "at least 9999",
        "[1, 100]",
        "reasoning_effort",
        "low",
    ]
)


@settings(max_examples=200)
@given(st.lists(st.lists(WORDS, max_size=6), min_size=1, max_size=40))
def test_no_form_is_sent_twice(refusals: list[list[str]]) -> None:
    """Adaptation ends, whatever a server refuses."""
    dialect = Dialect()
    sampled = SAMPLED.model_copy(update={"sampling": Sampling(temperature=0.7, seed=7)})
    node = ModelSettings("m", "http://h/v1", reasoning_effort="high", max_completion_tokens=900)
    forms = set()
    for words in refusals:
        held = options_of(dialect, sampled, node)
        sent = RefusedRequest(
            dict(held), THOUGHT - set(dialect.wire.dropped_fields), dialect.wire, True, True
        )
        form = (repr(sorted(held.items())), dialect.wire)
        assert form not in forms
        forms.add(form)
        found = adapt(dialect, read_refusal(400, error(" ".join(words))), sent)
        if found is None:
            return
        dialect = found[0]

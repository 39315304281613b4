"""The options of a request: the provider's dialect, the operator's options, adaptations."""

import pytest
from pydantic import JsonValue

from arena.messages import Sampling
from chat_nodes.adaptations import adapt
from chat_nodes.dialect import Dialect, options_of, refused_request
from chat_nodes.model import ModelSettings
from chat_nodes.profiles import PROFILES, first_dialect, profile_of
from chat_nodes.refusals import read_refusal
from chat_nodes.seeds import call_seed
from tests.chat_nodes.example_errors import error
from tests.chat_nodes.example_requests import request

SAMPLED = request(sampling=Sampling(temperature=0.7, seed=7, max_completion_tokens=900))
SENT = call_seed(SAMPLED)


def test_dialect_applies_to_all_options() -> None:
    """A renamed and bounded cap, no seed; the same for the operator's options."""
    dialect = Dialect(
        renamed={"max_tokens": "max_completion_tokens"},
        capped={"max_completion_tokens": 500},
        omitted=frozenset({"seed", "top_k"}),
        fixed={"reasoning_effort": "none"},
    )
    settings = ModelSettings("m", options={"top_k": 4, "top_p": 1, "tools": None})

    assert {
        "temperature": 0.7,
        "max_completion_tokens": 500,
        "top_p": 1,
        "tools": None,
        "reasoning_effort": "none",
    } == options_of(dialect, SAMPLED, settings)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": 0.1}, {"temperature": 0.1, "seed": SENT, "max_tokens": 900}),
        ({"seed": None}, {"temperature": 0.7, "seed": None, "max_tokens": 900}),
        ({"random_seed": 3}, {"temperature": 0.7, "random_seed": 3, "max_tokens": 900}),
        (
            {"max_completion_tokens": 5},
            {"temperature": 0.7, "seed": SENT, "max_completion_tokens": 5},
        ),
    ],
)
def test_operator_options_replace_defaults(
    given: dict[str, JsonValue], expected: dict[str, JsonValue]
) -> None:
    """They replace the arena's options, under either name of a field."""
    settings = ModelSettings("m", options=given)

    assert expected == options_of(Dialect(), SAMPLED, settings)


@pytest.mark.parametrize(
    ("host", "model", "limit", "seed"),
    [
        ("api.openai.com", "gpt-4.1", "max_completion_tokens", "seed"),
        ("me.openai.azure.com", "mine", "max_completion_tokens", "seed"),
        ("openrouter.ai", "meta/llama", "max_tokens", "seed"),
        ("openrouter.ai", "openai/gpt-5-nano", "max_completion_tokens", "seed"),
        ("localhost", "o4-mini", "max_completion_tokens", "seed"),
        ("localhost", "openai/gpt-oss-20b", "max_tokens", "seed"),
        ("api.mistral.ai", "ministral", "max_tokens", "random_seed"),
        ("generativelanguage.googleapis.com", "gemini-3", "max_tokens", ""),
        ("notapi.openai.com.example", "x", "max_tokens", "seed"),
    ],
)
def test_first_dialect_depends_on_host_and_model(
    host: str, model: str, limit: str, seed: str
) -> None:
    """Known providers get their own form, unknown ones the older names."""
    dialect = first_dialect(host, model)

    assert (limit, seed) == (dialect.token_limit, dialect.seed)


def test_every_profile_is_found_by_its_hosts() -> None:
    """No host belongs to two providers."""
    for profile in PROFILES:
        for host in profile.hosts:
            assert profile is profile_of(f"x{host}" if host.startswith(".") else host.upper())


def test_each_effort_is_tried_once() -> None:
    """A server that lists efforts and refuses each of them gets none in the end."""
    settings = ModelSettings("m", reasoning_effort="high")
    refusal = read_refusal(400, error("reasoning_effort must be one of 'low', 'medium'"))
    dialect, tried = Dialect(), ["high"]
    for _ in range(3):
        options = options_of(dialect, SAMPLED, settings)
        adaptation = adapt(dialect, refusal, refused_request(SAMPLED, options, dialect.wire))
        assert adaptation is not None
        dialect = adaptation[0]
        tried.append(str(options_of(dialect, SAMPLED, settings).get("reasoning_effort", "")))

    assert ["high", "medium", "low", ""] == tried

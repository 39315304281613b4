"""Addresses, headers and options of a model server: what is refused, and what is read back."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from arena import endpoint


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:8080/v1",
        "https://api.example.com/v1/",
        "http://[::1]:8000/v1",
        "https://res.openai.azure.com/openai/v1",
        "HTTP://10.0.0.1",
    ],
)
def test_address_is_taken_as_it_is(text: str) -> None:
    """Scheme, host and an optional path."""
    assert text == endpoint.check_base_url(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("localhost:8080/v1", "write http://localhost:8080/v1"),
        ("127.0.0.1:8080", "write http://127.0.0.1:8080"),
        ("gpu-box/v1", "write http://gpu-box/v1"),
        ("api.example.com/v1", "write https://api.example.com/v1"),
        ("//api.example.com/v1", "write https://api.example.com/v1"),
        ("", "has no scheme"),
        ("me:hunter2@host/v1", "needs a scheme and no login"),
        ("ftp://host/v1", "has the scheme 'ftp'"),
        ("http://", "is not an address"),
        ("http://host:99999/v1", "not an address"),
        ("http://host name/v1", "is not an address"),
        ("https://host/v1/chat/completions", "write https://host/v1"),
        ("https://host/v1?api-version=1", "ends before ?"),
        ("https://me:hunter2@host/v1", 'extra_headers = { Authorization = "env:VARIABLE" }'),
    ],
)
def test_invalid_address_is_refused_with_remedy(text: str, message: str) -> None:
    """The message states what to write, and repeats no password."""
    with pytest.raises(ValueError, match="write|ends|extra_headers") as refused:
        endpoint.check_base_url(text)

    assert message in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Authorization", "Bearer abc", 'write Authorization = "env:VARIABLE"'),
        ("api-key", "0123", "env:VARIABLE"),
        ("X-API-Key", "0123", "env:VARIABLE"),
        ("Cookie", "a=b", "env:VARIABLE"),
        ("X-Proxy-Token", "0123", "env:VARIABLE"),
        ("Ocp-Apim-Subscription-Key", "0123", "env:VARIABLE"),
        ("Helicone-Auth", "0123", "env:VARIABLE"),
        ("X-Anything", "sk-0123456789abcdef", "env:VARIABLE"),
        ("X-Title", "two\r\nX-Evil: 1", "write printable ASCII"),
        ("X-Title", "caf\u00e9", "write printable ASCII"),
        ("X Title", "a", "is not a header's name"),
        ("Content-Length", "1", "is set by the arena"),
        ("Authorization", "env:", "does not name a variable"),
        ("Authorization", "env:A B", "does not name a variable"),
    ],
)
def test_header_that_cannot_be_sent_is_refused(name: str, value: str, message: str) -> None:
    """A secret that was written down is refused with the remedy, and never repeated."""
    with pytest.raises(ValueError, match=r".") as refused:
        endpoint.check_header(name, value)

    assert message in str(refused.value)
    assert "0123" not in str(refused.value)


def test_headers_come_from_flags_and_variables() -> None:
    """`env:` names a variable; its value is read when the node starts."""
    headers = endpoint.parse_headers(["X-Title=arena = best", "api-key=env:AZ"])

    assert {"X-Title": "arena = best", "api-key": "env:AZ"} == headers
    assert frozenset({"AZ"}) == endpoint.header_variables(headers)
    assert endpoint.authorizes(headers)
    assert not endpoint.authorizes({"X-Title": "arena"})
    assert "secret-1" == endpoint.resolve_headers(headers, {"AZ": " secret-1\n"})["api-key"]


@pytest.mark.parametrize(
    ("value", "message"),
    [("", "the environment variable AZ is not set"), ("a\nb", "write one line of plain ASCII")],
)
def test_header_without_a_usable_value_is_named(value: str, message: str) -> None:
    """The variable is named; its value is not shown."""
    with pytest.raises(ValueError, match=message):
        endpoint.resolve_headers({"api-key": "env:AZ"}, {"AZ": value})


def test_secrets_include_all_repeated_forms() -> None:
    """The key, a header's value with and without its scheme, and with escaped slashes."""
    headers = {
        "X-Credential": "Basic dXNlcjpw/YXNz",
        "X-Title": "arena contest",
        "X-Token": "short",
    }

    found = endpoint.secrets_of("sk-0123456789", headers)
    assert "Basic dXNlcjpw\\/YXNz" == found[0]
    assert {
        "Basic dXNlcjpw\\/YXNz",
        "Basic dXNlcjpw/YXNz",
        "dXNlcjpw\\/YXNz",
        "dXNlcjpw/YXNz",
        "sk-0123456789",
    } == set(found)
    assert () == endpoint.secrets_of("", {})


@pytest.mark.parametrize("words", [["X-Title"], ["X-Title=a", "x-title=b"]])
def test_header_flags_are_names_with_values(words: list[str]) -> None:
    """A flag without = and a name given twice are refused."""
    with pytest.raises(ValueError, match="has no =|given twice"):
        endpoint.parse_headers(words)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["top_k=40"], {"top_k": 40}),
        (["seed=null"], {"seed": None}),
        (["reasoning_effort=low"], {"reasoning_effort": "low"}),
        (['stop=["a", "b"]'], {"stop": ["a", "b"]}),
        (
            ["provider.sort=price", "provider.only.0=x"],
            {"provider": {"sort": "price", "only": {"0": "x"}}},
        ),
        (["user="], {"user": ""}),
        (["think=False"], {"think": "False"}),
        (['n="1"'], {"n": "1"}),
    ],
)
def test_options_are_json_or_text(words: list[str], found: dict[str, JsonValue]) -> None:
    """JSON is parsed, everything else is a text; dots nest objects."""
    assert found == endpoint.parse_options(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=gpt"], "model cannot be set: it is set by model_id"),
        (["stream=true"], "stream cannot be set: the arena reads whole answers"),
        (["messages=[]"], "messages cannot be set"),
        (["top_k"], "is not KEY=VALUE"),
        (["a..b=1"], "is not KEY=VALUE"),
        (["a=1", "a=2"], "a is given twice"),
        (["a=1", "a.b=2"], "nests in a"),
        (["a=NaN"], "which JSON cannot represent"),
        (["extra.api_key=1"], "is a secret"),
        (["user=sk-0123456789ab"], "contains a secret"),
        (["a=" + "[" * 9 + "]" * 9], "nested deeper"),
        ([f"k{i}=1" for i in range(33)], "33 options; the limit is 32"),
        (["a=" + "x" * 9000], "the limit is 8,192"),
    ],
)
def test_options_that_cannot_be_sent_are_refused(words: list[str], message: str) -> None:
    """The message names the option and the reason."""
    with pytest.raises(ValueError, match=r".") as refused:
        endpoint.parse_options(words)

    assert message in str(refused.value)


def test_toml_option_null_text_is_null() -> None:
    """TOML has no null, and its decimals become JSON numbers."""
    options = {"seed": "null", "top_p": Decimal("0.9"), "kwargs": {"think": "null", "n": [1]}}
    found = endpoint.options_of_toml(options)

    assert {"seed": None, "top_p": 0.9, "kwargs": {"think": None, "n": [1]}} == found


NAMES = st.from_regex(r"[a-z_]{1,10}", fullmatch=True).filter(
    lambda name: name not in (*endpoint.PROTECTED_OPTIONS, "apikey", "secret", "password")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_flags_of_options_are_read_back(options: dict[str, JsonValue]) -> None:
    """The content of a file reaches the chat node unchanged, on one command line."""
    try:
        checked = endpoint.check_options(options)
    except ValueError:
        return
    words = endpoint.option_flags(checked)

    assert json.dumps(checked) == json.dumps(endpoint.parse_options(words[1::2]))
    assert {"--option"} == set(words[0::2]) or not checked

"""The chat nodes of an ARENA.toml: their commands, environment and checks."""

from decimal import Decimal
from pathlib import Path

import pytest

from arena.endpoint import parse_headers, parse_options
from arena.errors import UsageError
from arena.model_prices import load_prices
from operations.specs.arena_spec import ArenaSpec, parse_spec
from operations.supervisor.plan import (
    LaunchContext,
    chat_node_command,
    plan,
    require_keys,
    require_prices,
)

NODE = """\
[[chat_nodes]]
name = "own"
model_id = "toy"
base_url = "http://localhost:8080/v1"
api_key_env = "TOY_KEY"
"""
AGENTS = """\
[[chat_nodes]]
name = "rules"
model_id = "scripted"

[[agents]]
name = "a"
strategy = "momentum"
chat_node = "own"
"""
CONTEST = """\
[market]
source = "replay"

[competition]
snapshots = 3
baselines = ["cash"]
"""
MORE = """\
cutoff = "2025-08"
price_per_million = { input = 0.1, output = "0.40" }
extra_headers = { "X-Title" = "arena", "api-key" = "env:TOY_HEADER" }

[chat_nodes.options]
top_k = 40
temperature = 0.7
seed = "null"
reasoning = { effort = "low", exclude = true }
"""


def spec_of(node: str, *rest: str) -> ArenaSpec:
    """An arena with this chat node."""
    return parse_spec("\n".join((node, AGENTS, *rest)), path="a.toml")


def refusal(node: str) -> str:
    """The error of an invalid chat node."""
    with pytest.raises(UsageError) as refused:
        spec_of(node)
    return str(refused.value)


def test_options_headers_and_a_price_reach_the_command() -> None:
    """Options as JSON, headers without their secrets, the price with every digit."""
    words = chat_node_command(spec_of(NODE + MORE).chat_nodes[0])
    flags = [(words[i], words[i + 1]) for i in range(len(words) - 1)]

    assert ("--price", "input=0.1,output=0.40") in flags
    assert ("--cutoff", "2025-08") in flags
    assert {
        "top_k": 40,
        "temperature": 0.7,
        "seed": None,
        "reasoning": {"effort": "low", "exclude": True},
    } == parse_options(value for flag, value in flags if flag == "--option")
    assert {"X-Title": "arena", "api-key": "env:TOY_HEADER"} == parse_headers(
        value for flag, value in flags if flag == "--extra-header"
    )


def test_variable_of_a_header_reaches_only_its_node() -> None:
    """As with keys, other processes do not get it."""
    spec = spec_of(NODE + MORE)
    context = LaunchContext(launcher=("arena",), environ={}, directory=Path("/spec"))
    hidden = {process.name: process.without for process in plan(spec, context)}

    assert not {"TOY_KEY", "TOY_HEADER"} & hidden.pop("chat-node-own")
    assert hidden
    assert all({"TOY_KEY", "TOY_HEADER"} <= names for names in hidden.values())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('base_url = "localhost:8080/v1"', "line 4: [[chat_nodes]] number 1, base_url:"),
        ('base_url = "localhost:8080/v1"', "write http://localhost:8080/v1"),
        ('base_url = ""', "has no scheme"),
        ('base_url = "https://me:hunter2@host/v1"', "a login in an address is visible"),
        ('extra_headers = { Authorization = "Bearer hunter2" }', "env:VARIABLE"),
        ("options = { model = 'x' }", "model cannot be set"),
        ("options = 7", "should be a valid dictionary"),
        ("price_per_million = { input = -1, output = 1 }", "price_per_million"),
        ("price_per_million = { input = 1 }", "price_per_million"),
        ('cutoff = "August 2025"', "'August 2025', not a month; write YYYY-MM such as 2025-08"),
        ("price_per_million = { input = 1, output = 1, prompt = 2 }", "price_per_million"),
        ("max_completion_tokens = 90\ndaily_token_budget = 80", "80 tokens are too few"),
    ],
)
def test_invalid_chat_node_is_refused(line: str, said: str) -> None:
    """The error has the table, the key and the remedy, but no secret."""
    kept = "".join(row for row in NODE.splitlines(keepends=True) if row[:8] != line[:8])
    said_all = refusal(kept.replace('"toy"\n', f'"toy"\n{line}\n'))

    assert said in said_all
    assert "hunter2" not in said_all


def test_header_needs_its_variable() -> None:
    """The error before the start names the node and the variable."""
    spec = spec_of(NODE + MORE)
    require_keys(spec, {"TOY_HEADER": "x"})

    with pytest.raises(UsageError, match="chat node own: header api-key: .*TOY_HEADER is not set"):
        require_keys(spec, {})


def test_authorization_header_replaces_a_key() -> None:
    """OpenAI's address needs a key or an authorization header."""
    url = 'base_url = "http://localhost:8080/v1"\n'
    with pytest.raises(UsageError, match="TOY_KEY is not set"):
        require_keys(spec_of(NODE.replace(url, "")), {})

    require_keys(spec_of((NODE + MORE).replace(url, "")), {"TOY_HEADER": "x"})


def test_address_in_the_environment_is_checked() -> None:
    """`OPENAI_BASE_URL` must be valid like any other address."""
    with pytest.raises(UsageError, match="OPENAI_BASE_URL: 'host/v1' has no scheme"):
        require_keys(
            spec_of(NODE.replace("base_url", "# base_url")),
            {"OPENAI_BASE_URL": "host/v1", "TOY_KEY": "k"},
        )


@pytest.mark.parametrize(
    ("node", "contest", "fits"),
    [
        (NODE, "llm_budget_usd = 1", False),
        (NODE, "", True),
        (NODE + MORE, "llm_budget_usd = 1", True),
        (NODE.replace('"toy"', '"gpt-5-nano"'), "llm_budget_usd = 1", True),
        (NODE.replace('"toy"', '"scripted"'), "llm_budget_usd = 1", True),
        (NODE, 'llm_budget_usd = 1\nreplies = "replay"', True),
    ],
)
def test_budget_in_dollars_needs_prices(node: str, contest: str, fits: bool) -> None:
    """The error has node, model and remedy; rules and replayed replies cost nothing."""
    spec = spec_of(node, CONTEST + contest)
    if fits:
        require_prices(spec, load_prices())
        return
    with pytest.raises(UsageError, match="price_per_million = { input") as refused:
        require_prices(spec, load_prices())

    assert "model 'toy' of chat node own" in str(refused.value)
    assert "llm_budget_usd = 1 " in str(refused.value)


def test_unused_node_needs_no_price() -> None:
    """No agent uses it."""
    spare = NODE.replace('"own"', '"spare"')
    spec = spec_of(spare, NODE + MORE, CONTEST + "llm_budget_usd = 1")

    require_prices(spec, load_prices())


def test_price_is_counted_exactly() -> None:
    """Numbers of the file are never converted to floats."""
    price = spec_of(NODE + MORE).chat_nodes[0].price_per_million

    assert price is not None
    assert (Decimal("0.1"), Decimal("0.40"), Decimal("0.1")) == (
        price.price.prompt,
        price.price.completion,
        price.price.cached,
    )

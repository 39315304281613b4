"""Seasons of accounts in several currencies: a wealth index, and amounts per currency."""

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from arena.errors import UsageError
from arena.fold_checkpoint import FoldPositions
from arena.messages import Evaluation
from arena.metrics.returns import max_drawdown, total_return
from arena.money import PRICE_SCALE, SCALE, PriceUnits
from judge.evaluations.check_fold import TurnChecks
from judge.leaderboard import leaderboard
from judge.leaderboard_text import render_leaderboard
from judge.metrics import measure
from judge.metrics_currencies import currency_amounts
from judge.report.compare import compare_runs
from judge.report.facts import ReportOptions, figures, make_facts, read_facts
from judge.report.page import html, markdown
from judge.report.plots import make_charts
from judge.report.verify import verify_report
from judge.report.write import write_report
from judge.season import Season
from judge.season.checkpoint_format import SeasonPacker, WalletsHead, read_head, restore
from judge.stress import held_and_losses
from tests.dashboard.scenario import Scenario
from tests.judge.seasons import export_run, fold_records

TWO = (("a", "momentum", "agent"), ("b", "scalper", "agent"))
CASH = {"USDT": Decimal(25_000)}
SNAPSHOTS = 70


@pytest.fixture(scope="module")
def arena() -> Scenario:
    """Two agents with 100,000 USD and 25,000 USDT that trade on two venues."""
    return Scenario(agents=TWO, wallets=CASH).run(SNAPSHOTS)


@pytest.fixture(scope="module")
def season(arena: Scenario) -> Season:
    """The whole season."""
    return fold_records(arena.records).season()


@pytest.fixture(scope="module")
def evaluation(season: Season) -> Evaluation:
    """Its evaluation."""
    return leaderboard(season, resamples=199).evaluation


def test_index_is_the_mean_over_currencies(arena: Scenario, season: Season) -> None:
    """Half of each account's growth counts, whatever one unit is worth in the other."""
    bids = zip(season.products, season.bids[-1], strict=True)
    marks = {product: PriceUnits(round(bid * PRICE_SCALE)) for product, bid in bids}
    for index, name in enumerate(season.names):
        main, wallet = arena.shard.accounts[name], arena.shard.wallets[name]["USDT"]
        dollars = main.equity(marks) / SCALE
        tethers = wallet.equity(marks) / SCALE

        assert pytest.approx(dollars, abs=1e-6) == season.parts[0].equity[-1, index]
        assert pytest.approx(tethers, abs=1e-6) == season.parts[1].equity[-1, index]
        wanted = (dollars / 100_000 + tethers / 25_000) / 2
        assert pytest.approx(wanted, abs=1e-10) == season.equity[-1, index]
        assert main.fills
        assert wallet.fills
    assert ("USD", "USDT") == season.currencies
    assert np.all(season.equity[0] == 1)
    assert 1 == season.hold[0]
    assert 0.9 < season.hold[-1] < 1.1
    np.testing.assert_allclose(season.equity, season.cash + season.exposure.sum(axis=2))


def test_each_product_is_settled_in_one_currency(season: Season) -> None:
    """Products of both venues are in the season, each in one part."""
    assert ("BTC-USD", "ETH-USD", "SOL-USD") == season.parts[0].products
    assert ("binance:BTCUSDT", "binance:ETHUSDT") == season.parts[1].products
    assert "USDT" == season.currency_of("binance:BTCUSDT")
    assert pytest.approx(0.5 / 25_000) == season.per_unit(0, "binance:BTCUSDT")


def test_untraded_product_belongs_to_its_quote_currency() -> None:
    """A product that no account can buy is in no market index."""
    arena = Scenario(agents=(("a", "cash", "agent"),), wallets=CASH)
    arena.prices["ETH-EUR"] = Decimal(3_000)
    found = fold_records(arena.run(5).records).season()

    assert "ETH-EUR" in found.products
    assert all("ETH-EUR" not in part.products for part in found.parts)
    assert "binance:BTCUSDT" in found.parts[1].products
    assert np.all(found.equity == 1)


def test_ratios_are_of_the_index_and_amounts_of_their_currency(season: Season) -> None:
    """Nothing is summed over the currencies but shares of starting cash."""
    for index in range(len(season.entries)):
        found, curve = measure(season, index), season.equity[:, index]
        (wallet,) = found.wallets
        main_fills = [f for f in season.fills[index] if f.product_id.endswith("-USD")]
        tether_fills = [f for f in season.fills[index] if f.product_id.endswith("USDT")]
        fall = max_drawdown(curve)

        assert total_return(curve) == found.total_return
        assert fall is not None
        assert fall.depth == found.max_drawdown
        assert season.parts[0].equity[-1, index] == found.equity_usd
        assert ("USDT", season.parts[1].equity[-1, index]) == (wallet.currency, wallet.equity_usd)
        assert sum(f.fee for f in main_fills) / SCALE == pytest.approx(found.fees_usd)
        assert sum(f.fee for f in tether_fills) / SCALE == pytest.approx(wallet.fees_usd)
        assert len(season.fills[index]) == found.trades
        assert len(tether_fills) == wallet.trades
        costs = [
            sum(f.fee + f.slippage for f in fills) / SCALE for fills in (main_fills, tether_fills)
        ]
        gross = curve[-1] + costs[0] / 200_000 + costs[1] / 50_000
        assert pytest.approx(gross - 1) == found.gross_return
        assert found.exposure is not None
        assert 0 <= found.exposure <= 1
    held, losses = held_and_losses(season)
    assert held.max() > 0.05
    assert losses.max() < 0.2


def test_model_costs_are_paid_from_the_dollars(season: Season) -> None:
    """Of an account of 100,000 USD with half of the weight, 100 USD are 0.05 %."""
    spent = tuple(replace(one, cost_usd=Decimal(100)) for one in season.llm)
    found = measure(replace(season, llm=spent), 0)
    euros = replace(season.assumptions, currency="EUR", wallets=(("BTC", Decimal(1)),))
    other = measure(replace(season, llm=spent, assumptions=euros), 0)

    assert found.total_return is not None
    assert pytest.approx(found.total_return - 0.0005) == found.net_return
    assert other.net_return is None


def test_evaluation_has_amounts_per_currency(season: Season, evaluation: Evaluation) -> None:
    """The fields of one currency hold the main one; `wallets` has the other."""
    row = next(row for row in evaluation.rows if row.agent == "a")
    main, wallet = currency_amounts(season, season.names.index("a"))

    assert ("USD", ("USDT",)) == (evaluation.currency, evaluation.wallets)
    assert pytest.approx(main.equity_usd) == float(row.equity_usd)
    assert ["USDT"] == [one.currency for one in row.wallets]
    assert pytest.approx(wallet.equity_usd) == float(row.wallets[0].equity)
    assert pytest.approx(wallet.fees_usd) == float(row.wallets[0].fees)
    assert evaluation == Evaluation.model_validate_json(evaluation.model_dump_json())
    assert any("wealth index" in line for line in evaluation.assumptions)
    assert any("100,000.00 USD and 25,000.00 USDT" in line for line in evaluation.assumptions)
    text = render_leaderboard(evaluation)
    assert "equity USD" in text
    assert "equity USDT" in text
    assert "Amounts in USDT" in text


def test_means_of_repeats_are_per_currency() -> None:
    """A cell's amounts are means over its repeats, in each currency."""
    repeats = tuple((f"momentum-rules-{n}", "momentum", "agent") for n in (1, 2))
    season = fold_records(Scenario(agents=repeats, wallets=CASH).run(30).records).season()
    (row,) = leaderboard(season, resamples=199).evaluation.rows
    mean = season.parts[1].equity[-1].mean()

    assert 2 == len(row.repeats)
    assert pytest.approx(mean) == float(row.wallets[0].equity)
    assert {"USDT"} == set(row.repeats[0].wallets)


def test_one_currency_has_no_new_fields() -> None:
    """Evaluations have the bytes of earlier versions."""
    season = fold_records(Scenario(agents=TWO).run(20).records).season()
    text = leaderboard(season, resamples=199).evaluation.model_dump_json()

    assert () == season.parts
    assert "wallets" not in text


def test_position_that_cannot_be_sold_is_named_in_its_currency(season: Season) -> None:
    """Not as a share of an index."""
    product = "binance:BTCUSDT"
    column = season.products.index(product)
    exposure = season.exposure.copy()
    exposure[-1, :, column] = 0.25
    closed = replace(season.assumptions, restricted=((product, "offline"),))
    found = leaderboard(replace(season, exposure=exposure, assumptions=closed), resamples=199)

    assert any("12,500.00 USDT of binance:BTCUSDT" in text for text in found.evaluation.warnings)


def test_checkpoint_continues_a_season(arena: Scenario, season: Season) -> None:
    """Products keep their currencies; without wallets the head has its older form."""
    half = len(arena.records) // 2
    builder = fold_records(arena.records[:half])
    packed = SeasonPacker().pack(builder, FoldPositions({}), TurnChecks())
    assert packed is not None
    restored, _, _ = restore(read_head(packed.head), [packed.segment])
    for record in arena.records[half:]:
        restored.apply(record)
    plain = SeasonPacker().pack(
        fold_records(Scenario().run(3).records), FoldPositions({}), TurnChecks()
    )

    assert np.array_equal(season.equity, restored.season().equity)
    assert season.assumptions == restored.season().assumptions
    assert plain is not None
    assert {} == read_head(plain.head).settled
    assert len(WalletsHead.__struct_fields__) - 1 == _fields(plain.head)
    assert len(WalletsHead.__struct_fields__) == _fields(packed.head)


def _fields(head: bytes) -> int:
    """Number of fields of a packed head: the length of a MessagePack array of 16 or more."""
    assert 0xDC == head[0]
    return int.from_bytes(head[1:3], "big")


def test_part_of_a_season_is_a_prefix(arena: Scenario, season: Season) -> None:
    """Looks decide on the season as it was."""
    part = fold_records(arena.records).season(39)

    assert np.array_equal(season.equity[:40], part.equity[:40])
    assert np.array_equal(season.parts[1].equity[:40], part.parts[1].equity[:40])
    assert np.array_equal(season.hold[:40], part.hold[:40])


async def test_report_shows_every_amount_in_its_currency(tmp_path: Path) -> None:
    """The report is written, verified, and never calls an index an amount."""
    run = await export_run(tmp_path / "run", snapshots=SNAPSHOTS, agents=TWO, wallets=CASH)
    facts = read_facts(run, ReportOptions())
    write_report(facts, run / "report")
    page, tree = html(facts), figures(facts)

    assert not verify_report(run, run / "report").differences
    for text in ("equity, USDT", "equity USDT", "Trading costs, USD and USDT", "USD and USDT"):
        assert text in page
    assert "equity USD<" in page
    assert "Returns, intervals, Sharpe and drawdown are of the wealth index" in page
    assert "Wealth index over USD and USDT" in page
    assert ["USD", "USDT"] == tree["season"]["currencies"]
    assert "hold_usd" not in tree["season"]
    assert "equity_USDT" in tree["entries"][0]
    assert "binance:BTCUSDT" in markdown(facts)
    charts = make_charts(facts, None)
    assert all(re.fullmatch(r"[01]\.\d{6}", cell) for cell in charts["equity"].rows[0][1:])
    assert "fees, wealth index" in charts["costs"].head


def test_runs_of_other_currencies_are_not_compared(season: Season) -> None:
    """Runs of the same currencies are compared by their indices."""
    two = make_facts("two", season, ReportOptions())
    one = make_facts(
        "one", fold_records(Scenario(agents=TWO).run(SNAPSHOTS).records).season(), two.options
    )
    with pytest.raises(UsageError, match="of two hold USD and USDT, those of one USD") as caught:
        compare_runs(two, one)

    assert "hold the same currencies" in caught.value.remedy
    found = compare_runs(two, two)
    assert found.paired
    assert found.why.endswith("; returns are of the wealth index over USD and USDT")


def test_entry_without_a_wallet_is_judged_by_what_it_holds() -> None:
    """Its account was opened before the rules had wallets; the report says so."""
    arena = Scenario(agents=(("a", "momentum", "agent"),))
    arena.wallets = CASH
    arena.claim(Decimal(60))
    arena.join("b", "cash", "agent")
    arena.agents += (("b", "cash", "agent"),)
    arena.prices |= {"binance:BTCUSDT": Decimal(67_000)}
    arena.snapshot()
    for name, order in (("a", ("BTC-USD", "0.5")), ("b", ("binance:BTCUSDT", "0.1"))):
        started = arena.begin_turn(name)
        product, quantity = order
        arena.end_turn(started, arena.order(name, "buy", product, Decimal(quantity)), "buy")
    arena.advance(60)
    arena.snapshot()
    season = fold_records(arena.records).season()
    alone, both = (currency_amounts(season, n) for n in (0, 1))

    assert (0.0, 0) == (alone[1].equity_usd, alone[1].trades)
    assert pytest.approx(alone[0].equity_usd / 100_000) == season.equity[-1, 0]
    wanted = (both[0].equity_usd / 100_000 + both[1].equity_usd / 25_000) / 2
    assert pytest.approx(wanted) == season.equity[-1, 1]
    assert "a holds USD alone: its index is over that." in season.assumptions.notes


def test_changed_wallets_are_changed_rules(arena: Scenario) -> None:
    """The sentence names the cash of every wallet."""
    changed = Scenario(agents=TWO, wallets=CASH).run(10)
    changed.wallets = {"USDT": Decimal(30_000)}
    changed.claim(Decimal(60))
    known = fold_records(changed.run(10).records).season().assumptions

    assert "wallets with 25,000.00 USDT from" in known.rules_changed
    assert "wallets with 30,000.00 USDT from" in known.rules_changed

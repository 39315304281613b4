"""A coin with twelve decimals and positions of trillions, from the log to every output."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from arena.bus.base import Record
from arena.exports import read_records
from arena.fold_checkpoint import FoldPositions
from arena.messages import OrderDecided
from arena.money import from_units
from dashboard.model.frame import build_frame
from dashboard.model.view import ArenaView
from dashboard.model.view_checkpoint import pack_view, unpack_view
from dashboard.terminal.screen import render
from dashboard.terminal.ui import Ui
from judge.report import files
from judge.report.facts import ReportOptions, make_facts
from judge.report.page import html
from judge.season import SeasonBuilder
from tests.ledger.audit.conftest import MEME_COIN

TRILLIONS = Decimal(10) ** 13
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def records(sound_records: Path) -> list[Record]:
    """All records of the contest."""
    return list(read_records(sound_records))


@pytest.fixture(scope="module")
def fill(records: list[Record]) -> OrderDecided:
    """The largest buy of the coin."""
    messages = [r.message() for r in records if r.kind == "OrderDecided"]
    orders = [m for m in messages if isinstance(m, OrderDecided) and m.outcome == "filled"]
    bought = [m for m in orders if m.product_id == MEME_COIN and m.action == "buy"]
    return max(bought, key=lambda m: m.position_after or 0)


def test_contest_traded_trillions(fill: OrderDecided) -> None:
    """The other tests here would prove nothing without such a position."""
    assert fill.price is not None
    assert fill.position_after is not None
    assert fill.position_after >= TRILLIONS
    assert fill.price.as_tuple().exponent == -12


def test_judge_values_it_exactly(records: list[Record], fill: OrderDecided) -> None:
    """The equity equals that of the fold, and the price keeps every digit, in page and files."""
    builder = SeasonBuilder()
    for record in records:
        builder.apply(record)
    season = builder.season()
    facts = make_facts("meme", season, ReportOptions())
    shards = builder.folds.accounts.shards.values()
    accounts = {name: one for shard in shards for name, one in shard.accounts.items()}
    last = builder.folds.market.snapshots[-1].quotes
    bids = {product: bid for product, (bid, _) in last.items()}

    for index, name in enumerate(season.names):
        equity = float(from_units(accounts[name].equity(bids)))
        assert equity == pytest.approx(season.equity[-1, index], rel=1e-12)
    rows = [r for r in files.parse_csv(files.fills_csv(season)) if r["order_id"] == fill.order_id]
    assert [str(fill.price)] == [f"{Decimal(row['price']):E}" for row in rows]
    assert f"buy {fill.quantity:,f} {MEME_COIN}" in html(facts)


def test_dashboard_shows_it_and_restores_it(records: list[Record], fill: OrderDecided) -> None:
    """The position is readable, and a restored view shows the same."""
    view = ArenaView()
    for record in records:
        view.apply(record)
    packed = pack_view(view, FoldPositions())
    assert packed is not None
    again, _ = unpack_view(packed)
    frame = build_frame(view, NOW, points=100, trades=100)
    shown = "\n".join(line.plain for line in render(frame, Ui(), 200, 99).lines)

    assert f"{fill.price:f}" in shown
    assert re.search(rf"{MEME_COIN} +[0-9.]+T ", shown)
    assert view.market.marks == again.market.marks
    assert view.accounts.by_agent == again.accounts.by_agent

"""The dashboard of accounts in several currencies: a wealth index, and amounts per currency."""

from dataclasses import replace
from decimal import Decimal

import pytest

from arena.fold_checkpoint import FoldPositions
from arena.money import from_units
from dashboard.model.frame import Frame, build_frame
from dashboard.model.standings import standings
from dashboard.model.view import CHECKPOINTED, ArenaView
from dashboard.model.view_checkpoint import WalletsImage, pack_view, unpack_view
from dashboard.model.wealth import INDEX_ONE, index_of
from dashboard.terminal.screen import render
from dashboard.terminal.standings_text import progress_line, render_standings
from dashboard.terminal.ui import Ui
from judge.season import SeasonBuilder
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of

CASH = {"USDT": Decimal(25_000)}


@pytest.fixture(scope="module")
def arena() -> Scenario:
    """Agents with 100,000 USD and 25,000 USDT that trade on two venues."""
    return Scenario(wallets=CASH).run(60)


@pytest.fixture(scope="module")
def view(arena: Scenario) -> ArenaView:
    """The view of all records."""
    return view_of(arena.records)


@pytest.fixture(scope="module")
def frame(arena: Scenario, view: ArenaView) -> Frame:
    """The frame at the end."""
    return build_frame(view, arena.wall, agent="momentum")


def lines_of(frame: Frame, ui: Ui, width: int = 80, height: int = 24) -> list[str]:
    """The lines of a screen."""
    return [line.plain for line in render(frame, ui, width, height).lines]


def test_index_is_a_mean_of_growth() -> None:
    """Twice the dollars and half of the tethers is a quarter more."""
    assert INDEX_ONE * 5 // 4 == index_of(((200, 100), (5, 10)))
    assert INDEX_ONE * 2 == index_of(((200, 100), (5, 0)))
    assert 0 == index_of(())


def test_agents_are_ranked_by_growth(arena: Scenario, frame: Frame) -> None:
    """The equities of two currencies have no order."""
    bids = view_of(arena.records).market.bids
    for row in frame.ranking:
        accounts = [arena.shard.accounts[row.agent], arena.shard.wallets[row.agent]["USDT"]]
        growth = [Decimal(one.equity(bids)) / one.opening for one in accounts]
        wanted = sum(growth, Decimal(0)) / 2 - 1

        assert row.gain is not None
        assert abs(wanted - Decimal(row.gain) / row.whole) < Decimal("1e-11")
        assert sum(one.fills for one in accounts) == row.fills
    gains = [row.gain or 0 for row in frame.ranking]
    assert sorted(gains, reverse=True) == gains


def test_curves_end_near_the_index_of_the_judge(arena: Scenario, frame: Frame) -> None:
    """Both rooms compute the same index at the last snapshot that no order answered yet."""
    builder = SeasonBuilder()
    for record in arena.records:
        builder.apply(record)
    season = builder.season()
    for series in frame.series:
        value = series.values[-1][1]
        assert value is not None
        assert INDEX_ONE == series.opening
        column = season.names.index(series.agent)
        assert season.equity[-2, column] == pytest.approx(value / INDEX_ONE, abs=1e-9)


def test_document_has_amounts_per_currency(arena: Scenario, view: ArenaView) -> None:
    """The keys of the row hold the main account, and positions and counts of all accounts."""
    document = standings(view, arena.wall)
    agents = document["agents"]
    assert isinstance(agents, list)
    assert ("USD", ["USDT"]) == (document["currency"], document["wallets"])
    for row in agents:
        assert isinstance(row, dict)
        currencies, positions = row["currencies"], row["positions"]
        assert isinstance(currencies, list)
        assert isinstance(positions, dict)
        main, wallet = currencies
        assert isinstance(main, dict)
        assert isinstance(wallet, dict)
        account = arena.shard.wallets[str(row["agent"])]["USDT"]

        assert set(arena.prices) == set(positions)
        assert ("USD", "USDT") == (main["currency"], wallet["currency"])
        assert (row["cash_usd"], row["equity_usd"]) == (main["cash"], main["equity"])
        assert from_units(account.cash) == Decimal(str(wallet["cash"]))
        assert account.fills == wallet["trades"]


def test_document_of_one_currency_has_no_new_keys() -> None:
    """Programs read what they always read."""
    arena = Scenario().run(5)
    document = standings(view_of(arena.records), arena.wall)

    assert "wallets" not in document
    assert "currencies" not in str(document)


def test_standings_have_a_column_per_currency(frame: Frame) -> None:
    """Each amount is in one currency; the leader's line has only its return."""
    head, first, *_ = render_standings(frame).splitlines()

    for title in ("equity USD", "equity USDT", "return", "fees USD", "fees USDT"):
        assert title in head
    assert "%" in first
    assert f"#1 {frame.ranking[0].agent} +" in progress_line(frame)


def test_ranking_shows_an_index_and_no_amounts(frame: Frame) -> None:
    """Sums over currencies are nowhere; the legend says what is shown."""
    text = "\n".join(lines_of(frame, Ui(agent="momentum"), 160, 40))

    assert "wealth index over USD + USDT" in text
    assert "index" in text
    assert "lat. cost" not in text
    assert "USDT" in text


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 40), (40, 12)])
@pytest.mark.parametrize("screen", ["main", "agent", "help"])
def test_lines_have_the_width_of_the_terminal(
    frame: Frame, screen: str, width: int, height: int
) -> None:
    """Product names of another venue do not push figures out."""
    ui = Ui(screen=screen, agent="momentum")  # type: ignore[arg-type]  # a parametrized literal
    lines = render(frame, ui, width, height).lines

    assert {width} == {line.cell_len for line in lines}
    assert height == len(lines)


def test_positions_and_trades_fit_a_small_terminal(frame: Frame) -> None:
    """The main screen has product, quantity and profit with its unit at 80x24."""
    other = [row for row in frame.positions if row.unit == "USDT"]
    lines = lines_of(replace(frame, positions=tuple(other)), Ui(agent="momentum"))
    shown = "\n".join(lines)

    assert other
    assert "ETHUSDT" in shown
    assert " USDT │" in shown
    assert "binance:BTCUSDT" in shown  # a trade; its pane has the whole width


def test_same_symbol_on_two_venues_keeps_its_venue(frame: Frame) -> None:
    """A shortened name must not be ambiguous."""
    (first, *_) = [row for row in frame.positions if row.unit == "USDT"]
    twin = replace(first, product_id=first.product_id.removeprefix("binance:"))
    lines = lines_of(replace(frame, positions=(first, twin)), Ui(agent="momentum"))

    assert "binance:" in "".join(line[36:60] for line in lines[9:14])


def test_agent_screen_has_a_line_per_currency(frame: Frame) -> None:
    """Equity, return in that currency, cash, fees and profit, each with its unit."""
    lines = lines_of(frame, Ui(screen="agent", agent="momentum"))

    assert "wealth index" in lines[2]
    assert lines[3].startswith("│ USD ")
    assert lines[4].startswith("│ USDT ")
    assert "cash" in lines[4]


def test_checkpoint_continues_the_view(arena: Scenario, view: ArenaView) -> None:
    """Curves of wallets are kept; without wallets the image has its older form."""
    half = len(arena.records) // 2
    packed = pack_view(view_of(arena.records[:half]), FoldPositions({}))
    plain = pack_view(view_of(Scenario().run(3).records), FoldPositions({}))
    assert packed is not None
    assert plain is not None
    restored, _ = unpack_view(packed)
    others = [one for one in arena.records[:half] if one.topic not in CHECKPOINTED]
    for record in (*others, *arena.records[half:]):
        restored.apply(record)

    assert standings(view, arena.wall)["agents"] == standings(restored, arena.wall)["agents"]
    assert view.accounts.values("momentum", view.snapshots) == restored.accounts.values(
        "momentum", restored.snapshots
    )
    fields = len(WalletsImage.__struct_fields__)
    assert (fields, fields - 1) == (_fields(packed), _fields(plain))


def _fields(image: bytes) -> int:
    """Number of fields of a packed view: the length of a MessagePack array of 16 or more."""
    assert 0xDC == image[0]
    return int.from_bytes(image[1:3], "big")

"""Positions that the venue does not let agents sell are named with holder, value and reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from arena.messages import MarketSnapshot, ProductView
from judge.season.market_fold import MarketFold
from judge.season.types import Season
from judge.unsellable_positions import POSITIONS_SHOWN, unsellable_note
from tests.judge.seasons import make_season

DELISTED = "delisted: it cannot be traded"


def season_with(restricted: tuple[tuple[str, str], ...], held: float = 1_234.5) -> Season:
    """A short season whose first entry has SOL-USD at the end; no other entry has it."""
    season = make_season(snapshots=12)
    exposure = season.exposure.copy()
    exposure[-1, :, 1] = 0.0
    exposure[-1, 0, 1] = held
    assumptions = replace(season.assumptions, restricted=restricted)
    return replace(season, exposure=exposure, assumptions=assumptions)


def test_a_position_that_cannot_be_sold_is_named() -> None:
    """One sentence with the holder, its value and the reason."""
    season = season_with((("SOL-USD", DELISTED),))

    assert (
        "1 position could not be sold at the end and is counted at the last bid:"
        f" {season.names[0]} holds 1,234.50 USD of SOL-USD, which is {DELISTED}."
    ) == unsellable_note(season)


def test_a_small_amount_of_bitcoin_keeps_its_digits() -> None:
    """A position worth a thousandth of a bitcoin is not printed as 0."""
    season = season_with((("SOL-USD", DELISTED),), held=0.0015)
    season = replace(season, assumptions=replace(season.assumptions, currency="BTC"))

    assert "holds 0.00150000 BTC of SOL-USD" in unsellable_note(season)


def test_other_positions_have_no_warning() -> None:
    """A product that is traded, not in a position, or never priced has no warning."""
    assert "" == unsellable_note(season_with(()))
    assert "" == unsellable_note(season_with((("SOL-USD", DELISTED),), held=0.0))
    assert "" == unsellable_note(season_with((("OLD-USD", DELISTED),)))


def test_many_unsellable_positions_are_counted() -> None:
    """The sentence has a bounded length."""
    season = season_with((("SOL-USD", DELISTED),))
    exposure = season.exposure.copy()
    exposure[-1, :, 1] = 1.0
    note = unsellable_note(replace(season, exposure=exposure))

    assert note.startswith(f"{len(season.entries)} positions could not be sold at the end and are")
    assert note.endswith(f"; and {len(season.entries) - POSITIONS_SHOWN} more.")


def test_the_newest_snapshot_decides_what_is_restricted() -> None:
    """A trading mode that ended restricts nothing."""
    market = MarketFold()
    start = datetime(2026, 11, 21, tzinfo=UTC)
    for index, views in enumerate(
        (
            (ProductView(product_id="SOL-USD", modes=("limit_only",)),),
            (
                ProductView(product_id="SOL-USD"),
                ProductView(product_id="OLD-USD", status="delisted"),
            ),
        )
    ):
        at = start + timedelta(minutes=index)
        snapshot = MarketSnapshot(
            snapshot_id=str(index),
            venue="coinbase",
            as_of=at,
            interval_s=60.0,
            products=views,
            published_at=at,
        )
        market.apply(0, index, snapshot)

    assert {"OLD-USD": DELISTED} == market.restricted

"""Positions that the venue does not let go of: said with holder, value and reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from arena.messages import MarketSnapshot, ProductView
from judge.season.market_fold import MarketFold
from judge.season.types import Season
from judge.unsellable_positions import POSITIONS_SHOWN, unsellable_note
from tests.judge.seasons import make_season

DELISTED = "delisted: it cannot be traded"


def season_with(restricted: tuple[tuple[str, str], ...], held: float = 1_234.5) -> Season:
    """A short season whose first entry holds SOL-USD at the end, and no other entry."""
    season = make_season(snapshots=12)
    exposure = season.exposure.copy()
    exposure[-1, :, 1] = 0.0
    exposure[-1, 0, 1] = held
    assumptions = replace(season.assumptions, restricted=restricted)
    return replace(season, exposure=exposure, assumptions=assumptions)


def test_a_position_that_cannot_be_sold_is_named() -> None:
    """One sentence with who holds it, what it is counted at, and why."""
    season = season_with((("SOL-USD", DELISTED),))

    assert (
        "1 position could not be sold at the end and is counted at the last bid:"
        f" {season.names[0]} holds 1,234.50 USD of SOL-USD, which is {DELISTED}."
    ) == unsellable_note(season)


def test_a_small_amount_of_bitcoin_is_not_shown_as_nothing() -> None:
    """A position that is worth a thousandth of a bitcoin keeps its digits."""
    season = season_with((("SOL-USD", DELISTED),), held=0.0015)
    season = replace(season, assumptions=replace(season.assumptions, currency="BTC"))

    assert "holds 0.00150000 BTC of SOL-USD" in unsellable_note(season)


def test_without_one_nothing_is_said() -> None:
    """Neither for a product that is traded, nor for one that is not held or was never priced."""
    assert "" == unsellable_note(season_with(()))
    assert "" == unsellable_note(season_with((("SOL-USD", DELISTED),), held=0.0))
    assert "" == unsellable_note(season_with((("OLD-USD", DELISTED),)))


def test_many_are_counted() -> None:
    """The sentence is bounded."""
    season = season_with((("SOL-USD", DELISTED),))
    exposure = season.exposure.copy()
    exposure[-1, :, 1] = 1.0
    note = unsellable_note(replace(season, exposure=exposure))

    assert note.startswith(f"{len(season.entries)} positions could not be sold at the end and are")
    assert note.endswith(f"; and {len(season.entries) - POSITIONS_SHOWN} more.")


def test_the_newest_snapshot_says_what_is_restricted() -> None:
    """A mode that ended restricts nothing."""
    market = MarketFold()
    start = datetime(2026, 11, 21, tzinfo=UTC)
    for place, views in enumerate(
        (
            (ProductView(product_id="SOL-USD", modes=("limit_only",)),),
            (
                ProductView(product_id="SOL-USD"),
                ProductView(product_id="OLD-USD", status="delisted"),
            ),
        )
    ):
        at = start + timedelta(minutes=place)
        snapshot = MarketSnapshot(
            snapshot_id=str(place),
            venue="coinbase",
            as_of=at,
            interval_s=60.0,
            products=views,
            published_at=at,
        )
        market.apply(0, place, snapshot)

    assert {"OLD-USD": DELISTED} == market.restricted

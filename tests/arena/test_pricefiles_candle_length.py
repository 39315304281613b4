"""Minutes followed by longer candles are refused with their first row; gaps are accepted."""

from pathlib import Path
from random import Random

import pytest

from arena.errors import UsageError
from arena.pricefiles.candle_length import coarser_at
from arena.pricefiles.read import read_price_file
from tests.arena.price_shapes import FIRST_S, HEAD, lines, put


def starts(*parts: tuple[int, int]) -> list[int]:
    """Starts of rows: so many, so far apart, part after part."""
    found = [FIRST_S]
    for count, step_s in parts:
        found += [found[-1] + step_s * (i + 1) for i in range(count)]
    return found


@pytest.mark.parametrize("step_s", [300, 900, 1_800, 3_600, 14_400, 86_400])
@pytest.mark.parametrize("newest_first", [False, True])
def test_longer_candles_after_minutes_are_refused(
    step_s: int, newest_first: bool, tmp_path: Path
) -> None:
    """The row number is that of the file, for any order."""
    rows = [f"{ts},1,1,1,1,1" for ts in starts((99, 60), (30, step_s))]
    ordered = rows[::-1] if newest_first else rows
    path = put(tmp_path, "BTC-USD.csv", lines(HEAD, ordered))

    with pytest.raises(UsageError, match=r"candles of 1 minute are needed in the whole") as caught:
        read_price_file(path)

    number = ordered.index(rows[99]) + 2
    assert f"from row {number} on" in str(caught.value)


def test_days_after_hours_are_refused(tmp_path: Path) -> None:
    """One file has one length, whichever it is."""
    first_s = FIRST_S - FIRST_S % 86_400
    starts_s = [first_s + 3_600 * i for i in range(240)]
    starts_s += [starts_s[-1] + 3_600 + 86_400 * i for i in range(1, 8)]
    path = put(tmp_path, "BTC-USD.csv", lines(HEAD, [f"{ts},1,1,1,1,1" for ts in starts_s]))

    with pytest.raises(UsageError, match=r"of 1 day; candles of 1 hour are needed in the whole"):
        read_price_file(path)


@pytest.mark.parametrize(
    ("parts", "index"),
    [
        (((99, 60), (5, 3_600)), 99),
        (((30, 3_600), (99, 60)), 0),
        (((99, 60), (30, 3_600), (99, 60)), 99),
        (((99, 60), (1, 7_260), (30, 3_600)), 100),
        (((99, 60), (4, 3_600)), None),
        (((99, 60), (1, 86_400), (99, 60), (1, 86_400)), None),
        (((99, 60), (30, 120)), None),
        (((99, 60), (9, 420)), None),
        (((99, 60), (5, 300)), None),
    ],
)
def test_equal_distances_in_a_row_are_a_candle_length(
    parts: tuple[tuple[int, int], ...], index: int | None
) -> None:
    """Two minutes apart a few times is a quiet market."""
    found = coarser_at(starts(*parts))

    assert (found and found[0]) == index


@pytest.mark.parametrize("chance", [0.05, 0.2, 0.5, 0.9])
def test_random_gaps_are_accepted(chance: float) -> None:
    """Half a year of a market of any liquidity."""
    random = Random(7)

    assert coarser_at([60 * i for i in range(250_000) if random.random() < chance]) is None

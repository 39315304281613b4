"""Products that no account can trade are removed from a contest, with the reason."""

from decimal import Decimal
from pathlib import Path

import pytest

from arena.errors import UsageError
from arena.money import SCALE_DIGITS
from arena.pricefiles.read import read_price_file
from arena.settings import Settings
from operations.commands.compete_start import new_contest
from operations.commands.messages_text import file_lines
from operations.specs.arena_spec import parse_spec
from operations.tradable_prices import mark_untradable, untradable_reason
from tests.arena.price_shapes import FIRST_S, HEAD, REF, lines, put
from tests.operations.commands.test_price_check import contest


def flat(price: str) -> bytes:
    """A price file with some minutes at one price."""
    return lines(HEAD, [f"{FIRST_S + 60 * i},{price},{price},{price},{price},5" for i in range(40)])


@pytest.mark.parametrize(
    ("low", "high", "cash", "why"),
    [
        ("1e-18", "1e-18", "100000", "at 0.000000000000000001 a cash of 100000 buys more than"),
        ("1e-14", "1e-14", "100000", "the 18 digits that a quantity may have"),
        ("1e-14", "5", "100000", "at 0.00000000000001 a cash"),
        ("1e-13", "1", "100000", "at 0.0000000000001 a cash"),
        ("1.1e-13", "1", "100000", ""),
        ("1e-14", "1e-14", "1000", ""),
        ("1e17", "1e17", "100000", "the smallest quantity, 0.00000001, costs more than"),
        ("1", "1.1e13", "100000", "at 11000000000000 the smallest quantity"),
        ("1", "1e13", "100000", ""),
        ("60000", "70000", "0.0001", "costs more than the cash of 0.0001"),
        ("60000", "70000", "0.0007", ""),
    ],
)  # fmt: skip
def test_prices_too_low_or_too_high_for_the_cash_are_untradable(
    low: str, high: str, cash: str, why: str
) -> None:
    """The whole cash must be a valid quantity, and buy at least one step."""
    step = Decimal(1).scaleb(-SCALE_DIGITS)

    reason = untradable_reason(Decimal(cash), Decimal(low), Decimal(high), step)

    assert (why in reason) if why else reason == ""


@pytest.mark.parametrize("price", ["0.000000000000000001", "0.00000000000001", "1" + "0" * 17])
def test_untradable_product_is_removed_with_a_line(price: str, tmp_path: Path) -> None:
    """The others are traded; without others nothing is started."""
    good, bad = put(tmp_path, "BTC-USD.csv", REF), put(tmp_path, "AAA-USD.csv", flat(price))
    settings = Settings(home=tmp_path / "home")

    found = new_contest(contest(tmp_path, bad, good), prices=(), snapshots=4, settings=settings)

    assert found.spec.arena.products == ("BTC-USD",)
    again = parse_spec(found.text, path="c.toml")
    assert again.arena.products == ("BTC-USD",)
    assert again.market.prices == found.spec.market.prices == (str(good),)
    assert file_lines(found.prices)[0].startswith("  AAA-USD is left out (AAA-USD.csv): at ")
    with pytest.raises(UsageError, match="no order of AAA-USD can be filled.*starting_cash") as no:
        new_contest(contest(tmp_path, bad), prices=(), snapshots=4, settings=settings)
    assert no.value.exit_code == 2


@pytest.mark.parametrize(("minutes", "is_left_out"), [(1_440, True), (1_111, False), (1, False)])
def test_product_with_a_volume_that_no_ticker_can_hold_is_left_out(
    minutes: int, is_left_out: bool, tmp_path: Path
) -> None:
    """The volume of 24 hours decides, not that of the file: 9 x 10^14 units a minute."""
    price = "0.000000004213"
    rows = [
        f"{FIRST_S + 60 * i},{price},{price},{price},{price},{9 * 10**14 if i < minutes else 0}"
        for i in range(2_000)
    ]
    bad, good = put(tmp_path, "AAA-USD.csv", lines(HEAD, rows)), put(tmp_path, "BTC-USD.csv", REF)

    aaa, btc = mark_untradable([read_price_file(path).facts for path in (bad, good)], None)

    assert is_left_out is bool(aaa.left_out)
    assert not btc.left_out
    if is_left_out:
        assert "its largest volume of 24 hours is 1296000000000000000, more than the" in aaa.line
        with pytest.raises(UsageError, match="1000PEPE"):
            mark_untradable([aaa], None)

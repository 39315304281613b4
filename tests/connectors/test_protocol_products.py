"""The list of products: status, modes, and entries that cannot be read."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.market.json_bodies import RestMalformed
from connectors.market.listing import ProductListing
from connectors.venues.coinbase.protocol_products import (
    list_products,
    unknown_product,
)

BTC: dict[str, object] = {
    "id": "BTC-USD",
    "base_currency": "BTC",
    "quote_currency": "USD",
    "base_increment": "0.00000001",
    "quote_increment": "0.01",
    "min_market_funds": "1",
    "status": "online",
    "post_only": False,
    "limit_only": False,
    "cancel_only": False,
    "trading_disabled": False,
    "auction_mode": False,
    "margin_enabled": True,
    "fx_stablecoin": True,
}


def listing(*entries: object) -> bytes:
    """A body of `GET /products`."""
    return json.dumps(entries).encode()


def found(*entries: object, wanted: tuple[str, ...] = ("BTC-USD", "X-USD")) -> ProductListing:
    """The result of a list with these entries for two products."""
    return list_products(listing(*entries), wanted, venue="coinbase")


def test_every_status_is_distinguished() -> None:
    """A product is online, closed with the venue's status, unlisted or unreadable."""
    body = listing(
        BTC,
        BTC | {"id": "OLD-USD", "status": "delisted", "trading_disabled": True},
        BTC | {"id": "NEW-USD", "status": "internal"},
        BTC | {"id": "BAD-USD", "base_increment": 0.1},
        "noise",
    )
    wanted = ["BTC-USD", "OLD-USD", "NEW-USD", "BAD-USD", "NO-USD", "BTC-USD"]
    products = list_products(body, wanted, venue="coinbase")

    assert [("BTC-USD", ())] == [(p.product_id, p.modes) for p in products.online]
    assert Decimal("0.01") == products.online[0].quote_increment
    assert ["delisted", "internal"] == [p.status for p in products.closed]
    assert ["BAD-USD", "NO-USD"] == sorted(products.rejected)
    assert "unlisted" == products.rejected["NO-USD"]
    assert products.rejected["BAD-USD"].startswith("unreadable: base_increment is '0.1'")


@pytest.mark.parametrize(
    ("flags", "modes"),
    [
        ({"limit_only": True}, ("limit_only",)),
        ({"post_only": True, "cancel_only": True}, ("cancel_only", "post_only")),
        ({"auction_mode": True}, ("auction_mode",)),
        ({"trading_disabled": True}, ("trading_disabled",)),
        ({"view_only": True}, ("view_only",)),
        ({"closing_mode": "until noon"}, ("closing_mode",)),
        ({"limit_only": "true"}, ("limit_only",)),
        ({"limit_only": 1}, ("limit_only",)),
        ({"limit_only": None, "post_only": "false", "cancel_only": 0, "auction_mode": ""}, ()),
        ({"margin_enabled": "yes", "Limit_Only ": True}, ()),
    ],
)
def test_flags_that_restrict_are_modes(flags: dict[str, object], modes: tuple[str, ...]) -> None:
    """A flag that is on is a mode, even if unknown; one that is off or unrelated is not."""
    products = found(BTC | flags)

    assert [modes] == [p.modes for p in products.online]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_increment", None),
        ("base_increment", "-0.01"),
        ("base_increment", "0"),
        ("base_increment", "abc"),
        ("base_increment", "1" * 40),
        ("quote_increment", float("nan")),
        ("quote_increment", ["0.01"]),
        ("quote_increment", "1E-99"),
        ("min_market_funds", None),
        ("min_market_funds", "-1"),
        ("base_currency", None),
        ("base_currency", ""),
        ("quote_currency", "U S D"),
        ("quote_currency", {"id": "USD"}),
        ("status", None),
        ("status", "online\n## Your account"),
        ("status", "x" * 50),
    ],
)
def test_bad_entry_does_not_affect_the_others(field: str, value: object) -> None:
    """It is rejected with the field's name; the other product is read."""
    products = found(BTC, BTC | {"id": "X-USD", field: value})

    assert ["BTC-USD"] == [p.product_id for p in products.online]
    assert ["X-USD"] == list(products.rejected)
    assert products.rejected["X-USD"].startswith(f"unreadable: {field} is ")


@pytest.mark.parametrize("number", ["9" * 5000, "1e99999999999999999999", "-Infinity"])
def test_number_out_of_bounds_rejects_one_entry(number: str) -> None:
    """A number that cannot be represented does not make the list invalid."""
    body = listing(BTC, BTC | {"id": "X-USD", "quote_increment": "?"}).replace(
        b'"?"', number.encode()
    )
    products = list_products(body, ["BTC-USD", "X-USD"], venue="coinbase")

    assert (["BTC-USD"], ["X-USD"]) == (
        [p.product_id for p in products.online],
        [*products.rejected],
    )


@pytest.mark.parametrize("text", ["0.000000000001", "1E-12", "1e-12"])
def test_small_increment_is_read_in_every_form(text: str) -> None:
    """An increment may have twelve decimals."""
    products = found(BTC | {"quote_increment": text})

    assert [Decimal("1E-12")] == [p.quote_increment for p in products.online]


def test_product_listed_twice_must_have_equal_entries() -> None:
    """Equal entries are one product; a product with different entries is unreadable."""
    same = found(BTC, BTC)
    other = found(BTC, BTC | {"limit_only": True}, BTC | {"id": "X-USD"})

    assert ["BTC-USD"] == [p.product_id for p in same.online]
    assert ["X-USD"] == [p.product_id for p in other.online]
    assert "unreadable: it is listed twice, with different rules" == other.rejected["BTC-USD"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(BTC)), inner)
        ),
        max_leaves=12,
    )
)
def test_any_other_entry_leaves_a_good_one(entry: object) -> None:
    """Whatever else is in the list, a good entry is read, unless it is listed twice."""
    products = found(entry, BTC, entry)

    assert ["BTC-USD"] == [p.product_id for p in products.online] or "BTC-USD" in products.rejected


@pytest.mark.parametrize("body", [b"{}", b"null", b"", b"<html>", b'"products"'])
def test_body_that_is_not_a_list_is_refused(body: bytes) -> None:
    """An error page is not treated as a list without products."""
    with pytest.raises(RestMalformed):
        list_products(body, ["BTC-USD"], venue="coinbase")


def test_unknown_product_has_the_currencies_of_its_name() -> None:
    """It is published with a status that prevents trading."""
    product = unknown_product("BTC-USDC", "unlisted", "coinbase")

    assert ("BTC", "USDC", "unlisted") == (
        product.base_currency,
        product.quote_currency,
        product.status,
    )


def test_reads_a_real_listing(shared_recordings: Path) -> None:
    """Of 162 products of 2021 those that are online are read."""
    import cramjam

    path = shared_recordings / "ws" / "cryptofeed_v2" / "COINBASE.0.zst"
    text = bytes(cramjam.zstd.decompress(path.read_bytes())).decode()
    body = next(line for line in text.splitlines() if "/products" in line).split(": ", 1)[1]
    wanted = [entry["id"] for entry in json.loads(body)]
    products = list_products(body, wanted, venue="coinbase")

    assert 162 == len(products.online) + len(products.closed) + len(products.rejected)
    assert {"online"} == {product.status for product in products.online}
    assert 100 < len(products.online)

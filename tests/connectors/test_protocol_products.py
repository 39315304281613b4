"""The list of products: what trades, in which mode, and entries that cannot be read."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.coinbase.protocol_products import ProductListing, list_products, unknown_product
from connectors.coinbase.rest_protocol import RestMalformed

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
    """What a list with these entries says of two products."""
    return list_products(listing(*entries), wanted, venue="coinbase")


def test_every_status_is_told_apart() -> None:
    """Online, closed with the venue's word, unlisted and unreadable; each product once."""
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
    """What is on restricts, known or not; what is off, missing or about something else does not."""
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
def test_one_bad_entry_leaves_the_others(field: str, value: object) -> None:
    """It is rejected with the field's name; the product beside it is read."""
    products = found(BTC, BTC | {"id": "X-USD", field: value})

    assert ["BTC-USD"] == [p.product_id for p in products.online]
    assert ["X-USD"] == list(products.rejected)
    assert products.rejected["X-USD"].startswith(f"unreadable: {field} is ")


@pytest.mark.parametrize("number", ["9" * 5000, "1e99999999999999999999", "-Infinity"])
def test_a_number_beyond_all_bounds_spoils_one_entry(number: str) -> None:
    """A number that no type here can hold is one entry's fault, not the list's."""
    body = listing(BTC, BTC | {"id": "X-USD", "quote_increment": "?"}).replace(
        b'"?"', number.encode()
    )
    products = list_products(body, ["BTC-USD", "X-USD"], venue="coinbase")

    assert (["BTC-USD"], ["X-USD"]) == (
        [p.product_id for p in products.online],
        [*products.rejected],
    )


@pytest.mark.parametrize("text", ["0.000000000001", "1E-12", "1e-12"])
def test_a_fine_increment_is_read_in_every_form(text: str) -> None:
    """Twelve decimals are an increment like any other."""
    products = found(BTC | {"quote_increment": text})

    assert [Decimal("1E-12")] == [p.quote_increment for p in products.online]


def test_a_product_listed_twice_must_be_the_same() -> None:
    """Equal entries are one product; different ones cannot be told apart, so neither trades."""
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
def test_no_entry_takes_the_others_down(entry: object) -> None:
    """Whatever stands in the list beside it, a good entry is read, or the list says it twice."""
    products = found(entry, BTC, entry)

    assert ["BTC-USD"] == [p.product_id for p in products.online] or "BTC-USD" in products.rejected


@pytest.mark.parametrize("body", [b"{}", b"null", b"", b"<html>", b'"products"'])
def test_a_body_that_is_not_a_list_is_refused(body: bytes) -> None:
    """An error page is not a list in which every product is missing."""
    with pytest.raises(RestMalformed):
        list_products(body, ["BTC-USD"], venue="coinbase")


def test_an_unknown_product_has_the_currencies_of_its_name() -> None:
    """It is published with a status that is not traded."""
    product = unknown_product("BTC-USDC", "unlisted", "coinbase")

    assert ("BTC", "USDC", "unlisted") == (
        product.base_currency,
        product.quote_currency,
        product.status,
    )


def test_reads_a_real_listing(shared_recordings: Path) -> None:
    """162 products of 2021: those that are online are read."""
    import cramjam

    path = shared_recordings / "ws" / "cryptofeed_v2" / "COINBASE.0.zst"
    text = bytes(cramjam.zstd.decompress(path.read_bytes())).decode()
    body = next(line for line in text.splitlines() if "/products" in line).split(": ", 1)[1]
    wanted = [entry["id"] for entry in json.loads(body)]
    products = list_products(body, wanted, venue="coinbase")

    assert 162 == len(products.online) + len(products.closed) + len(products.rejected)
    assert {"online"} == {product.status for product in products.online}
    assert 100 < len(products.online)

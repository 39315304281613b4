"""Accounts of an agent in further currencies: one wallet per settlement currency."""

from decimal import Decimal

import msgspec
import pytest

from arena.checkpoint import pack_shard, unpack_shard
from arena.errors import BrokenLog
from arena.messages import OrderDecided, Posting
from arena.money import to_units
from tests.arena.test_accounts import Log


def open_with_wallet(log: Log) -> None:
    """Open an account with dollars and a wallet of tethers."""
    log.claim("me")
    postings = tuple(
        Posting(account=account, unit=unit, amount=str(sign * to_units(Decimal(cash))))
        for unit, cash in (("USD", "70000"), ("USDT", "30000"))
        for account, sign in (("agent/a/cash", 1), ("house/capital", -1))
    )
    log.open(cash="70000", postings=postings)


def in_tethers(event: OrderDecided, cash_after: str) -> OrderDecided:
    """The same fill, settled in USDT."""
    postings = tuple(
        posting.model_copy(update={"unit": "USDT" if posting.unit == "USD" else posting.unit})
        for posting in event.postings
    )
    update = {"postings": postings, "cash_after": Decimal(cash_after), "currency": "USDT"}
    return event.model_copy(update={"product_id": "binance:BTCUSDT", **update})


def test_fill_belongs_to_the_account_in_its_currency() -> None:
    """Cash and positions of another currency stay as they were; nothing is converted."""
    log = Log()
    open_with_wallet(log)
    fill = log.fill("1", "buy", "0.1")
    spent = Decimal(70_000) - Decimal(str(fill.cash_after))

    log.append(in_tethers(fill, str(Decimal(30_000) - spent)))

    main, wallet = log.shard.accounts["a"], log.shard.wallets["a"]["USDT"]
    assert (to_units(Decimal(70_000)), {}) == (main.cash, main.positions)
    assert to_units(Decimal(30_000) - spent) == wallet.cash
    assert {"binance:BTCUSDT"} == set(wallet.positions)
    assert (0, 1) == (main.fills, wallet.fills)
    assert {"USD", "USDT"} == log.shard.currencies()
    assert to_units(Decimal(30_000)) == wallet.opening


def test_wallets_are_part_of_the_digest_and_of_checkpoints() -> None:
    """A shard without wallets has the bytes and the digest of earlier versions."""
    plain, log = Log(), Log()
    plain.claim("me")
    plain.open(cash="70000")
    open_with_wallet(log)

    assert plain.shard.digest() != log.shard.digest()
    assert log.shard == unpack_shard(pack_shard(log.shard))
    assert plain.shard == unpack_shard(pack_shard(plain.shard))
    assert len(msgspec.msgpack.decode(pack_shard(plain.shard))) == 14


def test_opening_with_a_currency_that_has_no_cash_is_refused() -> None:
    """Every posting of an opening is in a currency of the account."""
    log = Log()
    log.claim("me")
    legs = [("agent/a/cash", "USD", 5), ("house/capital", "USD", -5)]
    legs += [("agent/a/cash", "USDT", 5), ("house/capital", "USDT", -5), ("house/fees", "EUR", 0)]
    postings = tuple(Posting(account=a, unit=u, amount=str(n)) for a, u, n in legs)

    with pytest.raises(BrokenLog, match="currency without cash"):
        log.open(postings=postings)


@pytest.mark.parametrize(
    ("currency", "unit", "error"),
    [
        ("EUR", "EUR", "which has no EUR"),
        ("USDT", "USD", "moves cash that is not USDT"),
        ("", "USDT", "moves cash that is not its own"),
    ],
)
def test_order_in_a_currency_without_a_wallet_stops_the_fold(
    currency: str, unit: str, error: str
) -> None:
    """Neither can be in a sound log."""
    log = Log()
    open_with_wallet(log)
    event = in_tethers(log.fill("1", "buy", "0.1"), "1")
    postings = tuple(
        posting.model_copy(update={"unit": unit if posting.unit == "USDT" else posting.unit})
        for posting in event.postings
    )

    with pytest.raises(BrokenLog, match=error):
        log.append(event.model_copy(update={"postings": postings, "currency": currency}))

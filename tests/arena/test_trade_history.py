"""The newest fills of an agent, as the account fold keeps them."""

from decimal import Decimal

from arena.checkpoint import pack_shard, unpack_shard
from arena.money import SCALE, to_price_units
from arena.trade_history import FILLS_REMEMBERED
from tests.arena.test_accounts import NOW, PRICE, Log


def log_with(*orders: str) -> Log:
    """A log with an account and these orders: b a buy, s a sell, r a rejection."""
    log = Log()
    log.claim("one")
    log.open()
    for number, order in enumerate(orders):
        if order == "r":
            log.append(log.reject(f"o{number}"))
        else:
            log.append(log.fill(f"o{number}", "buy" if order == "b" else "sell", "0.1"))
    return log


def test_fills_are_kept_with_their_profit() -> None:
    """A rejection is not a trade; the booked equity changes only by realised profits."""
    shard = log_with("b", "r", "s").shard
    bought, sold = shard.history["a"]

    assert (2, "o0", "buy", "0.1", 0) == (
        bought.seq,
        bought.order_id,
        bought.action,
        bought.quantity,
        bought.realised,
    )
    assert f"{NOW:%Y-%m-%dT%H:%M:%SZ}" == bought.at
    assert PRICE == to_price_units(Decimal(bought.price))
    # Buying and selling at one price costs two fees of a dollar.
    assert (100_000 * SCALE, -2 * SCALE) == (bought.booked, sold.realised)
    assert bought.booked + sold.realised == sold.booked
    account = shard.accounts["a"]
    assert account.cash == sold.booked  # Nothing is held any more.


def test_number_of_fills_is_bounded_and_survives_a_checkpoint() -> None:
    """The oldest are dropped, before and after a restart alike."""
    log = log_with(*("bs" * (FILLS_REMEMBERED // 2 + 3)))
    again = unpack_shard(pack_shard(log.shard))
    log.append(log.fill("last", "buy", "0.2"))
    kind, value = log.records[-1]
    again.apply(kind, value, len(log.records) - 1)
    rows = log.shard.history["a"]

    assert (FILLS_REMEMBERED, "last") == (len(rows), rows[-1].order_id)
    assert rows == again.history["a"]
    assert log.shard == again

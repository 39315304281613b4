"""The account fold: what counts, what is ignored, and what stops the process."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena import accounts
from arena.account_log import AccountLogEvent
from arena.account_state import Position
from arena.accounts import Shard
from arena.errors import BrokenLog
from arena.messages import (
    AccountOpened,
    Epoch,
    OrderDecided,
    Posting,
    QuoteUsed,
    Source,
    StateDigest,
)
from arena.messages.base import Message
from arena.money import from_price_units, from_units, notional_units, to_price_units, to_units

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
PRICE = to_price_units(Decimal("67203.55"))


class Log:
    """Writes account events as an executor would, and keeps the fold beside them."""

    def __init__(self) -> None:
        self.shard = Shard()
        self.records: list[tuple[str, bytes]] = []

    def append(self, message: Message) -> AccountLogEvent | None:
        """Append a message and fold it."""
        value = message.model_dump_json().encode()
        return self.append_bytes(message.type_name(), value)

    def append_bytes(self, kind: str, value: bytes) -> AccountLogEvent | None:
        """Append raw bytes and fold them."""
        self.records.append((kind, value))
        return self.shard.apply(kind, value, len(self.records) - 1)

    def place(self, **changes: Any) -> dict[str, Any]:  # Any: fields of any event
        """The fields that put an event at the end of the log."""
        shard = self.shard
        fields = {
            "epoch": shard.epoch,
            "owner": shard.owner,
            "seq": shard.seq + 1,
            "prev": shard.head,
            "source": Source(partition=0, offset=shard.source_offset + 1),
            "at": NOW,
        }
        return fields | changes

    def claim(self, owner: str, **changes: Any) -> AccountLogEvent | None:
        """Append the next epoch."""
        shard = self.shard
        fields = {"epoch": shard.epoch + 1, "seq": shard.seq, "prev": shard.head} | changes
        return self.append(Epoch(owner=owner, at=NOW, **fields))

    def attest(self, **changes: Any) -> AccountLogEvent | None:
        """Append a digest of the state; the fold does not check its value."""
        fields = self.place(seq=self.shard.seq, format=1, sha256="00") | changes
        return self.append(StateDigest(**fields))

    def open(
        self, agent: str = "a", cash: str = "100000", **changes: Any
    ) -> AccountLogEvent | None:
        """Append an account's opening."""
        amount = to_units(Decimal(cash))
        postings = (
            Posting(account=f"agent/{agent}/cash", unit="USD", amount=str(amount)),
            Posting(account="house/capital", unit="USD", amount=str(-amount)),
        )
        fields = self.place(order_id=f"open-{agent}", cash_usd=Decimal(cash), postings=postings)
        return self.append(AccountOpened(agent=agent, **(fields | changes)))

    def fill(self, order_id: str, action: str, quantity: str, **changes: Any) -> OrderDecided:
        """A fill at `PRICE` with a fee of one dollar, which fits the state now."""
        units = to_units(Decimal(quantity))
        sign = 1 if action == "buy" else -1
        notional, fee = notional_units(units, PRICE), to_units(Decimal(1))
        cash = -sign * notional - fee
        account = self.shard.accounts["a"]
        held = account.positions.get("BTC-USD", Position())
        cost = held.cost * units // held.quantity if held.quantity and sign < 0 else 0
        fields = self.place(
            order_id=order_id,
            agent="a",
            turn_id="t",
            round=0,
            index=0,
            snapshot_id="s",
            outcome="filled",
            product_id="BTC-USD",
            action=action,
            quantity=Decimal(quantity),
            used=QuoteUsed(
                partition=0,
                offset=0,
                bid=from_price_units(PRICE),
                ask=from_price_units(PRICE),
                age_ms=5,
                event_time=NOW,
            ),
            price=from_price_units(PRICE),
            notional=from_units(notional),
            fee=Decimal(1),
            slippage=Decimal("0.5"),
            latency_cost=Decimal("-0.25"),
            realised=from_units(notional - fee - cost) if sign < 0 else None,
            postings=(
                Posting(account="agent/a/cash", unit="USD", amount=str(cash)),
                Posting(account="house/market", unit="USD", amount=str(sign * notional)),
                Posting(account="house/fees", unit="USD", amount=str(fee)),
                Posting(account="agent/a/position", unit="BTC", amount=str(sign * units)),
                Posting(account="house/market", unit="BTC", amount=str(-sign * units)),
            ),
            cash_after=from_units(account.cash + cash),
            position_after=from_units(held.quantity + sign * units),
            issued_at=NOW,
        )
        return OrderDecided(**(fields | changes))

    def reject(self, order_id: str, **changes: Any) -> OrderDecided:
        """A rejection that fits the state now."""
        fields = self.place(
            order_id=order_id,
            agent="a",
            turn_id="t",
            round=0,
            index=0,
            snapshot_id="s",
            outcome="rejected",
            reason="no_price",
            issued_at=NOW,
        )
        return OrderDecided(**(fields | changes))


@pytest.fixture
def log() -> Log:
    """A log with an owner and an open account."""
    opened = Log()
    opened.claim("one")
    opened.open()
    return opened


def test_buy_and_a_sell(log: Log) -> None:
    """Cash, position, cost, realised profit and sums follow the fills."""
    log.append(log.fill("1", "buy", "0.5"))
    log.append(log.fill("2", "sell", "0.2"))
    account = log.shard.accounts["a"]
    held = account.positions["BTC-USD"]
    notional = notional_units(to_units(Decimal("0.5")), PRICE)

    assert to_units(Decimal("0.3")) == held.quantity
    assert (notional + 10**8) * 3 // 5 == held.cost
    assert 2 * 10**8 == account.fees
    assert to_units(Decimal("-1.4")) == account.realised
    assert 10**8 == account.slippage
    assert 2 == account.fills
    equity = account.equity({"BTC-USD": PRICE})
    assert equity == account.opening - account.fees


def test_sold_position_is_removed(log: Log) -> None:
    """Nothing is left of a position that was sold whole."""
    log.append(log.fill("1", "buy", "0.5"))
    log.append(log.fill("2", "sell", "0.5"))

    assert {} == log.shard.accounts["a"].positions


def test_house_has_counterparty_balance(log: Log) -> None:
    """Over all accounts every unit sums to zero."""
    log.append(log.fill("1", "buy", "0.5"))
    shard = log.shard
    house = {unit: 0 for _, unit in shard.house}
    for (_, unit), amount in shard.house.items():
        house[unit] += amount

    assert -shard.accounts["a"].cash == house["USD"]
    assert -shard.accounts["a"].positions["BTC-USD"].quantity == house["BTC"]


def test_order_counts_once(log: Log) -> None:
    """The same order id has no second effect, even from another writer."""
    log.append(log.reject("1"))
    before = log.shard.digest()

    assert log.append(log.reject("1")) is None
    assert before == log.shard.digest()
    assert 1 == log.shard.ignored


def test_event_of_old_owner_is_ignored(log: Log) -> None:
    """After another owner's epoch, what the old owner writes has no effect."""
    late = log.reject("1")
    log.claim("two")

    assert log.append(late) is None
    assert log.append(log.reject("2")) is not None
    assert "two" == log.shard.owner


@pytest.mark.parametrize("changes", [{"owner": "x"}, {"epoch": 0}, {"seq": 1}, {"seq": 9}])
def test_event_out_of_sequence_is_ignored(log: Log, changes: dict[str, object]) -> None:
    """A wrong owner, an old epoch or a sequence number out of order has no effect."""
    assert log.append(log.reject("1", **changes)) is None


def test_first_of_two_epochs_wins(log: Log) -> None:
    """Two owners that claim the same epoch: the second claim is ignored."""
    head, seq = log.shard.head, log.shard.seq
    log.claim("two", prev=head, seq=seq)

    assert log.claim("three", epoch=2, prev=head, seq=seq) is None
    assert "two" == log.shard.owner


def test_epoch_that_missed_an_event_is_ignored(log: Log) -> None:
    """An epoch that was written before another event does not count: its digest is older."""
    head, seq = log.shard.head, log.shard.seq
    log.append(log.reject("1"))

    assert log.claim("two", prev=head, seq=seq) is None


def test_changed_byte_stops_the_fold(log: Log) -> None:
    """The event after a changed one does not match, and the process stops."""
    log.append(log.reject("1", detail="first"))
    log.append(log.reject("2"))
    replay = Shard()
    changed = [(k, v.replace(b"first", b"First")) for k, v in log.records]

    with pytest.raises(BrokenLog, match="does not match"):
        for offset, (kind, value) in enumerate(changed):
            replay.apply(kind, value, offset)


def test_log_that_lost_its_tail_stops_the_fold(log: Log) -> None:
    """A reader that continues in a log that lost records and grew again stops."""
    log.append(log.reject("1"))
    log.append(log.reject("2"))
    shorter = Log()
    for kind, value in log.records[:-1]:
        shorter.append_bytes(kind, value)
    shorter.claim("two")
    shorter.append(shorter.reject("3"))

    with pytest.raises(BrokenLog, match="rebuild it from offset 0"):
        for offset in range(len(log.records), len(shorter.records)):
            log.shard.apply(*shorter.records[offset], offset)
        raise AssertionError("the fold went on")


def test_epoch_from_the_future_stops(log: Log) -> None:
    """An epoch that is not the next one belongs to another log."""
    with pytest.raises(BrokenLog, match="epoch 7 follows epoch 1"):
        log.claim("two", epoch=7)


@pytest.mark.parametrize("value", [b"", b"\xff", b"[]", b"{"])
def test_invalid_event_stops_the_fold(log: Log, value: bytes) -> None:
    """No unreadable record of the account log may be skipped."""
    with pytest.raises(BrokenLog, match="JSON"):
        log.append_bytes("OrderDecided", value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cash_after": Decimal(1)}, "cash_after"),
        ({"position_after": Decimal(1)}, "position_after"),
        ({"postings": (Posting(account="agent/a/cash", unit="USD", amount="-1"),)}, "sum to zero"),
        ({"agent": "nobody"}, "no account"),
    ],
)
def test_event_that_contradicts_the_state_stops(
    log: Log, changes: dict[str, object], why: str
) -> None:
    """The log has the state after each fill; a difference is never ignored."""
    with pytest.raises(BrokenLog, match=why):
        log.append(log.fill("1", "buy", "0.5", **changes))


def test_selling_more_than_held_stops(log: Log) -> None:
    """An executor that sold short cannot be folded."""
    log.append(log.fill("1", "buy", "0.1"))
    with pytest.raises(BrokenLog, match=r"sold 0\.2 of 0\.1 held"):
        log.append(log.fill("2", "sell", "0.2"))


def test_wrong_realised_profit_stops(log: Log) -> None:
    """The profit an executor claims must be the fold's."""
    log.append(log.fill("1", "buy", "0.5"))
    with pytest.raises(BrokenLog, match="realised is 1"):
        log.append(log.fill("2", "sell", "0.5", realised=Decimal(1)))


def test_digest_is_independent_of_owners_and_times(log: Log) -> None:
    """The same decisions under another owner, epoch and wall time have the same digest."""
    other = Log()
    other.claim("x")
    other.claim("y")
    other.open(at=datetime(2027, 1, 1, tzinfo=UTC))
    for each in (log, other):
        each.append(each.fill("1", "buy", "0.5"))

    assert log.shard.digest() == other.shard.digest()
    log.append(log.reject("2"))
    assert log.shard.digest() != other.shard.digest()


def test_order_ids_are_bounded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ids are forgotten at the bound, the newest stay."""
    monkeypatch.setattr(accounts, "ORDERS_REMEMBERED", 3)
    for n in range(5):
        log.append(log.reject(str(n)))

    assert ["2", "3", "4"] == list(log.shard.orders)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("buy"), st.integers(1, 10**7)),
            st.tuples(st.just("sell"), st.integers(1, 100)),
            st.tuples(st.just("reject"), st.just(0)),
            st.tuples(st.just("duplicate"), st.just(0)),
            st.tuples(st.just("claim"), st.just(0)),
        ),
        max_size=40,
    )
)
def test_replay_gives_the_live_state(steps: list[tuple[str, int]]) -> None:
    """Folding the log again gives the same state, with owners changing and duplicates about."""
    log = Log()
    log.claim("0")
    log.open()
    for n, (step, size) in enumerate(steps):
        held = log.shard.accounts["a"].positions.get("BTC-USD", Position()).quantity
        if step == "buy" and log.shard.accounts["a"].cash > 2 * notional_units(size, PRICE) + 10**9:
            log.append(log.fill(str(n), "buy", str(from_units(size))))
        elif step == "sell" and held:
            log.append(_whole_sell(log, str(n), held))
        elif step == "reject":
            log.append(log.reject(str(n)))
        elif step == "duplicate" and log.records:
            log.append_bytes(*log.records[-1])
        elif step == "claim":
            log.claim(str(n))
    replay = Shard()
    for offset, (kind, value) in enumerate(log.records):
        replay.apply(kind, value, offset)

    assert log.shard == replay
    assert log.shard.digest() == replay.digest()


def _whole_sell(log: Log, order_id: str, held: int) -> OrderDecided:
    return log.fill(order_id, "sell", str(from_units(held)))


def test_every_order_enters_the_digest() -> None:
    """Orders enter an agent's chain many at a time; those before and after a link all count."""

    def digest(other: int) -> str:
        log = Log()
        log.claim("one")
        log.open()
        for number in range(accounts.ORDERS_PER_LINK + 5):
            reason = "expired" if number == other else "no_price"
            log.append(log.reject(str(number), reason=reason))
        assert 5 == len(log.shard.accounts["a"].deeds)
        return log.shard.digest()

    same = digest(-1)
    others = {digest(n) for n in (0, accounts.ORDERS_PER_LINK - 1, accounts.ORDERS_PER_LINK, 68)}

    assert digest(-1) == same
    assert 4 == len(others - {same})

"""A market with seeded prices, and an executor that decides orders like the real one."""

import random
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from arena import ids, topics
from arena.account_state import Account, Position, apply_sell
from arena.accounts import Shard
from arena.messages import (
    AccountOpened,
    AgentSpec,
    ContextItem,
    Epoch,
    IndicatorWindow,
    MarketSnapshot,
    Message,
    OrderDecided,
    Posting,
    ProductView,
    QuoteSeen,
    QuoteUsed,
    RejectReason,
    Rules,
    Source,
    Ticker,
)
from arena.messages.market import Side
from arena.money import (
    cash_notional_units,
    fee_units,
    from_price_units,
    from_units,
    price_difference,
    slip_price,
    to_price_units,
    to_units,
    units_text,
)
from arena.products import base_of, quote_of
from tests.dashboard.recording import Recording

FEE_BPS = Decimal(60)
SLIPPAGE_BPS = Decimal(2)
CENT = to_price_units(Decimal("0.01"))
CASH = Decimal(100_000)
PRICES = {
    "BTC-USD": Decimal("67201.10"),
    "ETH-USD": Decimal("3120.55"),
    "SOL-USD": Decimal("141.20"),
}
WALLET_PRICES = {"binance:BTCUSDT": Decimal("67188.40"), "binance:ETHUSDT": Decimal("3121.05")}


@dataclass
class ExecutorSimulation(Recording):
    """Prices, snapshots, accounts and orders.

    Attributes:
        seed: Seed of prices and decisions.
        speed: Venue seconds per wall second.
        planned: Planned number of snapshots in the executor's rules, or None.
        currency: Currency of main accounts, and of the quotes of `PRICES`.
        wallets: Further currency -> starting cash in it; a product of `WALLET_PRICES` that is
            quoted in one is listed too.
        context: Dated context of all snapshots.
        indicators: Granularity -> indicators of every product in all snapshots.
    """

    seed: int = 7
    speed: float = 60.0
    planned: int | None = None
    currency: str = "USD"
    wallets: dict[str, Decimal] = field(default_factory=dict)
    context: tuple[ContextItem, ...] = ()
    indicators: dict[str, IndicatorWindow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Claim the account log."""
        super().__post_init__()
        self.random = random.Random(self.seed)
        self.shard = Shard()
        self.prices = {p.replace("USD", self.currency): price for p, price in PRICES.items()}
        self.prices |= {p: at for p, at in WALLET_PRICES.items() if quote_of(p) in self.wallets}
        self.snapshots = 0
        self.newest: MarketSnapshot | None = None
        self.calls = 0
        self.claim(FEE_BPS)

    def _event(self, event: Message) -> None:
        record = self.write(topics.EVENTS.name, event)
        applied = self.shard.apply(event.type_name(), record.value or b"", record.offset)
        assert applied is not None, "the scenario wrote an event that does not count"

    def claim(self, fee_bps: Decimal) -> None:
        """Let the next executor claim the log, with this fee; it is stated, not charged."""
        rules = Rules(
            starting_cash_usd=CASH,
            fee_schedule="taker",
            fee_bps=fee_bps,
            slippage_bps=SLIPPAGE_BPS,
            price_age_s_max=15,
            collar_bps=Decimal(100),
            planned_snapshots=self.planned,
            currency=self.currency,
            wallets=self.wallets,
            at=self.wall,
        )
        self.write(topics.ROSTER.name, rules, "rules")
        shard, epoch = self.shard, self.shard.epoch + 1
        claim = {"epoch": epoch, "owner": f"x{epoch}", "seq": shard.seq, "prev": shard.head}
        self._event(Epoch.model_validate(claim | {"rules": rules, "at": self.wall}))

    def join(self, name: str, strategy: str, kind: str, **changes: object) -> None:
        """Put an agent on the roster and open its account."""
        spec = AgentSpec.model_validate(
            {
                "agent": name,
                "strategy": strategy,
                "node": "rules",
                "kind": kind,
                "joined_at": self.wall,
                **changes,
            }
        )
        self.write(topics.ROSTER.name, spec, f"agent/{name}")
        cash = {self.currency: CASH, **self.wallets}
        self._event(
            AccountOpened(
                epoch=self.shard.epoch,
                owner=self.shard.owner,
                seq=self.shard.seq + 1,
                prev=self.shard.head,
                source=Source(partition=0, offset=self.shard.seq),
                order_id=ids.derive("open", name),
                agent=name,
                cash_usd=CASH,
                postings=tuple(
                    Posting(account=account, unit=unit, amount=str(sign * to_units(amount)))
                    for unit, amount in cash.items()
                    for account, sign in ((f"agent/{name}/cash", 1), ("house/capital", -1))
                ),
                at=self.wall,
            )
        )

    def ticker(self, product_id: str, price: Decimal | None = None) -> Ticker:
        """Write the current price of a product."""
        mid = price or self.prices[product_id]
        half = (mid / 10_000).quantize(Decimal("0.01")) or Decimal("0.01")
        ticker = Ticker(
            venue="simulated",
            product_id=product_id,
            price=mid,
            best_bid=mid - half,
            best_ask=mid + half,
            event_time=self.venue,
            received_at=self.wall,
            sequence=self.ends.get((topics.TICKERS.name, 0), 0),
        )
        self.write(topics.TICKERS.name, ticker, product_id)
        return ticker

    def advance(self, venue_s: float) -> None:
        """Advance both clocks, and move prices."""
        self.venue += timedelta(seconds=venue_s)
        self.wall += timedelta(seconds=venue_s / self.speed)
        for product_id, price in self.prices.items():
            moved = price * Decimal(1 + self.random.gauss(0.00002, 0.0012))
            self.prices[product_id] = moved.quantize(Decimal("0.01"))

    def snapshot(self) -> MarketSnapshot:
        """Write tickers of all products and the snapshot of them."""
        tickers = [self.ticker(product_id) for product_id in self.prices]
        self.snapshots += 1
        snapshot = MarketSnapshot(
            snapshot_id=ids.snapshot_id("simulated", self.venue, list(self.prices)),
            venue="simulated",
            as_of=self.venue,
            interval_s=60,
            simulated=True,
            speed=self.speed,
            products=tuple(
                ProductView(
                    product_id=t.product_id,
                    ticker=t,
                    age_ms=20,
                    stale=False,
                    indicators=self.indicators,
                )
                for t in tickers
            ),
            context=self.context,
            published_at=self.wall,
        )
        self.write(topics.SNAPSHOTS.name, snapshot, "simulated")
        self.newest = snapshot
        return snapshot

    def _position_in_log(self) -> dict[str, object]:
        return {
            "epoch": self.shard.epoch,
            "owner": self.shard.owner,
            "seq": self.shard.seq + 1,
            "prev": self.shard.head,
            "source": Source(partition=0, offset=self.shard.seq),
        }

    def _wallet(self, product_id: str) -> str:
        quote = quote_of(product_id)
        return quote if quote in self.wallets else ""

    def account(self, agent: str, product_id: str) -> Account:
        """The account that the agent's orders of a product are settled in."""
        wallet = self._wallet(product_id)
        return self.shard.wallets[agent][wallet] if wallet else self.shard.accounts[agent]

    def order(
        self, agent: str, action: Side, product_id: str, quantity: Decimal, *, latency_ms: int = 7
    ) -> OrderDecided:
        """Decide an order like the executor: filled at the current price, or rejected."""
        assert self.newest is not None, "an order answers a snapshot"
        view = self.newest.view(product_id)
        assert view is not None
        assert view.ticker is not None
        self.calls += 1
        used = self.ticker(product_id)
        seen = view.ticker
        best = used.best_ask if action == "buy" else used.best_bid
        exact = to_price_units(best)
        price = slip_price(exact, SLIPPAGE_BPS, CENT, up=action == "buy")
        account = self.account(agent, product_id)
        held = account.positions.get(product_id, Position())
        size = to_units(quantity)
        notional = cash_notional_units(size, price)
        fee = fee_units(notional, FEE_BPS)
        base: dict[str, object] = {
            **self._position_in_log(),
            **_order_fields(agent, action, product_id, quantity),
            "order_id": ids.derive("order", self.seed, self.calls),
            "turn_id": ids.turn_id(agent, self.newest.snapshot_id),
            "snapshot_id": self.newest.snapshot_id,
            "seen": QuoteSeen(bid=seen.best_bid, ask=seen.best_ask),
            "used": QuoteUsed(
                partition=0,
                offset=self.ends[topics.TICKERS.name, 0] - 1,
                bid=used.best_bid,
                ask=used.best_ask,
                age_ms=4,
                event_time=used.event_time,
            ),
            "currency": self._wallet(product_id),
            "issued_at": self.wall - timedelta(milliseconds=latency_ms),
            "at": self.wall,
        }
        if action == "buy" and notional + fee > account.cash:
            detail = (
                f"insufficient cash: {quantity} {product_id} at {best} needs "
                f"{from_units(notional + fee):,.2f} with fees, has {from_units(account.cash):,.2f}"
            )
            rejected = {"outcome": "rejected", "reason": RejectReason.INSUFFICIENT_CASH}
            event = OrderDecided.model_validate({**base, **rejected, "detail": detail})
        elif action == "sell" and size > held.quantity:
            detail = f"asked {quantity} {product_id}, holds {units_text(held.quantity)}"
            rejected = {"outcome": "rejected", "reason": RejectReason.INSUFFICIENT_POSITION}
            event = OrderDecided.model_validate({**base, **rejected, "detail": detail})
        else:
            terms = _terms(agent, action, product_id, size, notional, fee, copy(held), account.cash)
            seen_best = seen.best_ask if action == "buy" else seen.best_bid
            worse = best - seen_best if action == "buy" else seen_best - best
            lost = cash_notional_units(size, to_price_units(worse))
            slip = abs(cash_notional_units(size, price_difference(price, exact)))
            event = OrderDecided.model_validate(
                {
                    **base,
                    **terms,
                    "outcome": "filled",
                    "price": from_price_units(price),
                    "notional": from_units(notional),
                    "fee": from_units(fee),
                    "fee_bps": FEE_BPS,
                    "slippage": from_units(slip),
                    "latency_cost": from_units(lost),
                }
            )
        self._event(event)
        return event


def _order_fields(
    agent: str, action: Side, product_id: str, quantity: Decimal
) -> dict[str, object]:
    return {
        "agent": agent,
        "round": 0,
        "index": 0,
        "product_id": product_id,
        "action": action,
        "quantity": quantity,
    }


def _terms(
    agent: str,
    action: Side,
    product_id: str,
    size: int,
    notional: int,
    fee: int,
    held: Position,
    cash: int,
) -> dict[str, object]:
    """The fields of a fill that depend on the account: postings, cash and position after it."""
    unit, quote = base_of(product_id), quote_of(product_id)
    sign = 1 if action == "buy" else -1
    realised = Decimal(0)
    if action == "sell":
        realised = from_units(apply_sell(held, size, notional - fee))
    else:
        held.quantity += size
    legs = [
        (f"agent/{agent}/cash", quote, -sign * notional - fee),
        ("house/market", quote, sign * notional),
        ("house/fees", quote, fee),
        (f"agent/{agent}/position", unit, sign * size),
        ("house/market", unit, -sign * size),
    ]
    return {
        "postings": tuple(Posting(account=a, unit=u, amount=str(n)) for a, u, n in legs),
        "realised": realised if action == "sell" else None,
        "cash_after": from_units(cash - sign * notional - fee),
        "position_after": from_units(held.quantity),
    }

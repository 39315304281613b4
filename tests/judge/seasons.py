"""Small synthetic seasons and runs on disk; equal seeds give equal seasons."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np

from arena import topics
from arena.bus.base import Record
from arena.bus.memory import MemoryBus
from arena.exports import export_topics
from arena.messages import RejectReason
from arena.money import PRICE_SCALE, SCALE, PriceUnits
from judge.season import SeasonBuilder
from judge.season.assumptions import Assumptions
from judge.season.types import (
    Entry,
    FilledOrder,
    FloatArray,
    LlmSpend,
    RejectedOrder,
    Season,
    TurnSummary,
)
from tests.dashboard.scenario import Scenario

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
PRODUCTS = ("BTC-USD", "SOL-USD")
PRICES_USD = (67_200.0, 141.2)
CASH_USD = 100_000.0
FEE = 0.006
SLIPPAGE = 0.0002
SPREAD = 0.0001
DIGEST = "5e" * 32


def entry(
    name: str, strategy: str, model: str, *, baseline: bool = False, seed: int | None = None
) -> Entry:
    """An entry: an agent with a model, or a scripted baseline."""
    kind: Literal["agent", "baseline"] = "baseline" if baseline else "agent"
    return Entry(name, strategy, model, model, kind, scripted=baseline, seed=seed)


MATRIX = tuple(
    entry(f"{s}-{m}-{k}", s, m, seed=k)
    for s in ("brainrot", "momentum", "scalper")
    for m in ("large", "small")
    for k in (1, 2)
)
BASELINES = tuple(
    entry(name, name, "baselines", baseline=True) for name in ("buy_and_hold", "cash", "random")
)


def make_season(
    *,
    snapshots: int = 240,
    entries: tuple[Entry, ...] = MATRIX + BASELINES,
    seed: int = 7,
    text: str = "15m trend up three closes in a row, adding a third",
    interval_s: float = 60.0,
) -> Season:
    """A season of random prices in which each agent trades at times and writes `text`."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_t(5, (snapshots, len(PRODUCTS))) * 0.0012
    steps[0] = 0
    bids = np.array(PRICES_USD) * np.exp(np.cumsum(steps, axis=0))
    bids = np.vstack([bids, bids[-1:]])
    asks = bids * (1 + SPREAD)
    accounts = [
        _RandomAccount(e, bids, asks, np.random.default_rng([seed, n]), text)
        for n, e in enumerate(entries)
    ]
    for account in accounts:
        account.run(snapshots, interval_s)
    first = np.datetime64(START.replace(tzinfo=None), "us")
    offsets = np.minimum(np.arange(snapshots + 1), snapshots - 1) * int(interval_s * 1e6)
    times = first + offsets.astype("timedelta64[us]")
    hold = CASH_USD * (bids / bids[0]).mean(axis=1) / (1 + FEE)
    return Season(
        entries=entries,
        interval_s=interval_s,
        times=times,
        products=PRODUCTS,
        bids=bids,
        asks=asks,
        equity=np.column_stack([b.cash + b.exposure.sum(axis=1) for b in accounts]),
        cash=np.column_stack([b.cash for b in accounts]),
        exposure=np.stack([b.exposure for b in accounts], axis=1),
        fills=tuple(tuple(b.fills) for b in accounts),
        rejections=tuple(tuple(b.rejections) for b in accounts),
        decisions=tuple(tuple(b.decisions) for b in accounts),
        llm=tuple(b.spend() for b in accounts),
        hold=hold,
        snapshot_ids=tuple(f"snapshot-{t}" for t in range(snapshots)),
        ends={"account.events": {0: 900}, "agent.turns": {0: 400, 1: 410, 2: 300, 3: 120}},
        account_digest=DIGEST,
        assumptions=_assumptions(snapshots, interval_s),
    )


def fold_records(records: Iterable[Record]) -> SeasonBuilder:
    """A builder that has read these records."""
    builder = SeasonBuilder()
    for record in records:
        builder.apply(record)
    return builder


def rename(season: Season, old: str, new: str) -> Season:
    """The season with one entry renamed."""
    entries = tuple(replace(e, name=new) if e.name == old else e for e in season.entries)
    return replace(season, entries=entries)


async def export_run(directory: Path, *, snapshots: int = 80, **changes: Any) -> Path:
    """A run folder with the exported records of a scripted arena.

    Args:
        directory: The run's folder, which is created.
        snapshots: Number of snapshots.
        changes: Fields of the scenario.
    """
    return await export_records(directory, Scenario(**changes).run(snapshots).records)


async def export_records(directory: Path, records: Iterable[Record]) -> Path:
    """A run folder with these exported records.

    Args:
        directory: The run's folder, which is created.
        records: The records, each with a value; their offsets are given by the topics.
    """
    bus = MemoryBus()
    await bus.start()
    await bus.ensure_topics(topics.fixed_topics())
    for record in records:
        assert record.value is not None
        bus.cluster.append(
            record.topic, record.partition, record.key, record.value, tuple(record.headers.items())
        )
    await export_topics(bus, directory / "records", [t.name for t in topics.fixed_topics()])
    return directory


def _assumptions(snapshots: int, interval_s: float) -> Assumptions:
    return Assumptions(
        venue="synthetic",
        simulated=True,
        speed=1.0,
        pacing="lock-step",
        interval_s=interval_s,
        snapshots=snapshots,
        first=START,
        last=START + timedelta(seconds=interval_s * (snapshots - 1)),
        products=PRODUCTS,
        starting_cash_usd=Decimal(100_000),
        fee_schedule="taker",
        fee_bps=Decimal(60),
        slippage_bps=Decimal(2),
    )


class _RandomAccount:
    """An entry's account, decided by a random generator."""

    def __init__(
        self, entry: Entry, bids: FloatArray, asks: FloatArray, rng: np.random.Generator, text: str
    ) -> None:
        self.entry, self.bids, self.asks, self.rng, self.text = entry, bids, asks, rng, text
        self.cash = np.zeros(len(bids))
        self.exposure = np.zeros(bids.shape)
        self.fills: list[FilledOrder] = []
        self.rejections: list[RejectedOrder] = []
        self.decisions: list[TurnSummary] = []
        self._held = np.zeros(bids.shape[1])
        self._basis = np.zeros(bids.shape[1])
        self._money = CASH_USD

    def run(self, snapshots: int, interval_s: float) -> None:
        for t in range(snapshots):
            self._mark(t)
            self._decide(t, START + timedelta(seconds=interval_s * t))
        self._mark(snapshots)

    def spend(self) -> LlmSpend:
        calls = len(self.decisions)
        cost = sum((d.cost_usd or Decimal(0) for d in self.decisions), Decimal(0))
        scripted = calls if self.entry.scripted else 0
        return LlmSpend(
            calls=calls,
            scripted=scripted,
            prompt_tokens=2_000 * calls,
            completion_tokens=150 * calls,
            cost_usd=cost,
            paid_usd=cost,
            latency_ms=850.0 if calls else None,
        )

    def _mark(self, t: int) -> None:
        self.cash[t] = self._money
        self.exposure[t] = self._held * self.bids[t]

    def _decide(self, t: int, as_of: datetime) -> None:
        passive = self.entry.name == "cash" or (self.entry.name == "buy_and_hold" and t)
        trades = not passive and (t == 0 or self.rng.random() < 0.08)
        turn = f"{self.entry.name}-{t}"
        if trades:
            for p in range(2 if self.entry.name == "buy_and_hold" else 1):
                self._trade(t, p if t == 0 else int(self.rng.integers(2)), turn, as_of)
        failed = self.rng.random() < 0.02 and self.entry.kind == "agent"
        self.decisions.append(
            TurnSummary(
                index=t,
                turn_id=turn,
                as_of=as_of,
                outcome="failed" if failed and not trades else "completed",
                error="the provider answered 503 three times" if failed and not trades else "",
                rounds=2,
                calls=int(trades),
                calls_refused=0,
                orders=int(trades),
                invalid=int(failed),
                skipped=0,
                prompt_tokens=2_000,
                completion_tokens=150,
                cost_usd=Decimal(0) if self.entry.scripted else Decimal("0.0031"),
                model_ms=850.0,
                total_ms=900.0,
                snapshot_age_ms=12.0,
                final_text=self.text if trades else "Nothing to do: the spread is wider.",
            )
        )

    def _trade(self, t: int, p: int, turn: str, as_of: datetime) -> None:
        seq = len(self.fills) + len(self.rejections) + 1
        buys = self._held[p] == 0 or self.rng.random() < 0.5
        ask, bid = float(self.asks[t, p]), float(self.bids[t, p])
        moved = 1 + float(self.rng.normal(0, 0.0002))
        price = (ask * (1 + SLIPPAGE) if buys else bid * (1 - SLIPPAGE)) * moved
        wanted = CASH_USD / 3 / price
        quantity = wanted if buys else float(self._held[p])
        notional = quantity * price
        if buys and notional * (1 + FEE) > self._money:
            self.rejections.append(
                RejectedOrder(
                    t,
                    seq,
                    f"{turn}-{p}",
                    turn,
                    as_of,
                    PRODUCTS[p],
                    "buy",
                    _units(quantity),
                    RejectReason.INSUFFICIENT_CASH,
                    f"insufficient cash: needs {notional * (1 + FEE):,.2f}, has {self._money:,.2f}",
                )
            )
            return
        fee = notional * FEE
        realised = None if buys else notional - fee - self._basis[p]
        cash_change = -(notional + fee) if buys else notional - fee
        cost_change = notional + fee if buys else -self._basis[p]
        self._money += cash_change
        self._basis[p] += cost_change
        self._held[p] += quantity if buys else -quantity
        self.fills.append(
            FilledOrder(
                index=t,
                seq=seq,
                order_id=f"{turn}-{p}",
                turn_id=turn,
                as_of=as_of,
                product_id=PRODUCTS[p],
                side="buy" if buys else "sell",
                quantity=_units(quantity),
                price=_price(price),
                seen_bid=_price(bid),
                seen_ask=_price(ask),
                bid=_price(bid * moved),
                ask=_price(ask * moved),
                priced_ms=int(as_of.timestamp() * 1000) + 900,
                notional=_units(notional),
                fee=_units(fee),
                slippage=_units(notional * SLIPPAGE),
                latency_cost=_units(notional * (moved - 1) * (1 if buys else -1)),
                realised=None if realised is None else _units(realised),
                cash_change=_units(cash_change),
                quantity_change=_units(quantity if buys else -quantity),
                cost_change=_units(cost_change),
            )
        )


def _units(amount: float) -> int:
    units: int = round(float(amount) * SCALE)
    return units


def _price(amount: float | Decimal) -> PriceUnits:
    return PriceUnits(round(float(amount) * PRICE_SCALE))

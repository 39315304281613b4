"""From folded topics to a season: who takes part, what belongs to which snapshot. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from arena import topics
from arena.currency import DEFAULT_CURRENCY
from arena.cutoffs import cutoff_of
from arena.messages import AgentSpec, DeadEntry, Rules
from arena.money import BPS, from_units, to_units
from arena.names import OPERATOR
from judge.season.absent import absent_note, away_between, left_at
from judge.season.apart import DIGEST_CHARS, apart_entry
from judge.season.arrays import account_arrays, hold_curve, price_arrays
from judge.season.books import Books
from judge.season.dead import dead_entry
from judge.season.market import Market
from judge.season.model import (
    Assumptions,
    Decision,
    Entry,
    Fill,
    LlmSpend,
    Rejection,
    Season,
    TimeArray,
)
from judge.season.placing import deleted_before, place_orders, place_turns, unread_index
from judge.season.plans import changed_plan, planned_of, plans_of
from judge.season.rules_used import RulesUsed, changed_words, sets_of
from judge.season.thinking import Player, Thinking, spend_of

INTERVAL_S = 60.0
"""Assumed while there is no snapshot."""


@dataclass(slots=True)
class Folded:
    """The parts of a season, each folded from its topic.

    Attributes:
        malformed: Topic -> records nobody could read. malformed_first: the first by name.
        first_offsets: Of `market.snapshots`: partition -> offset of the first record that was read.
    """

    market: Market
    books: Books
    thinking: Thinking
    pacing: str | None = None
    roster: dict[str, AgentSpec] = field(default_factory=dict)
    rules: Rules | None = None
    malformed: dict[str, int] = field(default_factory=dict)
    malformed_first: dict[str, str] = field(default_factory=dict)
    first_offsets: dict[int, int] = field(default_factory=dict)

    @property
    def planned(self) -> int | None:
        """Snapshots the season was planned to have when it began; None for no planned end."""
        return planned_of(plans_of(self.books.plans.values(), self.rules))

    @property
    def deleted(self) -> int:
        """How many records of the snapshots' partition are no longer kept."""
        return deleted_before(self.market, self.first_offsets)

    def note_malformed(self, topic: str, words: str) -> None:
        """Count a record that nobody can read."""
        self.malformed[topic] = self.malformed.get(topic, 0) + 1
        self.malformed_first[topic] = min(self.malformed_first.get(topic, words), words)


@dataclass(slots=True)
class _Deeds:
    """What one entry did up to the last snapshot of the season."""

    entry: Entry
    fills: tuple[Fill, ...]
    rejections: tuple[Rejection, ...]
    decisions: tuple[Decision, ...]


def assemble(folded: Folded, ends: dict[str, dict[int, int]], upto: int | None) -> Season:
    """The season up to a snapshot, or the whole of it.

    Args:
        folded: What was read.
        ends: Topic -> partition -> offset behind the last record.
        upto: Index of the last snapshot, None for all.
    """
    market = folded.market
    count = len(market.points) if upto is None else upto + 1
    points = market.points[:count]
    last = max(count - 1, 0)
    deeds, unranked = _sorted_deeds(folded, last, whole=upto is None)
    traded = {fill.product_id for one in deeds for fill in one.fills}
    products = tuple(sorted(traded.union(*(point.quotes for point in points))))
    bids, asks = price_arrays(points, products)
    openings = [_opening(folded, one.entry.name) for one in deeds]
    cash, exposure = account_arrays(openings, [one.fills for one in deeds], products, bids)
    times = _times(folded, count)
    unread = unread_index(last, whole=upto is None, deleted=folded.deleted)
    sets = sets_of(folded.books.rules.values(), market.index, last, unread=unread)
    rules = _rules(folded, sets)
    if upto is not None:
        ends = {topics.SNAPSHOTS.name: {points[-1].partition: points[-1].offset + 1}}
    return Season(
        entries=tuple(one.entry for one in deeds),
        interval_s=market.interval_s or INTERVAL_S,
        times=times,
        products=products,
        bids=bids,
        asks=asks,
        equity=cash + exposure.sum(axis=2),
        cash=cash,
        exposure=exposure,
        fills=tuple(one.fills for one in deeds),
        rejections=tuple(one.rejections for one in deeds),
        decisions=tuple(one.decisions for one in deeds),
        llm=tuple(_spend(folded, one.entry.name, last, whole=upto is None) for one in deeds),
        hold=hold_curve(_hold_cash(folded, rules), bids, asks, *_costs(rules)),
        snapshot_ids=tuple(point.snapshot_id for point in points),
        ends=ends,
        account_digest=folded.books.digest() if upto is None else "",
        assumptions=_assumptions(
            folded, count, products, sets, _notes(folded, deeds) if upto is None else ()
        ),
        dead=unranked.dead,
        apart=unranked.apart,
    )


def _times(folded: Folded, count: int) -> TimeArray:
    stamps = [point.as_of.replace(tzinfo=None) for point in folded.market.points[:count]]
    if not stamps:
        return np.array(["NaT"], dtype="datetime64[us]")
    return np.array([*stamps, stamps[-1]], dtype="datetime64[us]")


class _Unranked(NamedTuple):
    """Entries without a rank: dead ones, and those that cannot be compared."""

    dead: tuple[DeadEntry, ...]
    apart: tuple[DeadEntry, ...]


def _sorted_deeds(folded: Folded, last: int, *, whole: bool) -> tuple[list[_Deeds], _Unranked]:
    """What each entry did, and who has no rank; an operator's account is not an entry."""
    names = (set(folded.roster) | set(folded.thinking.turns)) - {OPERATOR}
    found = [_deeds(folded, name, last, whole=whole) for name in sorted(names)]
    unread = unread_index(last, whole=whole, deleted=folded.deleted)
    if not whole:
        found = [one for one in found if one.decisions or one.fills or one.rejections]
    found.sort(key=lambda one: (one.entry.kind, one.entry.name))
    ranked: list[_Deeds] = []
    dead: list[DeadEntry] = []
    apart: list[DeadEntry] = []
    for one in found:
        spec = folded.roster.get(one.entry.name) if whole else None
        points = folded.market.points
        if (gone := dead_entry(one.entry, one.decisions, spec=spec, points=points)) is not None:
            dead.append(gone)
        elif (other := _apart(folded, one, last, unread)) is not None:
            apart.append(other)
        else:
            ranked.append(one)
    return ranked, _Unranked(tuple(dead), tuple(apart))


def _apart(folded: Folded, one: _Deeds, last: int, unread: int) -> DeadEntry | None:
    name = one.entry.name
    orders = folded.books.orders.get(name, ())
    return apart_entry(
        one.entry,
        folded.thinking.contestants.get(name, ()),
        one.decisions,
        sum(not order.snapshot_id and order.event.index <= last for order in orders),
        index=folded.market.index,
        last=last,
        unread=unread,
    )


def _deeds(folded: Folded, name: str, last: int, *, whole: bool) -> _Deeds:
    market, deleted = folded.market, folded.deleted
    placed = list(folded.books.orders.get(name, ()))
    place_orders(market, placed, whole=whole, deleted=deleted)
    turns = list(folded.thinking.turns.get(name, ()))
    place_turns(market, placed, turns, whole=whole, deleted=deleted)
    decisions = tuple(t.decision for t in turns if t.decision.index <= last)
    orders = [order.event for order in placed if order.event.index <= last]
    points = market.points[: last + 1]
    acted = [d.index for d in decisions if d.decided] + [o.index for o in orders]
    spec = folded.roster.get(name)
    entry = _entry(name, spec, folded.thinking.players.get(name))
    return _Deeds(
        entry=replace(
            entry,
            cutoff=_cutoff(folded, entry),
            joined=max(min(acted, default=len(points)), 0),
            left=left_at(decisions, entry.cadence, points),
            away=away_between(decisions, entry.cadence, points),
        ),
        fills=tuple(one for one in orders if isinstance(one, Fill)),
        rejections=tuple(one for one in orders if isinstance(one, Rejection)),
        decisions=decisions,
    )


def _entry(name: str, spec: AgentSpec | None, player: Player | None) -> Entry:
    strategy = spec.strategy if spec else player.strategy if player else ""
    node = spec.node if spec else player.node if player else ""
    return Entry(
        name=name,
        strategy=strategy,
        model=player.model if player else "",
        node=node,
        kind=spec.kind if spec else "agent",
        scripted=player.scripted if player else False,
        seed=spec.seed if spec and spec.seed is not None else _repeat(name, f"{strategy}-{node}-"),
        cadence=spec.cadence if spec else 1,
        setup=_setup(spec) if spec else "",
    )


def _cutoff(folded: Folded, entry: Entry) -> str:
    """Up to when the training data of an entry's model reaches; "" if that is not known."""
    if entry.scripted or not entry.model:
        return ""
    return cutoff_of(entry.model, folded.thinking.cutoffs.get(entry.name, ""))


def _setup(spec: AgentSpec) -> str:
    """Digest of what makes a contestant beside its strategy, chat node and model."""
    told = (spec.prompt_sha256, spec.prompt_size, spec.cadence, sorted(spec.tools))
    return sha256(repr(told).encode()).hexdigest()[:DIGEST_CHARS]


def _repeat(name: str, stem: str) -> int | None:
    """The repeat in a name that the matrix of a competition gave: "<strategy>-<node>-<k>"."""
    repeat = name.removeprefix(stem)
    return int(repeat) if repeat != name and repeat.isascii() and repeat.isdigit() else None


def _spend(folded: Folded, name: str, last: int, *, whole: bool) -> LlmSpend:
    calls = list(folded.thinking.calls.get(name, ()))
    if whole:
        return spend_of(calls)
    asked, index = folded.thinking.snapshots_of(name), folded.market.index
    far = last + 1
    return spend_of([c for c in calls if index.get(asked.get(c.turn_id, ""), far) <= last])


def _opening(folded: Folded, name: str) -> int:
    """Starting cash in units of 10^-8; of an account that is not open yet, what it will be."""
    known = folded.books.opened.get(name)
    return _hold_cash(folded, folded.rules) if known is None else known


def _rules(folded: Folded, sets: Sequence[RulesUsed]) -> RulesUsed | Rules | None:
    """The rules that the season began with; those of the roster before anything was decided."""
    return sets[0] if sets else folded.rules


def _hold_cash(folded: Folded, rules: RulesUsed | Rules | None) -> int:
    if rules is not None:
        return to_units(rules.starting_cash_usd)
    return max(folded.books.opened.values(), default=0)


def _costs(rules: RulesUsed | Rules | None) -> tuple[float, float]:
    """Fee and slippage as shares of a notional; zero where no rules are known."""
    return (float(rules.fee_bps) / BPS, float(rules.slippage_bps) / BPS) if rules else (0.0, 0.0)


def _assumptions(
    folded: Folded,
    count: int,
    products: tuple[str, ...],
    sets: tuple[RulesUsed, ...],
    notes: tuple[str, ...],
) -> Assumptions:
    market, rules = folded.market, _rules(folded, sets)
    cash = _hold_cash(folded, rules)
    points = market.points[:count]
    return Assumptions(
        venue=market.venue,
        simulated=market.simulated,
        recorded=market.recorded,
        source=market.source,
        speed=market.speed,
        pacing=folded.pacing or (rules.pacing if rules else None),
        interval_s=market.interval_s or INTERVAL_S,
        snapshots=count,
        first=points[0].as_of if points else None,
        last=points[-1].as_of if points else None,
        products=products,
        starting_cash_usd=from_units(cash) if folded.books.opened or rules else None,
        fee_schedule=rules.fee_schedule if rules else "",
        fee_bps=rules.fee_bps if rules else None,
        slippage_bps=rules.slippage_bps if rules else None,
        rules_changed=changed_words(sets),
        notes=notes,
        planned=folded.planned,
        currency=rules.currency if rules else DEFAULT_CURRENCY,
        restricted=tuple(sorted(points[-1].restricted.items())) if points else (),
    )


def _notes(folded: Folded, deeds: Sequence[_Deeds]) -> tuple[str, ...]:
    """What was missing or odd in the records of a whole season."""
    market, books = folded.market, folded.books
    orders = (order for own in books.orders.values() for order in own)
    # An order by hand answers no snapshot.
    orphans = sum(o.snapshot_id not in market.index for o in orders if o.snapshot_id)
    deleted = folded.deleted
    gaps = _gaps(market)
    malformed = sum(folded.malformed.values())
    first = min(folded.malformed_first.values(), default="")
    broken = [text for _, text in sorted(books.broken.items())]
    found = (
        *(f"{text}; the figures of this log end there." for text in broken),
        (gaps and f"{gaps:,} intervals had no snapshot; their returns are in the next one."),
        (market.missing and f"{market.missing:,} quotes were missing: the last one was used."),
        (market.stale and f"{market.stale:,} quotes were stale: they were used as marks."),
        (market.late and f"{market.late:,} snapshots came late and do not count."),
        (
            deleted
            and f"{deleted:,} earlier snapshots are no longer kept: the figures begin at"
            f" {market.points[0].as_of:%Y-%m-%d %H:%M:%S} UTC with the accounts as they were."
        ),
        (orphans and f"{orphans:,} orders name a snapshot that was not read."),
        (malformed and f"{malformed:,} records could not be read: {first} ..."),
        changed_plan(plans_of(books.plans.values(), folded.rules)),
        *(absent_note(one.entry.name, one.entry.left, market.points) for one in deeds),
    )
    return tuple(note for note in found if note)


def _gaps(market: Market) -> int:
    """Whole intervals that are missing between the snapshots."""
    points, interval_s = market.points, market.interval_s or INTERVAL_S
    return sum(
        max(round((b.as_of - a.as_of).total_seconds() / interval_s) - 1, 0)
        for a, b in pairwise(points)
    )

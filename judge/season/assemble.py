"""Build a season from the folded topics: its entries, and the snapshot of each record. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from arena import topics
from arena.gate_counts import GateFigures, skipped_by_reason
from arena.gate_settings import gates_text
from arena.messages import COACHED, SINGLE, AgentSpec, DeadEntry, Rules
from arena.model_cutoffs import cutoff_of
from arena.money import from_units
from arena.shadow_agents import without_shadows
from arena.unknown_names import OPERATOR
from judge.season.absences import (
    QUIET_SNAPSHOTS,
    absence_note,
    absences,
    left_index,
    present_spans,
    unmeasured_note,
)
from judge.season.accounts_fold import AccountsFold
from judge.season.arrays import price_arrays
from judge.season.assumptions import Assumptions
from judge.season.currencies import Openings
from judge.season.dead_entries import dead_entry
from judge.season.incomparable import DIGEST_CHARS, incomparable_entry
from judge.season.market_fold import INTERVAL_S, MarketFold
from judge.season.openings import (
    currency_of,
    fewer_currencies_note,
    further_currencies,
    hold_cash,
    openings_of,
    season_accounts,
)
from judge.season.planned_length import changed_plan_text, first_planned, planned_lengths
from judge.season.rules_used import RulesUsed, changed_rules_text, rule_sets
from judge.season.snapshot_index import deleted_snapshots, index_orders, index_turns, unread_index
from judge.season.turns_fold import AgentIdentity, TurnsFold, shadow_spend, spend_of
from judge.season.types import (
    Entry,
    FilledOrder,
    LlmSpend,
    RejectedOrder,
    Season,
    TimeArray,
    TurnSummary,
)
from judge.season.versions_played import versions_played


@dataclass(slots=True)
class SeasonFolds:
    """The folds of a season's topics.

    Attributes:
        malformed: Topic -> number of unreadable records.
        malformed_first: Topic -> the first unreadable record, with the error.
        first_offsets: Partition of `market.snapshots` -> offset of the first record that was read.
    """

    market: MarketFold
    accounts: AccountsFold
    turns: TurnsFold
    pacing: str | None = None
    roster: dict[str, AgentSpec] = field(default_factory=dict)
    rules: Rules | None = None
    malformed: dict[str, int] = field(default_factory=dict)
    malformed_first: dict[str, str] = field(default_factory=dict)
    first_offsets: dict[int, int] = field(default_factory=dict)

    @property
    def planned(self) -> int | None:
        """Number of snapshots planned at the start of the season; None without a planned end."""
        return first_planned(planned_lengths(self.accounts.plans.values(), self.rules))

    @property
    def deleted(self) -> int:
        """Number of records that retention deleted from the snapshots' partition."""
        return deleted_snapshots(self.market, self.first_offsets)

    def note_malformed(self, topic: str, words: str) -> None:
        """Count an unreadable record."""
        self.malformed[topic] = self.malformed.get(topic, 0) + 1
        self.malformed_first[topic] = min(self.malformed_first.get(topic, words), words)


@dataclass(slots=True)
class _EntryActivity:
    """Orders and turns of one entry up to the last snapshot of the season."""

    entry: Entry
    fills: tuple[FilledOrder, ...]
    rejections: tuple[RejectedOrder, ...]
    decisions: tuple[TurnSummary, ...]


def assemble(folds: SeasonFolds, ends: dict[str, dict[int, int]], upto: int | None) -> Season:
    """Build the season up to a snapshot, or the whole of it.

    Args:
        folds: The folds of the topics.
        ends: Topic -> partition -> offset after the last record.
        upto: Index of the last snapshot to include; None for all.
    """
    market = folds.market
    count = len(market.snapshots) if upto is None else upto + 1
    snapshots = market.snapshots[:count]
    last = max(count - 1, 0)
    activity, unranked = _ranked_activity(folds, last, whole=upto is None)
    names = [one.entry.name for one in activity]
    traded = {fill.product_id for one in activity for fill in one.fills}
    products = tuple(sorted(traded.union(*(snapshot.quotes for snapshot in snapshots))))
    bids, asks = price_arrays(snapshots, products)
    times = _times(folds, count)
    unread = unread_index(last, whole=upto is None, deleted=folds.deleted)
    sets = rule_sets(folds.accounts.rules.values(), market.index, last, unread=unread)
    rules = _rules(folds, sets)
    openings = [openings_of(folds.accounts, one.entry.name, rules, folds.rules) for one in activity]
    known = _assumptions(
        folds, count, products, sets, _notes(folds, activity) if upto is None else (), openings
    )
    accounts, hold = season_accounts(
        folds.accounts, [one.fills for one in activity], openings, rules, known, (bids, asks)
    )
    if upto is not None:
        ends = {topics.SNAPSHOTS.name: {snapshots[-1].partition: snapshots[-1].offset + 1}}
    return Season(
        entries=tuple(one.entry for one in activity),
        interval_s=market.interval_s or INTERVAL_S,
        times=times,
        products=products,
        bids=bids,
        asks=asks,
        equity=accounts.cash + accounts.exposure.sum(axis=2),
        cash=accounts.cash,
        exposure=accounts.exposure,
        fills=tuple(one.fills for one in activity),
        rejections=tuple(one.rejections for one in activity),
        decisions=tuple(one.decisions for one in activity),
        llm=tuple(_spend(folds, one.entry.name, last, whole=upto is None) for one in activity),
        gates=tuple(_gates(folds, one) for one in activity) if upto is None else (),
        risk=folds.accounts.risk_of(names) if upto is None else (),
        exits=folds.accounts.exits_of(names) if upto is None else (),
        hold=hold,
        snapshot_ids=tuple(snapshot.snapshot_id for snapshot in snapshots),
        ends=ends,
        account_digest=folds.accounts.digest() if upto is None else "",
        assumptions=known,
        dead=unranked.dead,
        apart=unranked.apart,
        parts=accounts.parts,
        versions=versions_played(folds.turns.versions, market.index, last, unread),
        shadow_llm=shadow_spend(folds.turns, folds.roster) if upto is None else LlmSpend(),
    )


def _times(folds: SeasonFolds, count: int) -> TimeArray:
    stamps = [snapshot.as_of.replace(tzinfo=None) for snapshot in folds.market.snapshots[:count]]
    if not stamps:
        return np.array(["NaT"], dtype="datetime64[us]")
    return np.array([*stamps, stamps[-1]], dtype="datetime64[us]")


class _Unranked(NamedTuple):
    """Entries without a rank: dead ones, and ones that cannot be compared."""

    dead: tuple[DeadEntry, ...]
    apart: tuple[DeadEntry, ...]


def _ranked_activity(
    folds: SeasonFolds, last: int, *, whole: bool
) -> tuple[list[_EntryActivity], _Unranked]:
    """Return the activity of ranked entries, and the unranked ones; others are not entries."""
    names = without_shadows({*folds.roster, *folds.turns.turns} - {OPERATOR}, folds.roster)
    found = [_entry_activity(folds, name, last, whole=whole) for name in sorted(names)]
    unread = unread_index(last, whole=whole, deleted=folds.deleted)
    if not whole:
        found = [one for one in found if one.decisions or one.fills or one.rejections]
    found.sort(key=lambda one: (one.entry.kind, one.entry.name))
    ranked: list[_EntryActivity] = []
    dead: list[DeadEntry] = []
    apart: list[DeadEntry] = []
    for one in found:
        spec = folds.roster.get(one.entry.name) if whole else None
        snapshots = folds.market.snapshots
        if (
            gone := dead_entry(one.entry, one.decisions, spec=spec, snapshots=snapshots)
        ) is not None:
            dead.append(gone)
        elif (other := _incomparable(folds, one, last, unread)) is not None:
            apart.append(other)
        else:
            ranked.append(one)
    return ranked, _Unranked(tuple(dead), tuple(apart))


def _incomparable(
    folds: SeasonFolds, one: _EntryActivity, last: int, unread: int
) -> DeadEntry | None:
    name = one.entry.name
    orders = folds.accounts.orders.get(name, ())
    spec = folds.roster.get(name)
    return incomparable_entry(
        one.entry,
        folds.turns.contestants.get(name, ()),
        one.decisions,
        sum(not order.snapshot_id and order.event.index <= last for order in orders),
        index=folds.market.index,
        last=last,
        unread=unread,
        coached=spec is not None and spec.prompts == COACHED,
    )


def _entry_activity(folds: SeasonFolds, name: str, last: int, *, whole: bool) -> _EntryActivity:
    market, deleted = folds.market, folds.deleted
    orders_of_entry = list(folds.accounts.orders.get(name, ()))
    index_orders(market, orders_of_entry, whole=whole, deleted=deleted)
    turns = list(folds.turns.turns.get(name, ()))
    index_turns(market, orders_of_entry, turns, whole=whole, deleted=deleted)
    decisions = tuple(t.decision for t in turns if t.decision.index <= last)
    kept = [one for one in orders_of_entry if one.event.index <= last - one.is_later(whole=whole)]
    orders = [order.event for order in kept]
    snapshots = market.snapshots[: last + 1]
    acted = [d.index for d in decisions if d.decided] + [o.event.index for o in kept if o.is_asked]
    spec = folds.roster.get(name)
    present = present_spans(folds.turns.present.get(name, ()), snapshots)
    entry = _entry(name, spec, folds.turns.identities.get(name))
    return _EntryActivity(
        entry=replace(
            entry,
            cutoff=_cutoff(folds, entry),
            joined=max(min(acted, default=len(snapshots)), 0),
            left=left_index(decisions, entry.cadence, snapshots, present, entry.quiet),
            away=absences(decisions, entry.cadence, snapshots, present, entry.quiet),
        ),
        fills=tuple(one for one in orders if isinstance(one, FilledOrder)),
        rejections=tuple(one for one in orders if isinstance(one, RejectedOrder)),
        decisions=decisions,
    )


def _entry(name: str, spec: AgentSpec | None, identity: AgentIdentity | None) -> Entry:
    strategy = spec.strategy if spec else identity.strategy if identity else ""
    node = spec.node if spec else identity.node if identity else ""
    return Entry(
        name=name,
        strategy=strategy,
        model=identity.model if identity else "",
        node=node,
        kind=spec.strategy_kind if spec else "agent",
        scripted=identity.scripted if identity else False,
        seed=spec.seed if spec and spec.seed is not None else _repeat(name, f"{strategy}-{node}-"),
        cadence=spec.cadence if spec else 1,
        setup=_setup(spec) if spec else "",
        quiet=QUIET_SNAPSHOTS if spec and spec.gates else 0,
    )


def _cutoff(folds: SeasonFolds, entry: Entry) -> str:
    """Return the training cut-off of an entry's model; "" if it is not known."""
    if entry.scripted or not entry.model:
        return ""
    return cutoff_of(entry.model, folds.turns.cutoffs.get(entry.name, ""))


def _setup(spec: AgentSpec) -> str:
    """Digest of the settings of a contestant other than its strategy, chat node and model."""
    kind = () if spec.turn_kind == SINGLE else (spec.turn_kind,)
    gates = () if spec.gates is None else (spec.gates.model_dump_json(),)
    own = (spec.prompt_sha256, spec.prompt_size, spec.cadence, sorted(spec.tools))
    shows = (sorted(spec.shows),) if spec.shows else ()
    settings = (*own, *kind, *gates, *shows)
    return sha256(repr(settings).encode()).hexdigest()[:DIGEST_CHARS]


def _repeat(name: str, stem: str) -> int | None:
    """Return the repeat k of a name from a competition's matrix, "<strategy>-<node>-<k>"."""
    repeat = name.removeprefix(stem)
    return int(repeat) if repeat != name and repeat.isascii() and repeat.isdigit() else None


def _gates(folds: SeasonFolds, one: _EntryActivity) -> GateFigures:
    """Return what an entry's gates did in the whole season."""
    spec, skips = folds.roster.get(one.entry.name), folds.turns.skips.get(one.entry.name)
    missed = sum(decision.skipped for decision in one.decisions)
    costs = [Decimal(0) if one.entry.scripted else d.cost_usd for d in one.decisions]
    known = [cost for cost in costs if cost is not None]
    return GateFigures(
        gates=gates_text(spec.gates, spec.cadence) if spec else gates_text(None),
        asked=len(one.decisions),
        skipped=skipped_by_reason(skips.counts if skips else {}, missed),
        calls=sum(decision.rounds for decision in one.decisions),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(costs) else None,
    )


def _spend(folds: SeasonFolds, name: str, last: int, *, whole: bool) -> LlmSpend:
    calls = list(folds.turns.calls.get(name, ()))
    if whole:
        return spend_of(calls)
    asked, index = folds.turns.snapshots_of(name), folds.market.index
    far = last + 1
    return spend_of([c for c in calls if index.get(asked.get(c.turn_id, ""), far) <= last])


def _rules(folds: SeasonFolds, sets: Sequence[RulesUsed]) -> RulesUsed | Rules | None:
    """Return the first rules of the season; before any order, those of the roster."""
    return sets[0] if sets else folds.rules


def _assumptions(
    folds: SeasonFolds,
    count: int,
    products: tuple[str, ...],
    sets: tuple[RulesUsed, ...],
    notes: tuple[str, ...],
    openings: Sequence[Openings],
) -> Assumptions:
    market, rules = folds.market, _rules(folds, sets)
    cash = hold_cash(folds.accounts, rules)
    snapshots = market.snapshots[:count]
    pacing = folds.pacing or (rules.pacing if rules else None)
    return Assumptions(
        venue=market.venue,
        simulated=market.simulated,
        recorded=market.recorded,
        source=market.source,
        speed=market.speed,
        pacing=pacing,
        fills=market.fills_text(pacing),
        interval_s=market.interval_s or INTERVAL_S,
        snapshots=count,
        first=snapshots[0].as_of if snapshots else None,
        last=snapshots[-1].as_of if snapshots else None,
        products=products,
        starting_cash_usd=from_units(cash) if folds.accounts.opened or rules else None,
        fee_schedule=rules.fee_schedule if rules else "",
        fee_bps=rules.fee_bps if rules else None,
        slippage_bps=rules.slippage_bps if rules else None,
        rules_changed=changed_rules_text(sets),
        notes=notes,
        planned=folds.planned,
        currency=currency_of(rules),
        wallets=further_currencies(rules, openings),
        restricted=tuple(sorted(snapshots[-1].restricted.items())) if snapshots else (),
    )


def _notes(folds: SeasonFolds, activity: Sequence[_EntryActivity]) -> tuple[str, ...]:
    """Return a sentence for everything missing or unusual in the records of a whole season."""
    market, accounts = folds.market, folds.accounts
    agents = without_shadows(accounts.orders, folds.roster)
    orders = (order for name in agents for order in accounts.orders[name])
    # A manual order does not answer a snapshot.
    orphans = sum(o.snapshot_id not in market.index for o in orders if o.snapshot_id)
    deleted, gaps, malformed = folds.deleted, _gaps(market), sum(folds.malformed.values())
    first = min(folds.malformed_first.values(), default="")
    broken = [text for _, text in sorted(accounts.broken.items())]
    found = (
        *(f"{text}; the figures of this log end there." for text in broken),
        (gaps and f"{gaps:,} intervals had no snapshot; their returns are in the next one."),
        (market.missing and f"{market.missing:,} quotes were missing: the last one was used."),
        (market.stale and f"{market.stale:,} quotes were stale: they were used as marks."),
        (market.late and f"{market.late:,} snapshots came late and do not count."),
        (
            deleted
            and f"{deleted:,} earlier snapshots are no longer kept: the figures begin at"
            f" {market.snapshots[0].as_of:%Y-%m-%d %H:%M:%S} UTC with the accounts as they were."
        ),
        unmeasured_note([decision for one in activity for decision in one.decisions]),
        (orphans and f"{orphans:,} orders name a snapshot that was not read."),
        (malformed and f"{malformed:,} records could not be read: {first} ..."),
        changed_plan_text(planned_lengths(accounts.plans.values(), folds.rules)),
        fewer_currencies_note(
            [one.entry.name for one in activity],
            [openings_of(accounts, one.entry.name, folds.rules, folds.rules) for one in activity],
        ),
        *(absence_note(one.entry.name, one.entry.left, market.snapshots) for one in activity),
    )
    return tuple(note for note in found if note)


def _gaps(market: MarketFold) -> int:
    """Return the number of whole intervals that are missing between snapshots."""
    snapshots, interval_s = market.snapshots, market.interval_s or INTERVAL_S
    return sum(
        max(round((b.as_of - a.as_of).total_seconds() / interval_s) - 1, 0)
        for a, b in pairwise(snapshots)
    )

"""All checkers over one stream of records. Pure: who reads the records, and from where, is outside.

A record that a checker cannot read (a field is missing, an amount is no number) is a finding of
that checker at that record; the others go on.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from arena import topics
from arena.bus.base import Record
from arena.errors import ArenaError
from arena.passed_over import passed_over_of
from ledger.audit.answers import ConsumedChecker, LagChecker, OrdersChecker, RepliesChecker
from ledger.audit.chain import ChainChecker
from ledger.audit.fates import Fates
from ledger.audit.findings import Checker, Scope, Status, Verdict
from ledger.audit.limits import LimitsChecker
from ledger.audit.lineage import LineageChecker
from ledger.audit.money import HoldingsChecker
from ledger.audit.places import PlacesChecker
from ledger.audit.postings import PostingsChecker
from ledger.audit.prices import PricesChecker
from ledger.audit.reading import Seen
from ledger.audit.recorded import RecordedBy
from ledger.audit.secrets import SecretsChecker
from ledger.audit.turns import Turns

UNREADABLE = (
    KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, ArenaError,
)  # fmt: skip
"""What a checker may raise over a record that is not what it should be."""

BROKEN_BY = (1, 4, 6, 7)
"""Invariants whose findings also make the fold stop."""


class Auditor:
    """Feeds every checker, and asks each for its verdict.

    Args:
        scope: The records that will come.
        secrets: Name -> value of what must not stand in any of them.
    """

    def __init__(self, scope: Scope, secrets: Mapping[str, str] | None = None) -> None:
        """Nothing seen yet."""
        self._turns = Turns(scope)
        self._fates = Fates(self._turns)
        self._chain = ChainChecker(scope)
        self.holdings = HoldingsChecker(scope)
        self._checkers: tuple[Checker, ...] = (
            PostingsChecker(scope),
            self.holdings,
            OrdersChecker(scope, self._fates, self.holdings.may_be_forgotten),
            LimitsChecker(scope),
            PricesChecker(scope),
            PlacesChecker(scope, self._turns),
            LineageChecker(scope, self._turns),
            RepliesChecker(scope, self._fates),
            SecretsChecker(scope, secrets),
            LagChecker(scope, self._fates),
            ConsumedChecker(scope, self._fates),
        )
        self._secrets = next(c for c in self._checkers if isinstance(c, SecretsChecker))
        self._places = next(c for c in self._checkers if isinstance(c, PlacesChecker))
        self._consumed = next(c for c in self._checkers if isinstance(c, ConsumedChecker))
        self._limits = next(c for c in self._checkers if isinstance(c, LimitsChecker))
        self._passed_over: list[Record] = []
        self.records = 0
        self.foreign: Counter[str] = Counter()
        self.recorded = RecordedBy()

    def take(self, record: Record) -> None:
        """One record; they come in the order of `reading.in_order`."""
        self.records += 1
        self.recorded.take(record)
        seen = Seen(record)
        if record.topic == topics.EVENTS.name:
            self._judge_event(seen)
        elif record.topic == topics.CONTROL.name:
            self._passed_over.append(record)
        if foreign := record.topic != topics.EVENTS.name and seen.foreign:
            self.foreign[record.topic] += 1
        try:
            if not foreign:
                self._turns.take(seen)
            self._fates.take(seen)
        except UNREADABLE as error:
            self._unreadable(self._consumed, seen, error)
        takers = (self._places, self._secrets) if foreign else self._checkers
        if foreign and record.topic == topics.CONTROL.name:
            takers = (*takers, self._limits)  # What cannot be read there is a halt.
        for checker in takers:
            try:
                checker.take(seen)
            except UNREADABLE as error:
                self._unreadable(checker, seen, error)

    def _judge_event(self, seen: Seen) -> None:
        """Whether an event counts; the topic that says what is passed over was read before."""
        if self._passed_over:
            named = passed_over_of(self._passed_over)
            self._passed_over = []
            self._chain.passed_over = self.holdings.passed_over = named
        self._chain.take(seen)

    def _unreadable(self, checker: Checker, seen: Seen, error: BaseException) -> None:
        """Tell a record that readers bury from one that they take and that cannot be judged."""
        if seen.topic != topics.EVENTS.name and seen.malformed:
            self.foreign[seen.topic] += checker is self._places or checker is self._consumed
            return
        found = f"{type(error).__name__}: {error}"
        checker.expect(False, seen.place, seen.kind, "a record that can be read", found)

    def take_all(self, records: Iterable[Record]) -> None:
        """Every record of a stream."""
        for record in records:
            self.take(record)

    def verdicts(self) -> list[Verdict]:
        """What is to be said of each invariant but the eighth, by number."""
        found = []
        self._fates.settle()
        for checker in (*self._checkers, self._chain):
            try:
                checker.finish()
            except UNREADABLE as error:
                said = f"{type(error).__name__}: {error}"
                checker.expect(False, "the end", "", "records that can be compared", said)
            found.append(checker.verdict())
        found.sort(key=lambda verdict: verdict.number)
        if self.foreign:
            consumed = next(v for v in found if v.number == ConsumedChecker.number)
            named = ", ".join(f"{count:,} in {topic}" for topic, count in self.foreign.items())
            consumed.notes.append(f"records that are not messages of their topic: {named}")
        self._say_where_the_fold_stopped(found)
        return found

    def _say_where_the_fold_stopped(self, verdicts: list[Verdict]) -> None:
        """The fold refuses what other invariants name; where none does, that is a finding of 2."""
        stopped = self.holdings.stopped
        if not stopped:
            return
        holdings = next(v for v in verdicts if v.number == self.holdings.number)
        text = "; ".join(stopped.values())
        named = any(v.number in BROKEN_BY and v.status is Status.FAIL for v in verdicts)
        if holdings.status is Status.FAIL or named:
            holdings.notes.append(f"the fold stops: {text}")
            if holdings.status is not Status.FAIL:
                holdings.status, holdings.why = Status.NOT_CHECKABLE, f"the fold stops: {text}"
            return
        for place, said in stopped.items():
            self.holdings.expect(False, f"shard {place}", "", "a log that can be folded", said)
        verdicts[verdicts.index(holdings)] = self.holdings.verdict()

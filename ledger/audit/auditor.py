"""Passes one stream of records to every checker. Pure: the caller reads the records.

A record that a checker cannot read, because a field is missing or an amount is not a number, is a
violation of that checker's invariant at that record; the other checkers continue.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from arena import topics
from arena.bus.base import Record
from arena.errors import ArenaError
from arena.pass_overs import passed_over_of
from ledger.audit.chain import ChainChecker
from ledger.audit.checker import Checker, InvariantResult, InvariantStatus, Scope
from ledger.audit.decoding import DecodedRecord
from ledger.audit.holdings import HoldingsChecker
from ledger.audit.limits import LimitsChecker
from ledger.audit.lineage import LineageChecker
from ledger.audit.offsets import OffsetsChecker
from ledger.audit.outcome_checks import ConsumedChecker, LagChecker, OrdersChecker, RepliesChecker
from ledger.audit.outcomes import CallOutcomes
from ledger.audit.postings import PostingsChecker
from ledger.audit.prices import PricesChecker
from ledger.audit.recorded_versions import VersionCounts
from ledger.audit.secrets import SecretsChecker
from ledger.audit.turns import TurnIndex

UNREADABLE = (
    KeyError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, ArenaError,
)  # fmt: skip
"""Errors that a checker may raise on a malformed record."""

BROKEN_BY = (1, 4, 6, 7)
"""Invariants whose violations also stop the fold."""


class Auditor:
    """Passes records to every checker, and collects their results.

    Attributes:
        holdings: The checker of invariant 2, which also folds the accounts.
        records: The number of records so far.
        foreign: Topic -> records that are not messages of it.
        recorded: Counts the versions that wrote the records.
    """

    def __init__(self, scope: Scope, secrets: Mapping[str, str] | None = None) -> None:
        """Create the checkers.

        Args:
            scope: What records will come.
            secrets: Name -> value of secrets that no record may contain.
        """
        self._turns = TurnIndex(scope)
        self._outcomes = CallOutcomes(self._turns)
        self._chain = ChainChecker(scope)
        self.holdings = HoldingsChecker(scope)
        self._checkers: tuple[Checker, ...] = (
            PostingsChecker(scope),
            self.holdings,
            OrdersChecker(scope, self._outcomes, self.holdings.may_be_forgotten),
            LimitsChecker(scope),
            PricesChecker(scope),
            OffsetsChecker(scope, self._turns),
            LineageChecker(scope, self._turns),
            RepliesChecker(scope, self._outcomes),
            SecretsChecker(scope, secrets),
            LagChecker(scope, self._outcomes),
            ConsumedChecker(scope, self._outcomes),
        )
        self._secrets = next(c for c in self._checkers if isinstance(c, SecretsChecker))
        self._offsets = next(c for c in self._checkers if isinstance(c, OffsetsChecker))
        self._consumed = next(c for c in self._checkers if isinstance(c, ConsumedChecker))
        self._limits = next(c for c in self._checkers if isinstance(c, LimitsChecker))
        self._passed_over: list[Record] = []
        self.records = 0
        self.foreign: Counter[str] = Counter()
        self.recorded = VersionCounts()

    def take(self, record: Record) -> None:
        """Check one record; records come in the order of `decoding.in_order`."""
        self.records += 1
        self.recorded.take(record)
        decoded = DecodedRecord(record)
        if record.topic == topics.EVENTS.name:
            self._check_chain(decoded)
        elif record.topic == topics.CONTROL.name:
            self._passed_over.append(record)
        if foreign := record.topic != topics.EVENTS.name and decoded.foreign:
            self.foreign[record.topic] += 1
        try:
            if not foreign:
                self._turns.take(decoded)
            self._outcomes.take(decoded)
        except UNREADABLE as error:
            self._unreadable(self._consumed, decoded, error)
        takers = (self._offsets, self._secrets) if foreign else self._checkers
        if foreign and record.topic == topics.CONTROL.name:
            takers = (*takers, self._limits)  # An unreadable record there is a halt.
        for checker in takers:
            try:
                checker.take(decoded)
            except UNREADABLE as error:
                self._unreadable(checker, decoded, error)

    def _check_chain(self, decoded: DecodedRecord) -> None:
        """Decide if an event counts; the control topic, which names exceptions, came before."""
        if self._passed_over:
            named = passed_over_of(self._passed_over)
            self._passed_over = []
            self._chain.passed_over = self.holdings.passed_over = named
        self._chain.take(decoded)

    def _unreadable(self, checker: Checker, decoded: DecodedRecord, error: BaseException) -> None:
        """Count a record that its readers reject; report one that they accept as a violation."""
        if decoded.topic != topics.EVENTS.name and decoded.malformed:
            self.foreign[decoded.topic] += checker is self._offsets or checker is self._consumed
            return
        found = f"{type(error).__name__}: {error}"
        checker.expect(False, decoded.location, decoded.kind, "a record that can be read", found)

    def take_all(self, records: Iterable[Record]) -> None:
        """Check every record of a stream."""
        for record in records:
            self.take(record)

    def results(self) -> list[InvariantResult]:
        """Finish, and return the result of each invariant except the eighth, by number."""
        found = []
        self._outcomes.finish()
        for checker in (*self._checkers, self._chain):
            try:
                checker.finish()
            except UNREADABLE as error:
                error_text = f"{type(error).__name__}: {error}"
                checker.expect(False, "the end", "", "records that can be compared", error_text)
            found.append(checker.result())
        found.sort(key=lambda result: result.number)
        if self.foreign:
            consumed = next(v for v in found if v.number == ConsumedChecker.number)
            named = ", ".join(f"{count:,} in {topic}" for topic, count in self.foreign.items())
            consumed.notes.append(f"records that are not messages of their topic: {named}")
        self._report_stopped_fold(found)
        return found

    def _report_stopped_fold(self, results: list[InvariantResult]) -> None:
        """Report a fold that stopped: as a note if another invariant names the cause."""
        stopped = self.holdings.stopped
        if not stopped:
            return
        holdings = next(v for v in results if v.number == self.holdings.number)
        text = "; ".join(stopped.values())
        named = any(v.number in BROKEN_BY and v.status is InvariantStatus.FAIL for v in results)
        if holdings.status is InvariantStatus.FAIL or named:
            holdings.notes.append(f"the fold stops: {text}")
            if holdings.status is not InvariantStatus.FAIL:
                holdings.status, holdings.why = (
                    InvariantStatus.NOT_CHECKABLE,
                    f"the fold stops: {text}",
                )
            return
        for location, error_text in stopped.items():
            self.holdings.expect(
                False, f"shard {location}", "", "a log that can be folded", error_text
            )
        results[results.index(holdings)] = self.holdings.result()

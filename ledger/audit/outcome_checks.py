"""Checks invariants 3, 10, 12 and 13 on the fold of `ledger.audit.outcomes`. Pure."""

from collections.abc import Callable
from datetime import datetime

from arena import ids, topics
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord, location_of, parse_time
from ledger.audit.outcomes import CALLS, COMMANDS, EVENTS, CallOutcome, CallOutcomes, DecidedOrder

INBOX, PROMPTED = topics.INBOX.name, topics.PROMPTED.name
NOT_KEPT = "whose answers are no longer kept"


class _OutcomeChecker(Checker):
    """A checker that reads the common fold at the end; the auditor feeds that fold."""

    def __init__(self, scope: Scope, outcomes: CallOutcomes) -> None:
        super().__init__(scope)
        self.outcomes = outcomes

    def take(self, decoded: DecodedRecord) -> None:
        """Do nothing: the auditor has passed the record to the fold."""

    def no_longer_kept(self, topic: str, partition: int, offset: int) -> bool:
        """True if an offset is before the oldest record."""
        return offset < self.scope.first(topic, partition)


class OrdersChecker(_OutcomeChecker):
    """Checks that every call for an order has exactly one event; later steps of it name none."""

    number = 3
    title = "every accepted order has exactly one terminal event"
    needs = (COMMANDS, topics.EVENTS.name)
    required_count = "orders"

    def __init__(
        self,
        scope: Scope,
        outcomes: CallOutcomes,
        may_be_forgotten: Callable[[str, datetime], bool],
    ) -> None:
        """Check orders on the common fold.

        Args:
            scope: The records.
            outcomes: The common fold.
            may_be_forgotten: True if the executor may have forgotten an agent's order of a time.
        """
        super().__init__(scope, outcomes)
        self.may_be_forgotten = may_be_forgotten

    def finish(self) -> None:
        """Match orders with events, in both directions."""
        outcomes = self.outcomes
        if outcomes.steps_without_call:
            self.counts["steps that no call asked for"] = outcomes.steps_without_call
        if outcomes.open_orders:
            self.counts["orders that are open"] = len(outcomes.open_orders)
        for call_id, call in outcomes.calls.items():
            if not outcomes.is_order(call) or outcomes.is_dead_lettered(call):
                continue
            self.counts["orders"] += 1
            self.counts["orders sent twice"] += call.times_asked > 1
            if call.decisions == 0 and outcomes.is_waiting(call):
                self.counts["orders that wait"] += 1
                continue
            if call.decisions == 0 and self._was_too_old(call):
                self.counts["orders too old to be decided, refused without an event"] += 1
                continue
            if call.decisions == 0 and self.scope.first(EVENTS, call.partition) > 0:
                self.counts["orders whose events are no longer kept"] += 1
                continue
            text = "one terminal event"
            self.expect(call.decisions == 1, call.location, call.subject, text, f"{call.decisions}")
            event = outcomes.events.get(call_id)
            if event is not None and not self._was_lost(event):
                named = location_of(COMMANDS, event.partition, event.offset)
                text = f"an event of {call.location}, the first record of the order"
                self.expect(named == call.location, event.location, event.subject, text, named)
        for order_id, event in outcomes.events.items():
            self.counts["events"] += 1
            if self.no_longer_kept(COMMANDS, event.partition, event.offset):
                self.counts["commands no longer kept"] += 1
                continue
            if self.scope.live and event.offset >= self.scope.end(COMMANDS, event.partition):
                self.counts["commands newer than these records"] += 1
                continue
            if order_id not in outcomes.calls and self._was_lost(event):
                self.counts["commands that were lost after they were decided"] += 1
                continue
            text = f"a command at {location_of(COMMANDS, event.partition, event.offset)}"
            self.expect(
                order_id in outcomes.calls, event.location, event.subject, text, "no such command"
            )
        for partition, offset in outcomes.lost_from.items():
            location = location_of(COMMANDS, partition, offset)
            self.notes.append(
                f"commands were lost: the log was cut at {location} and written again"
            )

    def _was_lost(self, event: DecidedOrder) -> bool:
        """True if the log of commands was truncated before the offset that an event names."""
        lost_from = self.outcomes.lost_from.get(event.partition)
        return lost_from is not None and event.offset >= lost_from

    def _was_too_old(self, call: CallOutcome) -> bool:
        """True if an order is older than anything the executor remembers, and was answered.

        It may have been decided long ago, so the executor refuses it and writes no event.
        """
        answered = call.answers > 0 or not self.scope.has(INBOX)
        return answered and self.may_be_forgotten(call.agent, parse_time(call.issued_at))


class RepliesChecker(_OutcomeChecker):
    """Checks that every request was answered, or that its turn says it expired."""

    number = 10
    title = "one effective reply, or expired, per request"
    needs = (PROMPTED, INBOX, topics.TURNS.name)
    required_count = "requests"

    def finish(self) -> None:
        """Check every request."""
        for call in self.outcomes.requests.values():
            self.counts["requests"] += 1
            self.counts["asked again"] += call.times_asked > 1
            self.counts["answered again"] += call.answers > 1
            self._check_request(call)
        for location, call_id in self.outcomes.unasked_answers:
            if call_id not in self.outcomes.claimed_calls:
                self.counts["foreign answers, to a call that was never made"] += 1
                continue
            self.counts["answers without their call"] += 1
            if not self._may_be_deleted():
                self.expect(False, location, f"call {call_id}", "a call that asked for it", "none")

    def _may_be_deleted(self) -> bool:
        """True if retention may have deleted a request: topics are kept for days only."""
        return self.scope.live or any(
            span.first > 0
            for topic, spans in self.scope.spans.items()
            if topic.startswith(PROMPTED) or topic in (COMMANDS, CALLS)
            for span in spans.values()
        )

    def _check_request(self, call: CallOutcome) -> None:
        if not call.has_turn:
            self._check_turnless(call)
            return
        outcome = self.outcomes.turn_outcomes.get(call.turn_id)
        if call.outcome_in_turn:
            self.counts[f"told as {call.outcome_in_turn}"] += 1
            if not call.first_outcome and self.outcomes.may_be_deleted(call):
                self.counts[NOT_KEPT] += 1
                return
            # A reply that came after the turn had given up is late; the turn says expired.
            holds = call.outcome_in_turn == call.first_outcome or call.outcome_in_turn == "expired"
            text = f"{call.outcome_in_turn} as the turn says"
            self.expect(holds, call.location, call.subject, text, call.first_outcome or "no reply")
        elif outcome not in (None, "aborted") and not self._is_a_round(call):
            self.counts["that no turn tells of (a replaced router's, or foreign)"] += 1
        elif outcome is not None:
            self.counts["of turns that were cut off"] += 1
            text = "a round of its turn"
            holds = outcome == "aborted"
            self.expect(holds, call.location, call.subject, text, f"a turn {outcome} without it")
        elif call.answers == 0 and self.outcomes.is_waiting(call):
            self.counts["requests that wait"] += 1
        else:
            self.counts["of turns without an end"] += 1

    def _check_turnless(self, call: CallOutcome) -> None:
        """Check a request of the judge or of a chat: no turn says what became of it."""
        outcomes = self.outcomes
        self.counts["of askers without a turn"] += 1
        if not self.scope.has(call.inbox) or outcomes.may_be_deleted(call):
            self.counts[NOT_KEPT] += 1
            return
        waits = outcomes.is_waiting(call) or outcomes.in_flight(call)
        holds = call.answers > 0 or waits or outcomes.is_dead_lettered(call)
        self.expect(holds, call.location, call.subject, f"a reply in {call.inbox}", "none")

    def _is_a_round(self, call: CallOutcome) -> bool:
        """True if a request has the id of one of the rounds in its turn."""
        rounds = len(self.outcomes.turns.effective[call.turn_id].rounds)
        return any(ids.model_call_id(call.turn_id, n) == call.call_id for n in range(rounds))


class LagChecker(_OutcomeChecker):
    """Checks that nothing at the end of the records has waited past its deadline."""

    number = 12
    title = "nothing waits past its deadline at the end"
    needs = (COMMANDS,)
    required_count = "calls and requests"

    def finish(self) -> None:
        """Check every call and request that has no result yet."""
        newest = self.outcomes.newest()
        kinds = ((self.outcomes.calls, INBOX), (self.outcomes.requests, INBOX))
        for by_id, answers in kinds:
            if not self.scope.has(answers):
                continue
            for call in by_id.values():
                if not call.has_turn and not self.scope.has(call.inbox):
                    continue
                self.counts["calls and requests"] += 1
                if (
                    call.answers
                    or call.decisions
                    or call.outcome_in_turn
                    or self.outcomes.is_dead_lettered(call)
                ):
                    continue
                self.counts["that wait"] += 1
                if (
                    not self.outcomes.is_waiting(call)
                    or self.outcomes.turn_outcomes.get(call.turn_id) == "aborted"
                ):
                    continue
                if self.outcomes.may_be_deleted(call):
                    self.counts[NOT_KEPT] += 1
                    continue
                text = f"an end before its deadline {call.deadline_at}"
                found = f"none at {newest:%Y-%m-%dT%H:%M:%SZ}, the newest record"
                holds = newest <= parse_time(call.deadline_at)
                self.expect(holds, call.location, call.subject, text, found)
        if not self.scope.has(INBOX):
            self.why = "these records have no agent.inbox.*: it is not known what was answered"


class ConsumedChecker(_OutcomeChecker):
    """Checks that every consumed record led to an event, an answer or a dead letter."""

    number = 13
    title = "consumed = processed + dead-lettered + dropped"
    needs = (COMMANDS, topics.DEAD_LETTERS.name)
    required_count = "records consumed"

    def finish(self) -> None:
        """Check every call, request and command."""
        outcomes = self.outcomes
        self.counts["dead letters without their record"] = outcomes.unmatched_letters
        has_inboxes = self.scope.has(INBOX)
        if not has_inboxes:
            self.notes.append("reads and calculations: not checkable without agent.inbox.*")
        for call in (*outcomes.calls.values(), *outcomes.requests.values()):
            if not has_inboxes and not outcomes.is_order(call):
                continue
            unanswered = not (call.decisions or call.answers)
            if outcomes.is_waiting(call) or (unanswered and outcomes.in_flight(call)):
                self.counts["not consumed yet"] += 1
                continue
            self.counts["records consumed"] += call.times_asked
            dead_lettered = outcomes.is_dead_lettered(call)
            self.counts["dead-lettered"] += dead_lettered
            self.counts["processed"] += call.times_asked if not dead_lettered else 0
            if outcomes.turn_outcomes.get(call.turn_id) == "aborted" or (
                has_inboxes and call.outcome_in_turn
            ):
                continue
            decided = outcomes.is_order(call) and self.scope.first(EVENTS, call.partition) > 0
            if unanswered and not dead_lettered and (decided or outcomes.may_be_deleted(call)):
                self.counts[NOT_KEPT] += call.times_asked
                continue
            text = "an end, an answer or a dead letter"
            holds = bool(call.decisions or call.answers or dead_lettered)
            self.expect(
                holds, call.location, call.subject, text, "nothing, though later records have one"
            )
        for location, partition, offset, agent, call_id in outcomes.openings:
            opened = not outcomes.opened.isdisjoint((agent, call_id))
            if not opened and offset > outcomes.newest_done[COMMANDS, partition]:
                self.counts["not consumed yet"] += 1
                continue
            self.counts["records consumed"] += 1
            self.counts["processed"] += 1
            if not opened and self.scope.first(EVENTS, partition) > 0:
                self.counts[NOT_KEPT] += 1
                continue
            self.expect(opened, location, f"agent {agent}", "an account", "none was opened")
        for topic, partition, offset, kind in outcomes.unreadable:
            if offset > outcomes.newest_done[topic, partition]:
                self.counts["not consumed yet"] += 1
                continue
            self.counts["records consumed"] += 1
            self.counts["dead-lettered"] += 1
            holds = (topic, partition, offset) in outcomes.dead_lettered
            location = location_of(topic, partition, offset)
            self.expect(holds, location, kind or "no type", "a dead letter of it", "none")

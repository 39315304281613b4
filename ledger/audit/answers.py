"""Invariants 3, 10, 12 and 13, judged from what `ledger.audit.fates` folded. Pure."""

from collections.abc import Callable
from datetime import datetime

from arena import ids, topics
from ledger.audit.fates import CALLS, COMMANDS, EVENTS, Event, Fate, Fates
from ledger.audit.findings import Checker, Scope
from ledger.audit.reading import Seen, place_of, when

INBOX, PROMPTED = topics.INBOX.name, topics.PROMPTED.name
NOT_KEPT = "whose answers are no longer kept"


class _OfFates(Checker):
    """A checker that reads the common fold at the end; the auditor feeds that fold once."""

    def __init__(self, scope: Scope, fates: Fates) -> None:
        super().__init__(scope)
        self.fates = fates

    def take(self, seen: Seen) -> None:
        """Nothing: the fold was given it."""

    def no_longer_kept(self, topic: str, partition: int, offset: int) -> bool:
        """True where a place lies before the oldest record."""
        return offset < self.scope.first(topic, partition)


class OrdersChecker(_OfFates):
    """Every order that was accepted ends in exactly one event."""

    number = 3
    title = "every accepted order has exactly one terminal event"
    needs = (COMMANDS, topics.EVENTS.name)
    counted = "orders"

    def __init__(
        self, scope: Scope, fates: Fates, may_be_forgotten: Callable[[str, datetime], bool]
    ) -> None:
        """Take the fold of the fates, and whether an agent's order may have been forgotten."""
        super().__init__(scope, fates)
        self.may_be_forgotten = may_be_forgotten

    def finish(self) -> None:
        """Match orders and events, both ways."""
        fates = self.fates
        for call_id, fate in fates.calls.items():
            if not fates.is_order(fate) or fates.was_buried(fate):
                continue
            self.looked["orders"] += 1
            self.looked["orders sent twice"] += fate.asked > 1
            if fate.ends == 0 and fates.waits(fate):
                self.looked["orders that wait"] += 1
                continue
            if fate.ends == 0 and self._was_too_old(fate):
                self.looked["orders too old to be decided, refused without an event"] += 1
                continue
            if fate.ends == 0 and self.scope.first(EVENTS, fate.partition) > 0:
                self.looked["orders whose events are no longer kept"] += 1
                continue
            text = "one terminal event"
            self.expect(fate.ends == 1, fate.place, fate.subject, text, f"{fate.ends}")
            event = fates.events.get(call_id)
            if event is not None and not self._was_lost(event):
                named = place_of(COMMANDS, event.partition, event.offset)
                text = f"an event of {fate.place}, where the order stood first"
                self.expect(named == fate.place, event.place, event.subject, text, named)
        for order_id, event in fates.events.items():
            self.looked["events"] += 1
            if self.no_longer_kept(COMMANDS, event.partition, event.offset):
                self.looked["commands no longer kept"] += 1
                continue
            if self.scope.live and event.offset >= self.scope.end(COMMANDS, event.partition):
                self.looked["commands newer than these records"] += 1
                continue
            if order_id not in fates.calls and self._was_lost(event):
                self.looked["commands that were lost after they were decided"] += 1
                continue
            text = f"a command at {place_of(COMMANDS, event.partition, event.offset)}"
            self.expect(order_id in fates.calls, event.place, event.subject, text, "nobody's order")
        for partition, offset in fates.lost_from.items():
            where = place_of(COMMANDS, partition, offset)
            self.notes.append(f"commands were lost: the log was cut at {where} and written again")

    def _was_lost(self, event: Event) -> bool:
        """True if the log of commands was cut before the place that an event names."""
        lost_from = self.fates.lost_from.get(event.partition)
        return lost_from is not None and event.offset >= lost_from

    def _was_too_old(self, fate: Fate) -> bool:
        """True if an order was issued before all that the executor remembers, and was answered.

        It may have been decided long ago, so the executor refuses it and writes no event.
        """
        answered = fate.answers > 0 or not self.scope.has(INBOX)
        return answered and self.may_be_forgotten(fate.agent, when(fate.issued))


class RepliesChecker(_OfFates):
    """Every request was answered, or its turn says that the time was over."""

    number = 10
    title = "one effective reply, or expired, per request"
    needs = (PROMPTED, INBOX, topics.TURNS.name)
    counted = "requests"

    def finish(self) -> None:
        """Look at every request."""
        for fate in self.fates.requests.values():
            self.looked["requests"] += 1
            self.looked["asked again"] += fate.asked > 1
            self.looked["answered again"] += fate.answers > 1
            self._judge(fate)
        for place, call_id in self.fates.unasked:
            if call_id not in self.fates.claimed:
                self.looked["foreign answers, to a call that was never made"] += 1
                continue
            self.looked["answers without their call"] += 1
            if not self._may_be_old():
                self.expect(False, place, f"call {call_id}", "a call that asked for it", "none")

    def _may_be_old(self) -> bool:
        """Requests are kept for days, inboxes too: the oldest of either may be gone."""
        return self.scope.live or any(
            span.first > 0
            for topic, spans in self.scope.spans.items()
            if topic.startswith(PROMPTED) or topic in (COMMANDS, CALLS)
            for span in spans.values()
        )

    def _judge(self, fate: Fate) -> None:
        outcome = self.fates.ended.get(fate.turn_id)
        if fate.told:
            self.looked[f"told as {fate.told}"] += 1
            if not fate.first and self.fates.may_be_deleted(fate):
                self.looked[NOT_KEPT] += 1
                return
            # A reply that came after the turn had given up is late, and the turn says expired.
            true = fate.told == fate.first or fate.told == "expired"
            text = f"{fate.told} as the turn says"
            self.expect(true, fate.place, fate.subject, text, fate.first or "no reply")
        elif outcome not in (None, "aborted") and not self._is_a_round(fate):
            self.looked["that no turn tells of (a replaced router's, or foreign)"] += 1
        elif outcome is not None:
            self.looked["of turns that were cut off"] += 1
            text = "a round of its turn"
            true = outcome == "aborted"
            self.expect(true, fate.place, fate.subject, text, f"a turn {outcome} without it")
        elif fate.answers == 0 and self.fates.waits(fate):
            self.looked["requests that wait"] += 1
        else:
            self.looked["of turns without an end"] += 1

    def _is_a_round(self, fate: Fate) -> bool:
        """True if a request has the id of a round that its turn says it had."""
        rounds = len(self.fates.turns.counted[fate.turn_id].rounds)
        return any(ids.model_call_id(fate.turn_id, n) == fate.call_id for n in range(rounds))


class LagChecker(_OfFates):
    """At the end of the records nothing waits that should have been done."""

    number = 12
    title = "nothing waits past its deadline at the end"
    needs = (COMMANDS,)
    counted = "calls and requests"

    def finish(self) -> None:
        """Look at everything that has no end yet."""
        newest = self.fates.newest()
        kinds = ((self.fates.calls, INBOX), (self.fates.requests, INBOX))
        for by_id, answers in kinds:
            if not self.scope.has(answers):
                continue
            for fate in by_id.values():
                self.looked["calls and requests"] += 1
                if fate.answers or fate.ends or fate.told or self.fates.was_buried(fate):
                    continue
                self.looked["that wait"] += 1
                if not self.fates.waits(fate) or self.fates.ended.get(fate.turn_id) == "aborted":
                    continue
                if self.fates.may_be_deleted(fate):
                    self.looked[NOT_KEPT] += 1
                    continue
                text = f"an end before its deadline {fate.deadline}"
                found = f"none at {newest:%Y-%m-%dT%H:%M:%SZ}, the newest record"
                true = newest <= when(fate.deadline)
                self.expect(true, fate.place, fate.subject, text, found)
        if not self.scope.has(INBOX):
            self.why = "these records hold no agent.inbox.*: what was answered is not known"


class ConsumedChecker(_OfFates):
    """Whatever was read came to something: an end, an answer or a dead letter."""

    number = 13
    title = "consumed = processed + dead-lettered + dropped"
    needs = (COMMANDS, topics.DEAD_LETTERS.name)
    counted = "records consumed"

    def finish(self) -> None:
        """Look at every record of the topics of work."""
        fates = self.fates
        self.looked["dead letters without their record"] = fates.letters
        told = self.scope.has(INBOX)
        if not told:
            self.notes.append("reads and calculations: not checkable without agent.inbox.*")
        for fate in (*fates.calls.values(), *fates.requests.values()):
            if not told and not fates.is_order(fate):
                continue
            unanswered = not (fate.ends or fate.answers)
            if fates.waits(fate) or (unanswered and fates.in_flight(fate)):
                self.looked["not consumed yet"] += 1
                continue
            self.looked["records consumed"] += fate.asked
            buried = fates.was_buried(fate)
            self.looked["dead-lettered"] += buried
            self.looked["processed"] += fate.asked if not buried else 0
            if fates.ended.get(fate.turn_id) == "aborted" or (told and fate.told):
                continue
            decided = fates.is_order(fate) and self.scope.first(EVENTS, fate.partition) > 0
            if unanswered and not buried and (decided or fates.may_be_deleted(fate)):
                self.looked[NOT_KEPT] += fate.asked
                continue
            text = "an end, an answer or a dead letter"
            true = bool(fate.ends or fate.answers or buried)
            self.expect(true, fate.place, fate.subject, text, "nothing, though later ones have one")
        for place, partition, offset, agent, call_id in fates.openings:
            opened = not fates.opened.isdisjoint((agent, call_id))
            if not opened and offset > fates.done[COMMANDS, partition]:
                self.looked["not consumed yet"] += 1
                continue
            self.looked["records consumed"] += 1
            self.looked["processed"] += 1
            if not opened and self.scope.first(EVENTS, partition) > 0:
                self.looked[NOT_KEPT] += 1
                continue
            self.expect(opened, place, f"agent {agent}", "an account", "none was opened")
        for topic, partition, offset, kind in fates.unreadable:
            if offset > fates.done[topic, partition]:
                self.looked["not consumed yet"] += 1
                continue
            self.looked["records consumed"] += 1
            self.looked["dead-lettered"] += 1
            true = (topic, partition, offset) in fates.buried
            place = place_of(topic, partition, offset)
            self.expect(true, place, kind or "no type", "a dead letter of it", "none")

"""Decides which alerts are reported, and puts them into messages within a rate. Pure.

An alert is reported once per key. A subject that may come and go (`REPEATED`) is reported again
only after it has ended, and at most every `REPEAT_S`. Messages are at most `per_minute`: if more
alerts wait than fit, one message has several.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

from arena.plural import counted
from dashboard.alerts.found import Alert, Ended
from dashboard.alerts.state import (
    KEYS_MAX,
    MESSAGES_MAX,
    OPEN_MAX,
    QUEUE_MAX,
    AlertState,
    Notice,
    OpenAlert,
    WaitingMessage,
)
from dashboard.alerts.texts import (
    LINE_CHARS_MAX,
    Message,
    State,
    digest_message,
    single_message,
)

REPEATED = frozenset({"dead", "feed-silent", "broker-silent", "drift"})
"""Kinds whose subjects come and go by themselves."""
AWAITED = REPEATED | {"halt"}
"""Kinds whose end is reported."""
REPEAT_S = 600.0
"""Shortest time between two reports of such a subject."""
SINGLE_MAX = 3
"""Up to this many waiting alerts have a message each."""
MINUTE = timedelta(minutes=1)


class Outbox:
    """The reported alerts and the messages about them.

    Attributes:
        state: The state to save.
        changed: True if the state must be saved.
    """

    def __init__(
        self, state: AlertState, *, arena: str, per_minute: int, receivers: Sequence[str]
    ) -> None:
        """Take the state of an earlier process.

        Args:
            state: The state.
            arena: Name of the arena, for titles.
            per_minute: Most messages in a minute.
            receivers: Names of the receivers; messages for others are dropped.
        """
        self.state = state
        self._arena = arena
        self._per_minute = per_minute
        self._receivers = [*receivers]
        for message in state.messages:
            message.receivers = [name for name in message.receivers if name in receivers]
        state.messages = [message for message in state.messages if message.receivers]
        self.changed = False

    @property
    def awaited(self) -> dict[str, datetime]:
        """Reported subjects that have not ended, with the time of the report."""
        return {subject: one.at for subject, one in self.state.open.items()}

    def take(
        self,
        alerts: Iterable[Alert],
        ended: Iterable[Ended],
        now: datetime,
        *,
        is_whole: bool = True,
    ) -> list[Notice]:
        """Note what holds and what has ended, and return what is to be reported.

        Args:
            alerts: The alerts that hold.
            ended: Reported subjects that have ended.
            now: Wall time.
            is_whole: False if not every condition could be looked at: the first pass is to come.
        """
        found = [self._end(one, now) for one in ended if one.subject in self.state.open]
        notices = [notice for notice in found if notice is not None]
        notices += [self._report(alert, now) for alert in alerts if self._is_new(alert, now)]
        if is_whole and self.state.is_first:
            self.state.is_first, self.changed = False, True
        self._bound(now)
        room = max(0, QUEUE_MAX - len(self.state.queue))
        if self._receivers:
            self.state.queue += notices[:room]
            self.state.skipped += len(notices[room:])
        return notices

    def _is_new(self, alert: Alert, now: datetime) -> bool:
        state = self.state
        is_known = alert.key in state.sent
        is_over = state.is_first and not alert.is_now
        if is_known or is_over or (alert.kind in REPEATED and alert.subject in state.open):
            state.sent.pop(alert.key, None)
            state.sent[alert.key] = None
            self.changed = self.changed or not is_known
            return False
        last = state.reported_at.get(alert.subject)
        too_soon = last is not None and (now - last).total_seconds() < REPEAT_S
        return not (alert.kind in REPEATED and too_soon)

    def _report(self, alert: Alert, now: datetime) -> Notice:
        state, self.changed = self.state, True
        state.sent[alert.key] = None
        if alert.kind in AWAITED and len(state.open) < OPEN_MAX:
            state.open[alert.subject] = OpenAlert(kind=alert.kind, at=now)
        if alert.kind in REPEATED:
            state.reported_at[alert.subject] = now
        return _notice(alert.kind, "alert", alert.subject, alert.key, alert.text, now)

    def _end(self, ended: Ended, now: datetime) -> Notice | None:
        """Close a subject: its causes may be reported again."""
        state, self.changed = self.state, True
        state.open.pop(ended.subject)
        mark = f"{ended.subject}@"
        for key in [key for key in state.sent if key.startswith(mark)]:
            del state.sent[key]
        if not ended.text:
            return None
        return _notice(ended.kind, "resolved", ended.subject, ended.subject, ended.text, now)

    def _bound(self, now: datetime) -> None:
        state = self.state
        while len(state.sent) > KEYS_MAX:
            del state.sent[next(iter(state.sent))]
        oldest = now - timedelta(seconds=REPEAT_S)
        for subject in [one for one, at in state.reported_at.items() if at < oldest]:
            del state.reported_at[subject]

    def make_messages(self, now: datetime, *, flush: bool = False) -> list[WaitingMessage]:
        """Put waiting alerts into as many messages as the rate allows now.

        Args:
            now: Wall time.
            flush: Put all of them into messages: one more than the rate allows, if needed.
        """
        state = self.state
        recent = [at for at in state.message_times if timedelta() <= now - at < MINUTE]
        made: list[WaitingMessage] = []
        while state.queue and (flush or len(recent) < self._per_minute):
            is_last = len(recent) >= self._per_minute - 1
            waiting = len(state.queue) + state.skipped
            if waiting == 1 or (waiting <= SINGLE_MAX and not is_last):
                one = state.queue.pop(0)
                message = single_message(self._arena, one.kind, one.state, one.text)
                made.append(self._message(one.kind, one.state, message))
            else:
                texts = [_line(one) for one in state.queue]
                message = digest_message(self._arena, texts, state.skipped)
                made.append(self._message("", "alert", message))
                state.queue, state.skipped = [], 0
            recent.append(now)
        if made:
            state.message_times = recent
            state.messages += made
            self._give_up_oldest()
            self.changed = True
        return made

    def _message(self, kind: str, state: State, message: Message) -> WaitingMessage:
        number = self.state.next_number
        self.state.next_number += 1
        return WaitingMessage(
            number=number,
            kind=kind,
            state=state,
            title=message.title,
            body=message.body,
            receivers=[*self._receivers],
        )

    def _give_up_oldest(self) -> None:
        for receiver in self._receivers:
            waiting = [one for one in self.state.messages if receiver in one.receivers]
            for message in islice(waiting, max(0, len(waiting) - MESSAGES_MAX)):
                self.give_up(message.number, receiver)

    def next_for(self, receiver: str) -> WaitingMessage | None:
        """The oldest message that a receiver has not confirmed, or None."""
        return next((one for one in self.state.messages if receiver in one.receivers), None)

    def body_for(self, message: WaitingMessage, receiver: str) -> str:
        """The text of a message for a receiver: it also says how many were given up before."""
        lost = self.state.lost.get(receiver, 0)
        note = f"\n({counted(lost, 'earlier message')} could not be delivered here)" if lost else ""
        return message.body + note

    def confirm(self, number: int, receiver: str) -> None:
        """Note that a receiver has a message."""
        self.state.lost.pop(receiver, None)
        self._remove(number, receiver)

    def give_up(self, number: int, receiver: str) -> None:
        """Note that a message is not sent to a receiver any more."""
        if self._remove(number, receiver):
            self.state.lost[receiver] = self.state.lost.get(receiver, 0) + 1

    def _remove(self, number: int, receiver: str) -> bool:
        found = False
        for message in self.state.messages:
            if message.number == number and receiver in message.receivers:
                message.receivers.remove(receiver)
                found = self.changed = True
        self.state.messages = [one for one in self.state.messages if one.receivers]
        return found


def _line(notice: Notice) -> str:
    prefix = "" if notice.state == "alert" else "resolved: "
    return f"{prefix}{notice.text}"


def _notice(kind: str, state: State, subject: str, key: str, text: str, now: datetime) -> Notice:
    return Notice(
        at=now, kind=kind, state=state, subject=subject, key=key, text=text[:LINE_CHARS_MAX]
    )

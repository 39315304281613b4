"""Runs alerts: a task follows the topics, one reports alerts, one per receiver delivers messages.

Reads what `dashboard.alerts.watch` reads. Writes heartbeats like every process, a checkpoint of the
read model, and its state file: an alert is in the file before it is sent, and leaves it when every
receiver has confirmed it. A second process of the same name and home waits until the first ends.
"""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from arena.error_causes import error_message
from arena.fold_checkpoint import CheckpointFile
from arena.node import Node
from arena.tasks import wait_for_tasks
from dashboard.alerts.apprise_client import AppriseClient
from dashboard.alerts.conditions import (
    Limits,
    find_alerts,
    find_broker_silent,
    find_ended,
)
from dashboard.alerts.drawdowns import DrawdownFold
from dashboard.alerts.found import Alert, Ended
from dashboard.alerts.outbox import Outbox
from dashboard.alerts.receivers import Receiver
from dashboard.alerts.senders import Sender
from dashboard.alerts.state import Notice
from dashboard.alerts.state_file import StateFile
from dashboard.alerts.watch import Watch

PASS_EVERY_S = 0.5
IDLE_PASS_S = 1.0
"""Seconds between two passes without new records: ages still change."""
LOCK_EVERY_S = 1.0
READ_END_S = 4.0
FINISH_S = 9.0
"""How long a process that is stopped reads the last records and sends the last messages; the
supervisor waits longer."""


class AlertService:
    """One process of alerts.

    Attributes:
        outbox: What was reported, and what is still to be sent.
    """

    def __init__(
        self,
        node: Node,
        *,
        receivers: Sequence[Receiver],
        limits: Limits,
        per_minute: int,
        title: str,
        as_json: bool,
    ) -> None:
        """Take the options of the process; see `dashboard.alerts.process.AlertOptions`."""
        self._node = node
        self._receivers = receivers
        self._limits = limits
        self._per_minute = per_minute
        self._title = title
        self._as_json = as_json
        self._file = StateFile(node.settings, node.name)
        self._saving = asyncio.Lock()
        self._confirmed = asyncio.Event()
        self._senders: list[Sender] = []

    async def run(self) -> None:
        """Report alerts until cancelled; then read the last records and send the last messages."""
        node = self._node
        await self._wait_for_lock()
        try:
            await self._open()
            node.status = "running"
            work = [self._watch.follow(), self._report(), self._save_confirmations()]
            work += [sender.run() for sender in self._senders]
            tasks = [asyncio.ensure_future(one) for one in work]
            try:
                await wait_for_tasks(tasks, None, node.clock)
                for task in tasks:
                    if task.done():
                        task.result()
            except asyncio.CancelledError:
                await self._finish()
                raise
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._watch.close()
        finally:
            self._file.unlock()

    async def _wait_for_lock(self) -> None:
        node = self._node
        while not self._file.try_lock():
            if node.status != "standby":
                node.status = "standby"
                node.log.info("another process of this name sends; this one waits for its end")
            await node.clock.sleep(LOCK_EVERY_S)

    async def _open(self) -> None:
        """Read the state, check the receivers, and open the topics."""
        node = self._node
        state, fault = self._file.load()
        if fault:
            node.log.warning("alerts start without their state", why=fault)
        names = [receiver.name for receiver in self._receivers]
        node.details["receivers"] = [*names]
        self.outbox = Outbox(state, arena=self._title, per_minute=self._per_minute, receivers=names)
        # The first address makes Apprise load all of its plugins, which takes a second.
        clients = await node.threads.run(lambda: [AppriseClient(one) for one in self._receivers])
        for name, client in zip(names, clients, strict=True):
            self._senders.append(
                Sender(node, name, client, self.outbox, on_change=self._confirmed.set)
            )
        checkpoint = CheckpointFile(
            node.settings, f"alerts-{node.name}", node.log, threads=node.threads
        )
        self._watch = Watch(
            node.bus,
            node.clock,
            self._limits,
            file=checkpoint,
            drawdowns=DrawdownFold(state.peaks),
        )
        await self._watch.open()

    async def _report(self) -> None:
        """Report what holds, whenever there are new records, until cancelled."""
        clock, changed = self._node.clock, self._watch.follower.changed
        while True:
            if self._watch.is_current:
                await self._pass()
            elif alerts := find_broker_silent(self._watch.broker_silent_s, self._limits):
                await self._take(alerts, [], self._watch.now(), is_whole=False)
            await clock.sleep(PASS_EVERY_S)
            with contextlib.suppress(TimeoutError):
                async with clock.timeout(IDLE_PASS_S - PASS_EVERY_S):
                    await changed.wait()
            changed.clear()

    async def _pass(self, *, stopping: bool = False) -> None:
        """Report what holds now."""
        situation = self._watch.situation(stopping=stopping)
        ended = find_ended(situation, self.outbox.awaited)
        alerts = find_alerts(situation)
        self._keep_peaks()
        await self._take(alerts, ended, situation.now, flush=stopping)

    async def _take(
        self,
        alerts: Sequence[Alert],
        ended: Sequence[Ended],
        now: datetime,
        *,
        is_whole: bool = True,
        flush: bool = False,
    ) -> None:
        """Report what is new, and hand new messages to the senders."""
        notices = self.outbox.take(alerts, ended, now, is_whole=is_whole)
        self.outbox.make_messages(now, flush=flush)
        await self._save()
        for notice in notices:
            print(notice_json(notice) if self._as_json else notice_line(notice), flush=True)
        self._node.counters["alerts"] += len(notices)
        self._node.gauges["messages_waiting"] = len(self.outbox.state.messages)
        for sender in self._senders:
            sender.wake.set()

    def _keep_peaks(self) -> None:
        state, peaks = self.outbox.state, self._watch.drawdowns.peaks
        if state.peaks != peaks:
            state.peaks, self.outbox.changed = dict(peaks), True

    async def _save_confirmations(self) -> None:
        while True:
            await self._confirmed.wait()
            self._confirmed.clear()
            await self._save()

    async def _save(self) -> None:
        """Save the state if it has changed; alerts are sent even if it cannot be saved."""
        async with self._saving:
            if not self.outbox.changed:
                return
            self.outbox.changed = False
            text = self.outbox.state.model_dump_json()
            try:
                await self._node.threads.run(partial(self._file.save, text))
            except OSError as error:
                self.outbox.changed = True
                why = error_message(error)
                self._node.log.error("a restart may repeat alerts: state not saved", why=why)

    async def _finish(self) -> None:
        """Report what the last records say, and wait a little until everything is delivered."""
        clock, outbox = self._node.clock, self.outbox
        with contextlib.suppress(TimeoutError):
            async with clock.timeout(FINISH_S):
                with contextlib.suppress(TimeoutError):
                    async with clock.timeout(READ_END_S):
                        await self._watch.read_to_end()
                if self._watch.is_current:
                    await self._pass(stopping=True)
                while outbox.state.messages:
                    await clock.sleep(PASS_EVERY_S / 10)
        await self._save()
        if left := len(outbox.state.messages):
            self._node.log.warning("messages not delivered; the next start sends them", left=left)


def notice_line(notice: Notice) -> str:
    """A reported alert on one line, for people."""
    ended = " resolved" if notice.state == "resolved" else ""
    return f"{notice.at:%Y-%m-%d %H:%M:%S} {notice.kind}{ended}: {notice.text}"


def notice_json(notice: Notice) -> str:
    """A reported alert as a JSON document on one line; fields are only ever added."""
    return json.dumps(notice.model_dump(mode="json"), ensure_ascii=False)

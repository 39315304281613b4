"""Runs one storm, from its first process to the results of the checks.

Brokers and databases, then all processes, then orders and faults at the same time, then a wait
without either, then the checks. All files are in one folder; what was started is always stopped.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from arena import topics
from arena.acls import rules_for
from arena.bus.kafka import KafkaBus
from arena.clock import SHIFT_VARIABLE
from arena.errors import DependencyMissing
from arena.settings import KafkaAccess, Settings
from operations.commands.supervised_run import process_environment
from operations.kafka_acls import apply_rules
from operations.specs.arena_spec import load_spec
from operations.storm import postgres, proxy_client, storm_commands
from operations.storm.brokers import Brokers
from operations.storm.checker_run import client_options
from operations.storm.client_errors import raise_failed
from operations.storm.fault_injector import FaultInjector
from operations.storm.fault_plan import SUPERVISOR, StormPlan
from operations.storm.halt_injector import HaltInjector
from operations.storm.order_sender import OrderSender
from operations.storm.outcome import Outcome
from operations.storm.poison_sender import PoisonSender
from operations.storm.processes import StormProcesses
from operations.storm.verdicts import CommandResult, OracleFiles, RecordChecks
from operations.storm.watcher import Watcher

TICK_S = 0.1
UP_S = 90.0
REST_S = 120.0
BACK_S = 2.0
"""An arena that decides orders this long after a broker came back has recovered."""
DECIDING_S = 1.0
"""An arena that decided an order within this time is deciding."""
LATE_S = 15.0
"""Time after the last fault for poison that could not be sent while a broker was down."""
QUIET_S = 1.5
LEDGERS_S = 120.0
UNDECIDED_MAX = 4_000
"""Number of undecided orders above which the order sender sends no new ones."""
HOME = "home"
SQLITE, POSTGRES = "sqlite", "postgres"
PrintLine = Callable[[str], None]


@dataclass
class Storm:
    """A storm in a folder.

    Attributes:
        plan: The plan. folder: An empty folder. per_second: Orders of the order sender.
        print_line: Prints a line. show_progress: Shows the current state in one redrawn line.
        decision_gap_s, phases: See `Outcome`.
    """

    plan: StormPlan
    folder: Path
    per_second: float
    print_line: PrintLine
    show_progress: PrintLine
    without: list[str] = field(default_factory=list)
    decision_gap_s: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    _phase_s: float = field(default_factory=time.monotonic)

    async def run(self) -> Outcome:
        """Run the storm and the checks.

        Raises:
            DependencyMissing: The brokers cannot be started.
        """
        home = self.folder / HOME
        home.mkdir(parents=True)
        brokers = Brokers(home, self.plan.brokers, self.plan.secure)
        server = None if (why := postgres.unavailable_reason()) else postgres.Postgres()
        if why:
            self.without.append(f"no ledger on PostgreSQL: {why}")
        try:
            starts = [brokers.start, *([server.start] if server is not None else [])]
            results = await asyncio.gather(*map(asyncio.to_thread, starts), return_exceptions=True)
            for error in filter(None, results):
                raise error
            return await self._run_with_proxy(brokers, server)
        finally:
            await asyncio.to_thread(brokers.stop)
            if server is not None:
                await asyncio.to_thread(server.stop)

    async def _run_with_proxy(self, brokers: Brokers, server: postgres.Postgres | None) -> Outcome:
        began_s = time.monotonic()
        if why := proxy_client.unavailable_reason():
            self.without.append(f"no link is cut: {why}")
            return await self._run_processes(brokers, server, None, began_s)
        proxy = proxy_client.ProxyClient(brokers.bootstrap)
        try:
            await proxy.start()
            return await self._run_processes(brokers, server, proxy, began_s)
        finally:
            await proxy.stop()

    async def _run_processes(
        self,
        brokers: Brokers,
        server: postgres.Postgres | None,
        proxy: proxy_client.ProxyClient | None,
        began_s: float,
    ) -> Outcome:
        """Run the storm, with processes that connect to the brokers through the proxy."""
        spec = self.folder / "storm.toml"
        spec.write_text(storm_commands.spec_text(self.plan.seed), encoding="utf-8")
        await self._make_topics(brokers, spec)
        commands = storm_commands.extra_commands(postgres=server is not None)
        ledgers = self._ledger_urls(server)
        clocks = self.folder / "clocks"
        clocks.mkdir()
        bootstrap = proxy.bootstrap if proxy is not None else brokers.bootstrap
        processes = self._new_processes(bootstrap, spec, commands, ledgers)
        environ = {**os.environ, **processes.environ, **brokers.login("cli")}
        oracles = OracleFiles(self.folder / "acked.jsonl", self.folder / "halted.jsonl")
        with oracles.acked.open("w") as acked_file, oracles.halted.open("w") as halted_file:
            options = client_options(brokers.login())
            sender = OrderSender(options, self.plan.seed, self.per_second, acked_file)
            watcher = Watcher(options)
            sender.is_full = lambda: len(watcher.open) > UNDECIDED_MAX
            poison = PoisonSender(
                options, self.plan.seed, self.plan.poison, sender.note_acked, sender.counts
            )
            halts = HaltInjector(environ, options, self.plan.halts, halted_file)
            halts.counts = sender.counts
            halts.is_deciding = lambda: watcher.since_decision_s() < DECIDING_S
            faults = FaultInjector(self.plan, processes, brokers, proxy, clocks)
            faults.since_decision_s = watcher.since_decision_s
            faults.is_deciding = lambda: watcher.last_decision_s > brokers.up_at_s + BACK_S
            injectors = (poison.run(), halts.run())
            try:
                recovery_s = await self._inject_faults(
                    processes, brokers, sender, watcher, faults, injectors
                )
            finally:
                await asyncio.to_thread(processes.stop)
        self._end_phase("rest")
        checks = RecordChecks(environ, self.folder, oracles, ledgers)
        reconciles = await self._decide_rest(brokers, spec, commands, checks, watcher)
        self._end_phase("books")
        self.print_line("running checker, audit, replays and ledgers")
        verdicts = await checks.run(reconciles)
        self._end_phase("verdicts")
        return Outcome(
            plan=self.plan,
            version=brokers.version,
            seconds=time.monotonic() - began_s,
            faults=faults,
            sent=sender.counts,
            not_injected=[*poison.not_injected, *halts.not_injected],
            verdicts=verdicts,
            decision_gap_s=self.decision_gap_s,
            recovery_s=recovery_s,
            ends=processes.ends,
            open_orders=len(watcher.open),
            phases=self.phases,
            without=self.without,
        )

    async def _inject_faults(
        self,
        processes: StormProcesses,
        brokers: Brokers,
        sender: OrderSender,
        watcher: Watcher,
        faults: FaultInjector,
        injectors: Sequence[Coroutine[None, None, None]],
    ) -> float | None:
        """Send orders and inject faults; return the seconds until nothing old was open."""
        await asyncio.to_thread(processes.start)
        works = self._keep_running(processes), watcher.run()
        tasks = [asyncio.create_task(work) for work in works]
        senders = [asyncio.create_task(sender.run())]
        try:
            up = await self._wait_until(
                lambda: processes.all_run() and watcher.last_decision_s > 0,
                UP_S,
                (*tasks, *senders),
            )
            if not up:
                raise DependencyMissing(
                    f"the arena was not running after {UP_S:.0f} s",
                    remedy=f"read the logs in {self.folder}",
                )
            self._end_phase("start")
            injecting = asyncio.create_task(faults.run())
            others = [asyncio.create_task(work) for work in injectors]
            senders += others
            await self._report_until(injecting, sender, watcher, faults, (*tasks, *senders))
            self._end_phase("faults")
            await asyncio.wait(others, timeout=LATE_S)
            raise_failed((*tasks, *senders))
            faults_ended_s = time.monotonic()
            gap_s = max(watcher.decision_gap_s_max, watcher.since_decision_s())
            self.decision_gap_s = round(gap_s, 1)
            for task in senders:
                task.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            if processes.given_up():
                processes.kill(SUPERVISOR)
            self.print_line(
                f"rest: {len(watcher.open):,} orders and {len(watcher.turns)} turns open"
            )

            def is_done() -> bool:
                old_turn = watcher.has_open_turn_before(faults_ended_s)
                return not watcher.open and not old_turn and processes.all_run()

            rested = await self._wait_until(is_done, REST_S, tasks, self._rest_progress(watcher))
            await self._wait_until_in_sync(brokers)
            return round(time.monotonic() - faults_ended_s, 1) if rested else None
        finally:
            for task in (*tasks, *senders):
                task.cancel()
            await asyncio.gather(*tasks, *senders, return_exceptions=True)

    def _end_phase(self, name: str) -> None:
        now_s = time.monotonic()
        self.phases[name] = round(now_s - self._phase_s, 1)
        self._phase_s = now_s

    async def _keep_running(self, processes: StormProcesses) -> None:
        while True:
            processes.tick()
            await asyncio.sleep(TICK_S)

    async def _report_until(
        self,
        injecting: "asyncio.Task[None]",
        sender: OrderSender,
        watcher: Watcher,
        faults: FaultInjector,
        others: Sequence["asyncio.Task[None]"],
    ) -> None:
        """Show progress until the faults are over; raise the error of a task that fails."""
        began_s = time.monotonic()
        try:
            while not injecting.done():
                counts = "  ".join(f"{kind} {n}" for kind, n in sorted(faults.counts.items()))
                self.show_progress(
                    f"{time.monotonic() - began_s:4.0f} s  acked {sender.counts['acked']:,}"
                    f"  decided {len(watcher.decided):,}  open {len(watcher.open):,}"
                    f"  kills {faults.kills.total()}  {counts}"
                )
                await asyncio.wait([injecting], timeout=TICK_S)
                raise_failed(others)
            injecting.result()
        finally:
            injecting.cancel()
            await asyncio.gather(injecting, return_exceptions=True)

    async def _wait_until(
        self,
        condition: Callable[[], bool],
        timeout_s: float,
        tasks: Sequence["asyncio.Task[None]"],
        on_poll: Callable[[], None] | None = None,
    ) -> bool:
        """Wait for a condition; return False if it did not become true in time."""
        until_s = time.monotonic() + timeout_s
        while not condition():
            raise_failed(tasks)
            if time.monotonic() > until_s:
                return False
            if on_poll is not None:
                on_poll()
            await asyncio.sleep(TICK_S)
        return True

    def _rest_progress(self, watcher: Watcher) -> Callable[[], None]:
        return lambda: self.show_progress(
            f"rest  decided {len(watcher.decided):,}  open {len(watcher.open):,}"
        )

    async def _wait_until_in_sync(self, brokers: Brokers) -> None:
        until_s = time.monotonic() + REST_S
        while not await brokers.in_sync():
            if time.monotonic() > until_s:
                return
            await asyncio.sleep(TICK_S)

    async def _decide_rest(
        self,
        brokers: Brokers,
        spec: Path,
        commands: Mapping[str, list[str]],
        checks: RecordChecks,
        watcher: Watcher,
    ) -> dict[str, CommandResult]:
        """Run only an executor and the ledgers, until all orders are decided and recorded.

        Returns:
            Kind of ledger -> the result of `arena reconcile` when it has every event.
        """
        last = {
            "tools-2": commands["tools-2"],
            **{f"ledger-{k}": ["ledger", "run", "--name", f"last-{k}"] for k in checks.ledgers},
        }
        processes = self._new_processes(brokers.bootstrap, spec, last, checks.ledgers)
        until_s = time.monotonic() + LEDGERS_S
        watcher.last_record_s = time.monotonic()
        try:
            await asyncio.to_thread(processes.start_alone)
            tasks = [
                asyncio.create_task(work) for work in (self._keep_running(processes), watcher.run())
            ]
            try:
                await self._wait_until(
                    lambda: not watcher.open and watcher.quiet_s() > QUIET_S,
                    LEDGERS_S,
                    tasks,
                    self._rest_progress(watcher),
                )
                while True:
                    found = await checks.reconcile_all()
                    late = [
                        k for k, result in found.items() if result.ledger_end < watcher.events_end
                    ]
                    if not late or time.monotonic() > until_s:
                        return found
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await asyncio.to_thread(processes.stop)

    def _new_processes(
        self,
        bootstrap: str,
        spec: Path,
        commands: Mapping[str, list[str]],
        ledgers: Mapping[str, str],
    ) -> StormProcesses:
        settings = Settings().override(
            bootstrap_servers=bootstrap, prefix=storm_commands.PREFIX, home=self.folder / HOME
        )
        environ = {
            **process_environment(settings),
            "ARENA_LOG_FORMAT": "json",
            SHIFT_VARIABLE: str(self.folder / "clocks"),
            storm_commands.DATABASE: "",
        }
        extra = {f"ledger-{kind}": {storm_commands.DATABASE: url} for kind, url in ledgers.items()}
        return StormProcesses(
            home=self.folder / HOME,
            logs=self.folder / "logs",
            environ=environ,
            commands=commands,
            spec=spec,
            secure=self.plan.secure,
            extra=extra,
        )

    def _ledger_urls(self, server: postgres.Postgres | None) -> dict[str, str]:
        home = (self.folder / HOME).resolve()
        found = {SQLITE: f"sqlite:///{home / 'ledger-storm.db'}"}
        return found if server is None else {**found, POSTGRES: server.url}

    async def _make_topics(self, brokers: Brokers, spec: Path) -> None:
        """Create all topics and access rules before the processes start."""
        settings = Settings().override(
            bootstrap_servers=brokers.bootstrap, prefix=storm_commands.PREFIX
        )
        settings = settings.override(access=KafkaAccess.of(brokers.login()))
        bus = KafkaBus(settings, client_id="arena-storm")
        await bus.start()
        try:
            inboxes = [topics.INBOX.member(agent) for agent in storm_commands.SENDER_AGENTS]
            wanted = [*topics.fixed_topics(), *load_spec(spec).topics(), *inboxes]
            await bus.ensure_topics(wanted)
        finally:
            await _close(bus)
        if self.plan.secure:
            await apply_rules(settings, rules_for(storm_commands.PREFIX))


async def _close(bus: KafkaBus) -> None:
    """Close a bus; aiokafka may cancel a task that never started, and pass on its cancellation."""
    try:
        await bus.close()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise

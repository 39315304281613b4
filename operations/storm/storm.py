"""One storm from its first process to the verdict.

Brokers and databases, then all processes, then traffic and faults at once, then rest, then the
verdicts. Everything is in one folder; what was started is ended whatever happens.
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
"""An arena that decides orders so long after a broker came back has come back, too."""
WORKS_S = 1.0
"""An arena that decided an order so short a time ago works."""
LATE_S = 15.0
"""Poison that could not be sent while a broker was down is sent after the last fault."""
QUIET_S = 1.5
BOOKS_S = 120.0
OPEN_MAX = 4_000
"""Undecided orders: the driver sends no further ones."""
HOME = "home"
SQLITE, POSTGRES = "sqlite", "postgres"
Say = Callable[[str], None]


@dataclass
class Storm:
    """A storm in a folder.

    Attributes:
        plan: What happens. folder: must be empty. per_second: orders of the driver.
        say: Prints a line that stays. show: prints the state of now.
        still_s, phases: See `Outcome`.
    """

    plan: StormPlan
    folder: Path
    per_second: float
    say: Say
    show: Say
    without: list[str] = field(default_factory=list)
    still_s: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    _phase_s: float = field(default_factory=time.monotonic)

    async def run(self) -> Outcome:
        """From the first process to the verdict.

        Raises:
            DependencyMissing: The brokers cannot be started.
        """
        home = self.folder / HOME
        home.mkdir(parents=True)
        brokers = Brokers(home, self.plan.brokers, self.plan.secure)
        server = None if (why := postgres.unavailable_reason()) else postgres.Postgres()
        if why:
            self.without.append(f"no books on PostgreSQL: {why}")
        try:
            starts = [brokers.start, *([server.start] if server is not None else [])]
            ends = await asyncio.gather(*map(asyncio.to_thread, starts), return_exceptions=True)
            for end in filter(None, ends):
                raise end
            return await self._with(brokers, server)
        finally:
            await asyncio.to_thread(brokers.stop)
            if server is not None:
                await asyncio.to_thread(server.stop)

    async def _with(self, brokers: Brokers, server: postgres.Postgres | None) -> Outcome:
        began_s = time.monotonic()
        if why := proxy_client.unavailable_reason():
            self.without.append(f"no link is cut: {why}")
            return await self._through(brokers, server, None, began_s)
        proxy = proxy_client.ProxyClient(brokers.bootstrap)
        try:
            await proxy.start()
            return await self._through(brokers, server, proxy, began_s)
        finally:
            await proxy.stop()

    async def _through(
        self,
        brokers: Brokers,
        server: postgres.Postgres | None,
        proxy: proxy_client.ProxyClient | None,
        began_s: float,
    ) -> Outcome:
        """The storm itself, with processes that reach the brokers through the proxy."""
        spec = self.folder / "storm.toml"
        spec.write_text(storm_commands.spec_text(self.plan.seed), encoding="utf-8")
        await self._make_topics(brokers, spec)
        commands = storm_commands.commands_alone(postgres=server is not None)
        books = self._books(server)
        clocks = self.folder / "clocks"
        clocks.mkdir()
        bootstrap = proxy.bootstrap if proxy is not None else brokers.bootstrap
        house = self._house(bootstrap, spec, commands, books)
        environ = {**os.environ, **house.environ, **brokers.login("cli")}
        oracles = OracleFiles(self.folder / "acked.jsonl", self.folder / "halted.jsonl")
        with oracles.acked.open("w") as oracle, oracles.halted.open("w") as halted:
            options = client_options(brokers.login())
            driver = OrderSender(options, self.plan.seed, self.per_second, oracle)
            watcher = Watcher(options)
            driver.is_full = lambda: len(watcher.open) > OPEN_MAX
            poisoner = PoisonSender(
                options, self.plan.seed, self.plan.poison, driver.note_acked, driver.counts
            )
            halter = HaltInjector(environ, options, self.plan.halts, halted)
            halter.counts = driver.counts
            halter.works = lambda: watcher.still_s() < WORKS_S
            faults = FaultInjector(self.plan, house, brokers, proxy, clocks)
            faults.still_s = watcher.still_s
            faults.works = lambda: watcher.decided_at > brokers.up_at + BACK_S
            works = (poisoner.run(), halter.run())
            try:
                recovery_s = await self._rage(house, brokers, driver, watcher, faults, works)
            finally:
                await asyncio.to_thread(house.stop)
        self._end_phase("rest")
        judges = RecordChecks(environ, self.folder, oracles, books)
        reconciles = await self._drain(brokers, spec, commands, judges, watcher)
        self._end_phase("books")
        self.say("asking checker, audit, replays and books")
        verdicts = await judges.ask(reconciles)
        self._end_phase("verdicts")
        return Outcome(
            plan=self.plan,
            version=brokers.version,
            seconds=time.monotonic() - began_s,
            faults=faults,
            sent=driver.counts,
            unsent=[*poisoner.unsent, *halter.unsent],
            verdicts=verdicts,
            still_s=self.still_s,
            recovery_s=recovery_s,
            ends=house.ends,
            open_orders=len(watcher.open),
            phases=self.phases,
            without=self.without,
        )

    async def _rage(
        self,
        house: StormProcesses,
        brokers: Brokers,
        driver: OrderSender,
        watcher: Watcher,
        faults: FaultInjector,
        works: Sequence[Coroutine[None, None, None]],
    ) -> float | None:
        """Traffic and faults; the seconds until all orders were decided and all old turns ended."""
        await asyncio.to_thread(house.start)
        tasks = [asyncio.create_task(work) for work in (self._keep(house), watcher.run())]
        senders = [asyncio.create_task(driver.run())]
        try:
            up = await self._until(
                lambda: house.is_whole() and watcher.decided_at > 0, UP_S, (*tasks, *senders)
            )
            if not up:
                raise DependencyMissing(
                    f"the arena was not up after {UP_S:.0f} s",
                    remedy=f"read the logs in {self.folder}",
                )
            self._end_phase("start")
            raging = asyncio.create_task(faults.run())
            others = [asyncio.create_task(work) for work in works]
            senders += others
            await self._report_until(raging, driver, watcher, faults, (*tasks, *senders))
            self._end_phase("faults")
            await asyncio.wait(others, timeout=LATE_S)
            raise_failed((*tasks, *senders))
            healed_s = time.monotonic()
            self.still_s = round(max(watcher.still_s_max, watcher.still_s()), 1)
            for task in senders:
                task.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            if house.given_up():
                house.kill(SUPERVISOR)
            self.say(f"rest: {len(watcher.open):,} orders and {len(watcher.turns)} turns open")

            def is_done() -> bool:
                old_turn = watcher.has_turn_of_before(healed_s)
                return not watcher.open and not old_turn and house.is_whole()

            rested = await self._until(is_done, REST_S, tasks, self._pace(watcher))
            await self._until_in_sync(brokers)
            return round(time.monotonic() - healed_s, 1) if rested else None
        finally:
            for task in (*tasks, *senders):
                task.cancel()
            await asyncio.gather(*tasks, *senders, return_exceptions=True)

    def _end_phase(self, name: str) -> None:
        now_s = time.monotonic()
        self.phases[name] = round(now_s - self._phase_s, 1)
        self._phase_s = now_s

    async def _keep(self, house: StormProcesses) -> None:
        while True:
            house.tick()
            await asyncio.sleep(TICK_S)

    async def _report_until(
        self,
        raging: "asyncio.Task[None]",
        driver: OrderSender,
        watcher: Watcher,
        faults: FaultInjector,
        others: Sequence["asyncio.Task[None]"],
    ) -> None:
        """Show how it goes; a part of the storm itself that fails ends it."""
        began_s = time.monotonic()
        try:
            while not raging.done():
                counts = "  ".join(f"{kind} {n}" for kind, n in sorted(faults.counts.items()))
                self.show(
                    f"{time.monotonic() - began_s:4.0f} s  acked {driver.counts['acked']:,}"
                    f"  decided {len(watcher.decided):,}  open {len(watcher.open):,}"
                    f"  kills {faults.kills.total()}  {counts}"
                )
                await asyncio.wait([raging], timeout=TICK_S)
                raise_failed(others)
            raging.result()
        finally:
            raging.cancel()
            await asyncio.gather(raging, return_exceptions=True)

    async def _until(
        self,
        is_so: Callable[[], bool],
        timeout_s: float,
        works: Sequence["asyncio.Task[None]"],
        pace: Callable[[], None] | None = None,
    ) -> bool:
        """Wait for a condition; False if it did not come in time."""
        until_s = time.monotonic() + timeout_s
        while not is_so():
            raise_failed(works)
            if time.monotonic() > until_s:
                return False
            if pace is not None:
                pace()
            await asyncio.sleep(TICK_S)
        return True

    def _pace(self, watcher: Watcher) -> Callable[[], None]:
        return lambda: self.show(
            f"rest  decided {len(watcher.decided):,}  open {len(watcher.open):,}"
        )

    async def _until_in_sync(self, brokers: Brokers) -> None:
        until_s = time.monotonic() + REST_S
        while not await brokers.in_sync():
            if time.monotonic() > until_s:
                return
            await asyncio.sleep(TICK_S)

    async def _drain(
        self,
        brokers: Brokers,
        spec: Path,
        commands: Mapping[str, list[str]],
        judges: RecordChecks,
        watcher: Watcher,
    ) -> dict[str, CommandResult]:
        """Without agents and market: an executor decides what is left, the books catch up.

        Returns:
            What reconcile says of each kind of books, once they have every event.
        """
        last = {
            "tools-2": commands["tools-2"],
            **{f"ledger-{k}": ["ledger", "run", "--name", f"last-{k}"] for k in judges.books},
        }
        house = self._house(brokers.bootstrap, spec, last, judges.books)
        until_s = time.monotonic() + BOOKS_S
        watcher.moved_at = time.monotonic()
        try:
            await asyncio.to_thread(house.start_alone)
            tasks = [asyncio.create_task(work) for work in (self._keep(house), watcher.run())]
            try:
                await self._until(
                    lambda: not watcher.open and watcher.quiet_s() > QUIET_S,
                    BOOKS_S,
                    tasks,
                    self._pace(watcher),
                )
                while True:
                    found = await judges.reconcile_all()
                    late = [k for k, said in found.items() if said.books_end < watcher.events_end]
                    if not late or time.monotonic() > until_s:
                        return found
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await asyncio.to_thread(house.stop)

    def _house(
        self,
        bootstrap: str,
        spec: Path,
        commands: Mapping[str, list[str]],
        books: Mapping[str, str],
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
        extra = {f"ledger-{kind}": {storm_commands.DATABASE: url} for kind, url in books.items()}
        return StormProcesses(
            home=self.folder / HOME,
            logs=self.folder / "logs",
            environ=environ,
            commands=commands,
            spec=spec,
            secure=self.plan.secure,
            extra=extra,
        )

    def _books(self, server: postgres.Postgres | None) -> dict[str, str]:
        home = (self.folder / HOME).resolve()
        found = {SQLITE: f"sqlite:///{home / 'ledger-storm.db'}"}
        return found if server is None else {**found, POSTGRES: server.url}

    async def _make_topics(self, brokers: Brokers, spec: Path) -> None:
        """All topics before any process, with the rules of who may touch them."""
        settings = Settings().override(
            bootstrap_servers=brokers.bootstrap, prefix=storm_commands.PREFIX
        )
        settings = settings.override(access=KafkaAccess.of(brokers.login()))
        bus = KafkaBus(settings, client_id="arena-storm")
        await bus.start()
        try:
            inboxes = [topics.INBOX.member(agent) for agent in storm_commands.DRIVERS]
            wanted = [*topics.fixed_topics(), *load_spec(spec).topics(), *inboxes]
            await bus.ensure_topics(wanted)
        finally:
            await _close(bus)
        if self.plan.secure:
            await apply_rules(settings, rules_for(storm_commands.PREFIX))


async def _close(bus: KafkaBus) -> None:
    """Close a bus; aiokafka may cancel a task that never began, and hand the cancellation on."""
    try:
        await bus.close()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise

"""Broker, executor, agents and onlookers on four hosts, and cables that are pulled.

Each host is a network namespace with a clock of its own (`namespaces.py`). Orders are sent by an
agent and, for volume, by a sender that writes down every ack; both on the agents' host.
`ARENA_HOSTS_CUTS=4,12,40` cuts each host and then all of them, once for each of these times.
"""

import asyncio
import io
import json
import logging
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from arena import topics
from arena.bus.base import EARLIEST
from arena.bus.kafka import KafkaBus
from arena.bus.kafka_access import connection
from arena.commands.broker_credentials import environment_for
from arena.settings import KafkaAccess, Settings
from operations.storm.cast import DRIVERS, PREFIX
from operations.storm.checker import check
from operations.storm.checker_records import Acked, Findings
from operations.storm.driver import Driver
from tests.faults.harness import TERMS, read_topics
from tests.faults.namespaces import Host, Network, until, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no hosts can be made: {why_not()}")

CUTS = os.environ.get("ARENA_HOSTS_CUTS", "")
AGENT = "coin"
NODE = "rules"
PER_SECOND = 40.0
UP_S = 60.0
BACK_S = 60.0
MARKET_PORT = 8765
LOGINS = {"tools": "executor"}
WORK = {
    "snapshots": topics.SNAPSHOTS.name,
    "turns": topics.TURNS.name,
    "model calls": topics.LLM_CALLS.name,
    "decided orders": topics.EVENTS.name,
    "heartbeats of the judge": topics.HEARTBEATS.name,
}
"""What shows that connector, router, chat node, executor and judge are at work."""


@dataclass
class Observer:
    """Reads on the broker's own host, whose loopback is never cut.

    Attributes:
        newest_ms: Topic -> when its newest record was made. decided: orders with an event.
    """

    settings: Settings
    newest_ms: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    decided: set[str] = field(default_factory=set)
    over: bool = False

    async def follow(self) -> None:
        """Read until it is over."""
        bus = KafkaBus(self.settings, client_id="observer")
        await bus.start()
        reader = await bus.log_reader(*WORK.values(), start=EARLIEST)
        while not self.over:
            for record in await reader.read(timeout_s=0.1):
                beats = record.topic == topics.HEARTBEATS.name
                if beats and not (record.key or b"").startswith(b"judge/"):
                    continue
                self.newest_ms[record.topic] = record.timestamp_ms
                if record.topic == topics.EVENTS.name:
                    self.decided.add(json.loads(record.value or b"{}").get("order_id", ""))
        await reader.close()
        await bus.close()

    def missing(self, since_ms: int) -> list[str]:
        """What nobody has done since a time."""
        return [what for what, topic in WORK.items() if self.newest_ms[topic] <= since_ms]


@dataclass
class Sender:
    """Sends orders from a host, as fast as its link lets it."""

    settings: Settings
    oracle: io.StringIO = field(default_factory=io.StringIO)
    over: bool = False

    async def send(self) -> None:
        """Send until it is over."""
        options = connection(self.settings)
        driver = Driver(options, seed=7, per_second=PER_SECOND, oracle=self.oracle)
        sending = asyncio.create_task(driver.run())
        while not self.over and not sending.done():
            await asyncio.sleep(0.1)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending

    def acked(self) -> list[Acked]:
        """Every command that a broker has said to have."""
        return [Acked(*json.loads(line)) for line in self.oracle.getvalue().splitlines()]


@dataclass
class Hosts:
    """The arena, spread over four hosts."""

    network: Network
    broker: Host
    desk: Host
    agents: Host
    watch: Host
    clients: list[Observer | Sender] = field(default_factory=list)

    def settings(self, principal: str, *, home: Path, bootstrap: str = "") -> Settings:
        """Of a client of this test."""
        login = self.login(principal)
        return Settings(
            bootstrap_servers=bootstrap or login["KAFKA_BOOTSTRAP_SERVERS"],
            prefix=PREFIX,
            home=home,
            access=KafkaAccess.of(login),
        )

    def login(self, kind: str) -> dict[str, str]:
        """What a process of a kind on another host is given."""
        lines = environment_for(self.broker.home, kind).splitlines()
        return dict(line.split("=", 1) for line in lines) | {"ARENA_PREFIX": PREFIX}

    def start_broker(self) -> str:
        """Start it, with topics and rules; its address on its own host."""
        here = ("--listen", self.broker.address, "--advertise", self.broker.address)
        started = self.broker.arena(
            *("broker", "start", "--secure", "--tls-self-signed", "--port", "9092", "--json"), *here
        )
        families = [word for name in (AGENT, *DRIVERS) for word in ("--agent", name)]
        self.broker.arena(*("topics", "create", "--prefix", PREFIX, "--chat-node", NODE), *families)
        self.broker.arena("topics", "acl", "--apply", "--prefix", PREFIX)
        return str(json.loads(started)["broker"]["bootstrap"])

    def start_others(self) -> None:
        """Start everything else, each where it belongs."""
        for host, words in (
            (self.desk, "exchange --products BTC-USD,ETH-USD,SOL-USD --speed 20"),
            (
                self.desk,
                "connector coinbase --products BTC-USD,ETH-USD,SOL-USD --min-interval 20 "
                f"--ws-url ws://127.0.0.1:{MARKET_PORT} --rest-url http://127.0.0.1:{MARKET_PORT}",
            ),
            (self.desk, "tools"),
            (self.agents, f"chat-node --name {NODE} --model-id scripted"),
            (self.agents, f"router --name {AGENT} --chat-node-name {NODE} --strategy random"),
            (self.watch, "judge"),
            (self.watch, "dashboard"),
        ):
            kind, *_ = words.split()
            login = {} if kind == "exchange" else self.login(LOGINS.get(kind, kind))
            host.keep(kind, *words.split(), login=login)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Four hosts on one switch, two of them with a wrong clock."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    network = Network(tmp_path)
    clients: list[Observer | Sender] = []
    try:
        yield Hosts(
            network,
            broker=network.add("broker"),
            desk=network.add("desk"),
            agents=network.add("agents", clock_s=2.5),
            watch=network.add("watch", clock_s=-40.0),
            clients=clients,
        )
    finally:
        for client in clients:
            client.over = True
        with suppress(AssertionError, KeyError):
            network.hosts["broker"].arena("broker", "stop")
        network.close()


@pytest.mark.timeout(1_200)
def test_what_runs_on_several_hosts_outlives_their_links(hosts: Hosts) -> None:
    """Nothing is lost or doubled, all is back within a minute, and wrong clocks are named."""
    inside = hosts.start_broker()
    observer = Observer(hosts.settings("cli", home=hosts.broker.home, bootstrap=inside))
    observing = hosts.broker.begin(observer.follow)
    sender = Sender(hosts.settings("cli", home=hosts.agents.home))
    sending = hosts.agents.begin(sender.send)
    hosts.clients += [observer, sender]
    hosts.start_others()
    until(lambda: not observer.missing(0) and len(observer.decided) > 20, hosts.network, "up", UP_S)
    clocks = hosts.broker.arena("status", "--prefix", PREFIX)
    document = json.loads(hosts.broker.arena("status", "--prefix", PREFIX, "--json"))
    figures = [cut(hosts, observer, cables, seconds) for cables, seconds in plan(hosts)]
    sender.over = True
    sending.result(30)
    acked = sender.acked()
    orders = {one.order_id for one in acked if one.order_id}
    until(lambda: orders <= observer.decided, hosts.network, "every order's end", BACK_S)
    observer.over = True
    observing.result(30)
    findings = judged(hosts, inside, acked)
    ends = [end for host in hosts.network.hosts.values() for end in host.ends.items()]
    print("\n" + "\n".join(map(str, [*figures, *ends, dict(findings.counts)])))

    assert not findings.wrong, findings.summary()
    assert findings.counts["lost"] == findings.counts["doubled"] == 0
    assert findings.counts["acked"] > 100
    assert re.search(r"agents 2\.\d s ahead: set that clock", clocks)
    assert re.search(r"watch (39|40)\.\d s behind: set that clock", clocks)
    assert "desk within 1 s" in clocks
    health = {(row["kind"], row["host"]): row["health"] for row in document["processes"]}
    assert health[("judge", "watch")] == "ok", health


def plan(hosts: Hosts) -> list[tuple[list[Host], float]]:
    """Which cables are pulled at once, and for how long."""
    if not CUTS:
        return [([hosts.agents, hosts.watch], 4.0), ([hosts.desk], 4.0)]
    one_by_one = [[hosts.agents], [hosts.desk], [hosts.watch], [hosts.broker]]
    return [(cables, float(seconds)) for seconds in CUTS.split(",") for cables in one_by_one]


def cut(hosts: Hosts, observer: Observer, cables: list[Host], seconds: float) -> str:
    """Pull cables for a time, wait until all is back, and say how long that took."""
    for host in cables:
        hosts.network.cut(host)
    until_s = time.monotonic() + seconds
    until(lambda: time.monotonic() > until_s, hosts.network, "the cut", seconds + 5)
    shown = len(hosts.watch.log("dashboard").splitlines())
    for host in cables:
        hosts.network.mend(host)
    since_ms = int(time.time() * 1_000)
    back: dict[str, float] = {}

    def all_back() -> bool:
        missing = observer.missing(since_ms)
        if len(hosts.watch.log("dashboard").splitlines()) < shown + 2:
            missing.append("dashboard")
        for what in (*WORK, "dashboard"):
            if what not in missing:
                back.setdefault(what, time.time() - since_ms / 1_000)
        return not missing

    try:
        until(all_back, hosts.network, f"the return of {set(WORK) - back.keys()}", BACK_S)
    except AssertionError as error:
        raise AssertionError(f"{error}: {observer.missing(since_ms)}") from None
    names = "+".join(host.name for host in cables)
    return f"{names} for {seconds:g} s, back after " + ", ".join(
        f"{what} {took_s:.1f} s" for what, took_s in back.items()
    )


def judged(hosts: Hosts, bootstrap: str, acked: list[Acked]) -> Findings:
    """The verdict of the checker, which shares no code with the arena."""
    settings = hosts.settings("cli", home=hosts.broker.home, bootstrap=bootstrap)

    async def look() -> Findings:
        bus = KafkaBus(settings, client_id="checker")
        await bus.start()
        try:
            return check(await read_topics(bus, (AGENT, *DRIVERS)), TERMS, acked, calm=False)
        finally:
            await bus.close()

    return hosts.broker.begin(look).result(60)

"""Broker, executor, agents and readers run on four hosts whose links are cut.

Each host is a network namespace with its own clock (`namespaces.py`). Orders are sent by an agent
and, for volume, by a sender that notes every ack; both on the host of the agents.
`ARENA_HOSTS_CUTS=4,12,40` cuts the link of each host alone and then that of the broker, once for
each of these times in seconds, and prints how long every kind of process took to recover.
"""

import asyncio
import io
import json
import logging
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from arena import topics
from arena.acls import rules_for
from arena.bus.base import EARLIEST, Record
from arena.bus.kafka import SESSION_TIMEOUT_MS, KafkaBus
from arena.bus.kafka_access import connection_options
from arena.settings import KafkaAccess, Settings
from operations.commands.broker_credentials import environment_for
from operations.kafka_acls import apply_rules
from operations.storm.checker import check_records
from operations.storm.checker_records import AckedCommand, Findings
from operations.storm.order_sender import OrderSender
from operations.storm.storm_commands import PREFIX, SENDER_AGENTS
from tests.faults.harness import TERMS, read_topics
from tests.faults.namespaces import Host, Network, wait_until, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no hosts can be made: {why_not()}")

CUTS = os.environ.get("ARENA_HOSTS_CUTS", "")
AGENT = "coin"
NODE = "rules"
PER_SECOND = 20.0
SENT_FIRST = 50
UNDECIDED_MAX = 400
UP_S = 120.0
BACK_S = 60.0
DECIDED_S = 120.0
SHORT_S = 4.0
LONG_S = SESSION_TIMEOUT_MS / 1_000 + 1
"""Longer than the session time-out of a group."""
MARKET_PORT = 8765
LOGINS = {"tools": "executor"}
KINDS = ("connector", "executor", "chat-node", "router", "ledger", "dashboard")
SHOWN_SNAPSHOT = re.compile(r"snapshot (\d+)")


@dataclass
class Observer:
    """Reads on the host of the broker, whose loopback is never cut.

    Attributes:
        settings: The settings of its bus. over: set to end it.
        clocks: Host -> how far its clock is ahead, in seconds.
        newest_s: Kind -> start time of its newest work, in real time.
        snapshots: The end offset of the snapshots. decided: orders with an event.
    """

    settings: Settings
    clocks: Mapping[str, float]
    newest_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    snapshots: int = 0
    decided: set[str] = field(default_factory=set)
    over: bool = False

    async def follow(self) -> None:
        """Read until `over`."""
        bus = KafkaBus(self.settings, client_id="observer")
        await bus.start()
        read = (topics.SNAPSHOTS, topics.TURNS, topics.LLM_CALLS, topics.EVENTS, topics.HEARTBEATS)
        reader = await bus.log_reader(*(topic.name for topic in read), start=EARLIEST)
        while not self.over:
            for record in await reader.read(timeout_s=0.1):
                kind, begun_s = self.work_in(record)
                self.newest_s[kind] = max(begun_s, self.newest_s[kind])
        await reader.close()
        await bus.close()

    def work_in(self, record: Record) -> tuple[str, float]:
        """Return the kind of process that did the work in a record, and when the work began."""
        if record.topic == topics.SNAPSHOTS.name:
            self.snapshots = record.offset + 1
            return "connector", record.timestamp_ms / 1_000
        body = json.loads(record.value or b"{}")
        agents_s = self.clocks["agents"]
        if record.topic == topics.EVENTS.name and record.kind == "OrderDecided":
            self.decided.add(body["order_id"])
            ahead_s = 0.0 if body["agent"] in SENDER_AGENTS else agents_s
            return "executor", seconds_of(body["issued_at"]) - ahead_s
        if record.topic == topics.LLM_CALLS.name:
            return "chat-node", seconds_of(body["started_at"]) - agents_s
        if record.kind == "Turn" and body["outcome"] == "completed":
            return "router", seconds_of(body["started_at"]) - agents_s
        if record.topic == topics.HEARTBEATS.name and body["kind"] == "ledger":
            return "ledger", seconds_of(body["at"]) - self.clocks[body["host"]]
        return "", 0.0


def seconds_of(text: str) -> float:
    """Return a time of a message as Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


class AckCollector(io.StringIO):
    """Collects a line for every acked command.

    Attributes:
        acked: The acked commands. orders: the ids of the orders among them.
    """

    def __init__(self) -> None:
        """Start without commands."""
        super().__init__()
        self.acked: list[AckedCommand] = []
        self.orders: set[str] = set()

    def write(self, line: str) -> int:
        """Note an acked command."""
        one = AckedCommand(*json.loads(line))
        self.acked.append(one)
        self.orders |= {one.order_id} - {""}
        return len(line)


@dataclass
class Sender:
    """Sends orders from a host, as fast as its link allows.

    Attributes:
        settings: The settings of its client. observer: knows which orders are decided.
        acks: Collects the acks. over: set to end it. counts: its counters.
    """

    settings: Settings
    observer: Observer
    acks: AckCollector = field(default_factory=AckCollector)
    over: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    async def send(self) -> None:
        """Send until `over`."""
        options = connection_options(self.settings)
        driver = OrderSender(
            options, seed=7, per_second=PER_SECOND, oracle=self.acks, is_full=self.is_full
        )
        driver.counts = self.counts
        sending = asyncio.create_task(driver.run())
        while not self.over and not sending.done():
            await asyncio.sleep(0.1)
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending

    def is_full(self) -> bool:
        """True if so many orders are undecided that a new one would wait long."""
        return len(self.acks.orders) - len(self.observer.decided) > UNDECIDED_MAX


@dataclass
class Hosts:
    """The arena on four hosts.

    Attributes:
        network: The switch. broker, trading, agents, watch: the hosts.
        clients: Clients of the test, which must end first.
    """

    network: Network
    broker: Host
    trading: Host
    agents: Host
    watch: Host
    clients: list[Observer | Sender] = field(default_factory=list)

    def settings(self, principal: str, *, home: Path, bootstrap: str = "") -> Settings:
        """Return the settings of a client of this test."""
        login = self.login(principal)
        return Settings(
            bootstrap_servers=bootstrap or login["KAFKA_BOOTSTRAP_SERVERS"],
            prefix=PREFIX,
            home=home,
            access=KafkaAccess.of(login),
        )

    def login(self, kind: str) -> dict[str, str]:
        """Return the variables of a process of a kind on another host."""
        lines = environment_for(self.broker.home, kind).splitlines()
        return dict(line.split("=", 1) for line in lines) | {"ARENA_PREFIX": PREFIX}

    def start_broker(self) -> str:
        """Start the broker with topics and rules; return its address on its own host."""
        here = ("--listen", self.broker.address, "--advertise", self.broker.address)
        started = self.broker.arena(
            *("broker", "start", "--secure", "--tls-self-signed", "--port", "9092", "--json"), *here
        )
        inside = str(json.loads(started)["broker"]["bootstrap"])
        settings = self.settings("admin", home=self.broker.home, bootstrap=inside)

        async def set_up() -> None:
            bus = KafkaBus(settings, client_id="set-up")
            await bus.start()
            inboxes = [topics.INBOX.member(name) for name in (AGENT, *SENDER_AGENTS)]
            members = [topics.PROMPTED.member(NODE), *inboxes]
            await bus.ensure_topics([*topics.fixed_topics(), *members])
            await bus.close()
            await apply_rules(settings, rules_for(PREFIX))

        self.broker.run_inside(set_up).result(UP_S)
        return inside

    def start_others(self) -> None:
        """Start all other processes on their hosts."""
        for host, words in (
            (self.trading, "exchange --products BTC-USD,ETH-USD,SOL-USD --speed 20"),
            (
                self.trading,
                "connector coinbase --products BTC-USD,ETH-USD,SOL-USD --min-interval 20 "
                f"--ws-url ws://127.0.0.1:{MARKET_PORT} --rest-url http://127.0.0.1:{MARKET_PORT}",
            ),
            (self.trading, "tools"),
            (self.agents, f"chat-node --name {NODE} --model-id scripted"),
            (self.agents, f"router --name {AGENT} --chat-node-name {NODE} --strategy random"),
            (self.watch, "ledger run"),
            (self.watch, "dashboard"),
        ):
            kind, *_ = words.split()
            login = {} if kind == "exchange" else self.login(LOGINS.get(kind, kind))
            host.keep_running(kind, *words.split(), login=login)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Create four hosts on one switch, two of them with a wrong clock."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    network = Network(tmp_path)
    clients: list[Observer | Sender] = []
    try:
        yield Hosts(
            network,
            broker=network.add("broker"),
            trading=network.add("trading"),
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


@pytest.mark.timeout(3_600 if CUTS else 480)
def test_arena_on_several_hosts_survives_cut_links(hosts: Hosts) -> None:
    """Nothing is lost or doubled, everything recovers within a minute, wrong clocks are named."""
    inside = hosts.start_broker()
    clocks = {host.name: host.clock_s for host in hosts.network.hosts.values()}
    observer = Observer(hosts.settings("cli", home=hosts.broker.home, bootstrap=inside), clocks)
    observing = hosts.broker.run_inside(observer.follow)
    sender = Sender(hosts.settings("cli", home=hosts.agents.home), observer)
    sending = hosts.agents.run_inside(sender.send)
    hosts.clients += [observer, sender]
    hosts.start_others()
    wait_until_recovered(hosts, observer, 0.0, UP_S)
    wait_for_traffic(hosts, sender, sending)
    status = hosts.broker.arena("status", "--prefix", PREFIX)
    for cables in plan():
        print(cut_link(hosts, observer, cables), flush=True)
    sender.over = True
    sending.result(60)
    orders = sender.acks.orders
    wait_until(lambda: orders <= observer.decided, hosts.network, "every order's end", DECIDED_S)
    observer.over = True
    observing.result(60)
    hosts.agents.stop()  # records that it writes while the topics are read would look unordered
    findings = check_topics(hosts, inside, sender.acks.acked)
    ends = [end for host in hosts.network.hosts.values() for end in host.ends.items()]
    print("\n" + "\n".join(map(str, [*ends, dict(sender.counts), dict(findings.counts)])))

    assert not findings.wrong, findings.summary()
    assert findings.counts["lost"] == findings.counts["doubled"] == 0
    assert findings.counts["acked"] > 100
    assert re.search(r"agents 2\.\d s ahead: set that clock", status)
    assert re.search(r"watch (39|40)\.\d s behind: set that clock", status)
    assert "trading within 1 s" in status
    assert "not proven" not in status, status
    assert re.search(r"^ledger +ledger +watch +\d+ +ok", status, re.MULTILINE), status


def wait_for_traffic(hosts: Hosts, sender: Sender, sending: "Future[None]") -> None:
    """Wait until the sender sends; it connects while everything else starts.

    Raises:
        AssertionError: It does not; the message has its counters.
    """

    def has_sent_or_ended() -> bool:
        return len(sender.acks.acked) > SENT_FIRST or sending.done()

    try:
        wait_until(has_sent_or_ended, hosts.network, "the traffic", UP_S)
    except AssertionError as error:
        raise AssertionError(f"{error}: {dict(sender.counts)}") from None
    if sending.done():
        sending.result()  # raises what ended the sender


def plan() -> list[dict[str, float]]:
    """Return which links to cut at the same time, and for how many seconds."""
    if not CUTS:
        return [{"trading": LONG_S, "watch": LONG_S, "agents": SHORT_S}]
    one_by_one = ("agents", "trading", "watch", "broker")
    return [{name: float(seconds)} for seconds in CUTS.split(",") for name in one_by_one]


def cut_link(hosts: Hosts, observer: Observer, cables: dict[str, float]) -> str:
    """Cut links for a time, wait until everything recovers, and say how long that took."""
    named = hosts.network.hosts
    for name in cables:
        hosts.network.cut_link(named[name])
    began_s = time.monotonic()
    for name, seconds in sorted(cables.items(), key=lambda pair: pair[1]):
        until_s = began_s + seconds
        wait_until(partial(is_past, until_s), hosts.network, "the cut", seconds + 5)
        hosts.network.restore(named[name])
    took_s = wait_until_recovered(hosts, observer, time.time(), BACK_S)
    pulled = ", ".join(f"{name} {seconds:g} s" for name, seconds in cables.items())
    return f"{pulled}: back after " + ", ".join(f"{k} {took_s[k]:.1f} s" for k in KINDS)


def is_past(at_s: float) -> bool:
    """True after a monotonic time."""
    return time.monotonic() > at_s


def wait_until_recovered(
    hosts: Hosts, observer: Observer, since_s: float, within_s: float
) -> dict[str, float]:
    """Wait until every kind has started and done new work; return kind -> seconds.

    Raises:
        AssertionError: One of them has not.
    """
    snapshots, found = observer.snapshots, dict[str, float]()
    began_s = time.monotonic()

    def all_recovered() -> bool:
        shown = SHOWN_SNAPSHOT.findall(hosts.watch.log("dashboard"))
        if shown and int(shown[-1]) > snapshots:
            observer.newest_s["dashboard"] = time.time()
        for kind in KINDS:
            if observer.newest_s[kind] > since_s:
                found.setdefault(kind, time.monotonic() - began_s)
        return len(found) == len(KINDS)

    try:
        wait_until(all_recovered, hosts.network, "the return", within_s)
    except AssertionError as error:
        raise AssertionError(f"{error} of {set(KINDS) - found.keys()}") from None
    return found


def check_topics(hosts: Hosts, bootstrap: str, acked: list[AckedCommand]) -> Findings:
    """Return the result of the checker, which shares no code with the arena."""
    settings = hosts.settings("cli", home=hosts.broker.home, bootstrap=bootstrap)

    async def look() -> Findings:
        bus = KafkaBus(settings, client_id="checker")
        await bus.start()
        try:
            return check_records(
                await read_topics(bus, (AGENT, *SENDER_AGENTS)), TERMS, acked, all_answered=False
            )
        finally:
            await bus.close()

    return hosts.broker.run_inside(look).result(60)

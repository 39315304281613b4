"""Costs, health, and the runs of a home. Pure."""

from arena.messages.base import Utc
from arena.money import WireDecimal
from dashboard.model.results.base import Result
from dashboard.model.results.standings import HaltResult, Market


class AgentCosts(Result):
    """What an agent paid: the market (main currency) and the models (US dollars)."""

    agent: str
    node: str
    model: str
    scripted: bool | None
    fees_usd: WireDecimal
    slippage_usd: WireDecimal
    latency_cost_usd: WireDecimal
    calls: int
    errors: int
    tokens: int
    tokens_estimated: bool
    cost_usd: WireDecimal | None
    calls_of_unknown_price: int


class Costs(Result):
    """Costs per agent and in total.

    Attributes:
        cost_usd: Cost of all model calls of known price; None if there is none.
        partial: True if models' figures are sums over the newest calls only.
    """

    currency: str
    agents: tuple[AgentCosts, ...]
    calls: int
    errors: int
    tokens: int
    cost_usd: WireDecimal | None
    calls_of_unknown_price: int
    partial: bool


class ProcessHealth(Result):
    """A process by its newest heartbeat.

    Attributes:
        status: State in words of the heartbeat; "silent" if heartbeats are missing.
        age_s: Seconds since the heartbeat.
        lag: Unread records; None if it does not report them.
        stopped_by: Who stopped it by a command, and why; "" if no command did.
        process: Its name for commands to its supervisor; "" if no supervisor started it.
    """

    node: str
    kind: str
    name: str
    status: str
    alive: bool
    age_s: float
    lag: int | None
    dead_letters: int
    stopped_by: str = ""
    process: str = ""


class Health(Result):
    """The state of processes, feed and records.

    Attributes:
        ready: True once the records that existed at the start are read.
        unread: Number of unread records.
        broker_silent_s: Seconds since which the broker does not answer; None while it does.
        malformed: Records that the reader could not decode; `malformed_newest` is the newest.
        broken_log: Error in `account.events`, or "".
    """

    ready: bool
    unread: int
    broker_silent_s: float | None
    market: Market
    processes: tuple[ProcessHealth, ...]
    halted: tuple[HaltResult, ...]
    llm_errors: int
    dead_letters: int
    malformed: int
    malformed_newest: str
    broken_log: str


class RunSummary(Result):
    """A run of this home.

    Attributes:
        state: "running", "ended", or why it has no readable records.
        report: True if it has a report to open.
    """

    name: str
    kind: str
    started_at: Utc
    ended_at: Utc | None
    state: str
    report: bool


class Runs(Result):
    """The runs of this home, the newest first."""

    runs: tuple[RunSummary, ...]

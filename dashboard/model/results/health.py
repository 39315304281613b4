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


class ShadowCosts(Result):
    """What the models of the shadow agents of trials cost.

    Attributes:
        cost_usd: Cost of the calls of known price; None if there is none.
    """

    calls: int
    errors: int
    tokens: int
    cost_usd: WireDecimal | None
    calls_of_unknown_price: int


class Costs(Result):
    """Costs per agent and in total.

    Attributes:
        shadows: What shadow agents of trials cost; the totals have it, too.
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
    shadows: ShadowCosts


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


class CommandResult(Result):
    """A command to a supervisor, and what became of it.

    Attributes:
        action: "start", "stop" or "restart".
        by: Who asked. reason: Why, in the sender's words.
        state: "pending", "done", "refused", "failed", or "replaced" by a later command.
        text: What happened, in words.
        at: When this was decided, by the supervisor's clock.
    """

    command_id: str
    process: str
    action: str
    by: str
    reason: str
    state: str
    text: str
    at: Utc


class SupervisedResult(Result):
    """A process that a supervisor started, or could start.

    Attributes:
        name: Its name in commands.
        state: "waiting", "running", "restarting", "finished", "failed" or "stopped".
        pid: Process id of the newest start; None before the first.
        since: When it got its state, or was started again, by the supervisor's clock.
        note: Why it failed, was killed or was stopped; "" otherwise.
        commands: The commands that would change it; empty if it takes none.
        nodes: Its rows in `Health.processes`; a process without heartbeats has none.
    """

    name: str
    kind: str
    state: str
    pid: int | None
    since: Utc
    restarts: int
    note: str
    commands: tuple[str, ...]
    nodes: tuple[str, ...]


class SupervisorResult(Result):
    """A supervisor that runs and receives commands: `arena up`, `demo` or `compete run`.

    Attributes:
        node: Its row in `Health.processes`.
        run: Name of its run in commands.
        lock_step: True if the market waits for every agent.
        age_s: Age of the heartbeat with this report, in seconds.
        processes: In the order in which they are started.
        outcomes: Of the newest commands, newest first, also of those that were refused.
        left_out: Number of processes that did not fit in the report.
    """

    node: str
    host: str
    run: str
    lock_step: bool
    age_s: float
    processes: tuple[SupervisedResult, ...]
    outcomes: tuple[CommandResult, ...]
    left_out: int


class Health(Result):
    """The state of processes, feed and records.

    Attributes:
        ready: True once the records that existed at the start are read.
        unread: Number of unread records.
        broker_silent_s: Seconds since which the broker does not answer; None while it does.
        malformed: Records that the reader could not decode; `malformed_newest` is the newest.
        broken_log: Error in `account.events`, or "".
        supervisors: The supervisors that run, by host and run.
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
    supervisors: tuple[SupervisorResult, ...] = ()


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

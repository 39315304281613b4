"""The kinds of processes: one table from which topics, access rules, plan and help follow.

What a kind reads and writes gives the columns of the topic table in `docs/architecture.md` and the
access rules of a secure broker (`arena.acls`); its command gives the help of `arena` and the
account it connects with (`arena.credentials`); the order of the table is the start order of a run
(`operations.supervisor.plan`). A new kind of process needs one entry here, `serve(node, options)`
in a `process.py` of its room, and its arguments in the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from arena import topics
from arena.topics import TopicSpec
from arena.unknown_names import NODE_GROUP

EVERY_PROCESS = (topics.HEARTBEATS, topics.DEAD_LETTERS)
"""Topics that every process writes, unless its kind writes nothing."""
TRADING = (topics.SNAPSHOTS, topics.EVENTS, topics.TURNS)
EVERY_PROCESS_TEXT = "every process"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of `arena` that runs one process.

    Attributes:
        name: The name as typed, such as "chat-node".
        entry: "module:function", or "module:app" for several commands; loaded when it runs.
        help: One line for the list of commands.
    """

    name: str
    entry: str
    help: str


@dataclass(frozen=True, slots=True)
class ProcessKind:
    """One kind of process.

    Attributes:
        name: The name in heartbeats and in the topic table.
        commands: The commands that start such a process.
        reads: Topics it reads.
        writes: Topics it writes, in addition to those of every process.
        groups: Its consumer groups; a group that ends in a dot is a prefix of node names.
        old_groups: Groups of older versions, whose offsets it adopts.
        group_per_agent: It joins groups that have agents' names.
        includes: Another kind whose work the process also does: `arena tools` executes orders.
        account: The account of a secure broker, if it is that of another kind.
        older_account: The account in a home that was secured before this kind existed, and so has
            no account of its own.
        spec_table: The table of ARENA.toml that asks for such processes; "" for none.
        writes_nothing: It sends neither heartbeats nor dead letters.
        reads_everything: It may read every topic: a command can show any of them.
        uses_kafka: False for the simulated exchange, which is a venue outside the arena.
        owns_terminal: It runs in the foreground if there is a terminal.
        stops_last: It is stopped after the others: it reads what they wrote.
        serve: "module:function" of its work: `async serve(node, options)`, with frozen options; ""
            for a kind that is not a process.
        second_process: What a second process of this kind is or does, for `docs/architecture.md`.
    """

    name: str
    commands: tuple[Command, ...] = ()
    reads: tuple[TopicSpec, ...] = ()
    writes: tuple[TopicSpec, ...] = ()
    groups: tuple[str, ...] = ()
    old_groups: tuple[str, ...] = ()
    group_per_agent: bool = False
    includes: str = ""
    account: str = ""
    older_account: str = ""
    spec_table: str = ""
    writes_nothing: bool = False
    reads_everything: bool = False
    uses_kafka: bool = True
    owns_terminal: bool = False
    stops_last: bool = False
    serve: str = ""
    second_process: str = ""


EXCHANGE = ProcessKind(
    name="exchange",
    serve="connectors.simulator.process:serve",
    second_process="is another exchange, on another port",
    commands=(Command("exchange", "connectors.cli:exchange", "Run the simulated exchange."),),
    spec_table="market",
    uses_kafka=False,
)
CONNECTOR = ProcessKind(
    name="connector",
    serve="connectors.process:serve",
    second_process="is a standby; in lock-step it ends",
    commands=(
        Command("connector", "connectors.cli:connector_app", "Publish a venue's market data."),
    ),
    reads=(
        topics.TICKERS,
        topics.CANDLES,
        topics.SNAPSHOTS,
        topics.CONTEXT,
        topics.EVENTS,
        topics.TURNS,
        topics.ROSTER,
        topics.CONTROL,
        topics.HEARTBEATS,
    ),
    writes=(topics.TICKERS, topics.CANDLES, topics.SNAPSHOTS, topics.CONTEXT),
    groups=("connector.",),
    spec_table="market",
)
CONTEXT = ProcessKind(
    name="context",
    serve="connectors.process:serve",
    reads=(topics.SNAPSHOTS, topics.CONTEXT),
    writes=(topics.CONTEXT,),
    account="connector",
)
"""`arena connector context`, which publishes no market."""
EXECUTOR = ProcessKind(
    name="executor",
    serve="trading_tools.process:serve",
    second_process="is a hot standby of every shard that it does not own",
    commands=(
        Command("tools", "trading_tools.cli:app", "Serve the trading tools and execute orders."),
    ),
    reads=(
        topics.TICKERS,
        topics.CANDLES,
        topics.SNAPSHOTS,
        topics.INBOX,
        topics.COMMANDS,
        topics.EVENTS,
        topics.INTENTS,
        topics.CONTROL,
        topics.HEARTBEATS,
    ),
    writes=(topics.INBOX, topics.EVENTS, topics.INTENTS, topics.ROSTER),
    groups=(f"{NODE_GROUP}executor",),
    old_groups=("executor",),
    includes="tools",
    spec_table="rules",
)
TOOLS = ProcessKind(
    name="tools",
    serve="trading_tools.process:serve",
    second_process="shares the calls",
    reads=(topics.CANDLES, topics.SNAPSHOTS, topics.TOOL_CALLS),
    writes=(topics.INBOX, topics.ROSTER),
    groups=(f"{NODE_GROUP}tools",),
    old_groups=("tools",),
    spec_table="plugins",
)
CHAT_NODE = ProcessKind(
    name="chat-node",
    serve="chat_nodes.process:serve",
    second_process="shares the requests",
    commands=(Command("chat-node", "chat_nodes.cli:chat_node", "Serve one model to the agents."),),
    reads=(
        topics.PROMPTED,
        topics.INBOX,
        topics.JUDGE_INBOX,
        topics.CHAT_INBOX,
        topics.LLM_CALLS,
        topics.HEARTBEATS,
    ),
    writes=(topics.INBOX, topics.JUDGE_INBOX, topics.CHAT_INBOX, topics.LLM_CALLS),
    groups=("chat-node.",),
    spec_table="chat_nodes",
)
ROUTER = ProcessKind(
    name="router",
    serve="routers.process:serve",
    second_process="is a standby of the agent",
    commands=(
        Command("router", "routers.cli:router", "Run one agent."),
        Command("routers", "routers.cli:routers", "Run several agents in one process."),
    ),
    reads=(
        topics.SNAPSHOTS,
        topics.INBOX,
        topics.EVENTS,
        topics.TURNS,
        topics.ROSTER,
        topics.CONTROL,
        topics.HEARTBEATS,
        topics.PROMPTS,
        topics.FEEDBACK,
    ),
    writes=(
        topics.PROMPTED,
        topics.TOOL_CALLS,
        topics.COMMANDS,
        topics.TURNS,
        topics.ROSTER,
        topics.PROMPTS,
    ),
    group_per_agent=True,
    spec_table="agents",
)
LEDGER = ProcessKind(
    name="ledger",
    serve="ledger.process:serve",
    second_process="is a standby, by a lock on the books",
    commands=(Command("ledger", "ledger.cli:app", "Keep the books and print them."),),
    reads=(*TRADING, topics.LLM_CALLS, topics.CONTROL),
    writes=(topics.DRIFTS,),
    spec_table="ledger",
    stops_last=True,
)
JUDGE = ProcessKind(
    name="judge",
    serve="judge.process:serve",
    second_process="computes the same evaluations, under the same ids",
    commands=(Command("judge", "judge.cli:app", "Rank agents, with confidence intervals."),),
    reads=(
        topics.TICKERS,
        topics.SNAPSHOTS,
        topics.EVENTS,
        topics.TURNS,
        topics.LLM_CALLS,
        topics.ROSTER,
        topics.EVALUATIONS,
        topics.CONTROL,
        topics.JUDGE_INBOX,
        topics.PROMPTS,
        topics.FEEDBACK,
        topics.HEARTBEATS,
    ),
    writes=(topics.PROMPTED, topics.EVALUATIONS, topics.PROMPTS, topics.CONTROL),
    spec_table="competition",
)
TRIAL = "operations.commands.prompts_trial"
TRIALS = ProcessKind(
    name="trials",
    serve="operations.trials.process:serve",
    second_process="continues the same trial; its router is a standby",
    commands=(
        Command("prompts trial", f"{TRIAL}:prompts_trial", "Try another text for an agent."),
    ),
    reads=(*TRADING, topics.ROSTER, topics.CONTROL, topics.HEARTBEATS, topics.PROMPTS),
    writes=(topics.PROMPTS, topics.CONTROL),
    account="cli",
    spec_table="coach",
)
"""`arena prompts trial --watch`; its child is a router with shadow agents."""
ALERTS = ProcessKind(
    name="alerts",
    serve="dashboard.alerts.process:serve",
    second_process="is a standby, by a lock on its state; of another name or home it sends too",
    commands=(
        Command("alerts", "dashboard.cli_alerts:app", "Send alerts to chats, mail and webhooks."),
    ),
    reads=(
        topics.TICKERS,
        topics.SNAPSHOTS,
        topics.EVENTS,
        topics.TURNS,
        topics.LLM_CALLS,
        topics.ROSTER,
        topics.EVALUATIONS,
        topics.DRIFTS,
        topics.CONTROL,
        topics.HEARTBEATS,
        topics.DEAD_LETTERS,
        topics.PROMPTS,
        topics.FEEDBACK,
    ),
    older_account="cli",
    spec_table="alerts",
    stops_last=True,
)
DASHBOARD = ProcessKind(
    name="dashboard",
    serve="dashboard.process:serve",
    second_process="is another screen",
    commands=(Command("dashboard", "dashboard.cli:dashboard", "Show the arena in the terminal."),),
    reads=(
        topics.TICKERS,
        topics.SNAPSHOTS,
        topics.EVENTS,
        topics.TURNS,
        topics.LLM_CALLS,
        topics.ROSTER,
        topics.EVALUATIONS,
        topics.CONTROL,
        topics.HEARTBEATS,
        topics.DEAD_LETTERS,
        topics.PROMPTS,
        topics.FEEDBACK,
    ),
    spec_table="dashboard",
    writes_nothing=True,
    owns_terminal=True,
)
WEB = ProcessKind(
    name="web",
    serve="dashboard.web.process:serve",
    second_process="is another page, on another port",
    commands=(Command("web", "dashboard.web.cli:web", "Show the arena in a browser."),),
    reads=(*DASHBOARD.reads, topics.COMMANDS, topics.PROMPTED, topics.INBOX),
    writes=(topics.CONTROL, topics.SUPERVISION),
    older_account="cli",
    spec_table="web",
)
SUPERVISOR = ProcessKind(name="supervisor", reads=(topics.SUPERVISION,), older_account="cli")
CLI = ProcessKind(
    name="cli",
    reads=(topics.ROSTER, topics.CONTROL, topics.HEARTBEATS, topics.CHAT_INBOX),
    writes=(
        topics.PROMPTED,
        topics.COMMANDS,
        topics.CONTROL,
        topics.SUPERVISION,
        topics.PROMPTS,
        topics.FEEDBACK,
    ),
    reads_everything=True,
)
OPERATOR = ProcessKind(name="operator", reads=(topics.DRIFTS, topics.DEAD_LETTERS), account="cli")

KINDS: tuple[ProcessKind, ...] = (
    EXCHANGE,
    CONNECTOR,
    CONTEXT,
    EXECUTOR,
    TOOLS,
    CHAT_NODE,
    ROUTER,
    LEDGER,
    JUDGE,
    TRIALS,
    WEB,
    ALERTS,
    DASHBOARD,
    SUPERVISOR,
    CLI,
    OPERATOR,
)
"""Every kind, in the order in which a run starts its processes."""

COMMANDS = {command.name: command for kind in KINDS for command in kind.commands}
KIND_OF_COMMAND = {command.name: kind for kind in KINDS for command in kind.commands}


def writers_of(topic: TopicSpec) -> tuple[str, ...]:
    """The kinds that write a topic, or a member of a family of topics."""
    declared = _declared(topic)
    if declared in EVERY_PROCESS:
        return (EVERY_PROCESS_TEXT,)
    return tuple(kind.name for kind in KINDS if declared in kind.writes)


def readers_of(topic: TopicSpec) -> tuple[str, ...]:
    """The kinds that read a topic, or a member of a family of topics."""
    declared = _declared(topic)
    return tuple(kind.name for kind in KINDS if declared in kind.reads)


def _declared(topic: TopicSpec) -> TopicSpec:
    """The entry of the topic table: for a member of a family, the family."""
    families = (spec for spec in topics.TOPICS if spec.is_family)
    return next((spec for spec in families if topic.name.startswith(spec.name)), topic)


OLDER_ACCOUNTS = {kind.name: kind.older_account for kind in KINDS if kind.older_account}
"""Kind -> the account that it uses in a home without an account of its own."""


def account_kinds() -> dict[str, tuple[ProcessKind, ...]]:
    """The accounts of a secure broker, and the kinds that each of them represents.

    `arena tools` runs tools and executor as one process, so the executor's account is both.
    """
    by_name = {kind.name: kind for kind in KINDS}
    found: dict[str, tuple[ProcessKind, ...]] = {}
    for kind in KINDS:
        if kind.uses_kafka:
            own = (kind, by_name[kind.includes]) if kind.includes else (kind,)
            account = kind.account or kind.name
            found[account] = found.get(account, ()) + own
    return found


def command_of(words: Sequence[str]) -> str:
    """The command that begins a command line: "prompts trial", or the first word."""
    two = " ".join(words[:2])
    return two if two in COMMANDS else words[0]


def account_of_command(command: str) -> str | None:
    """The account that the process of a command connects with; None if it uses no broker."""
    kind = KIND_OF_COMMAND.get(command)
    if kind is None or not kind.uses_kafka:
        return None
    return kind.account or kind.name

"""`arena router` plays one agent, `arena routers` plays several in one process.

The flags say who plays which strategy against which chat node; everything else an agent needs it
learns from the topics.
"""

from typing import Annotated, Literal

import typer

from arena.errors import UsageError
from arena.ids import check_name
from arena.settings import Settings
from routers.plan import Limits
from routers.strategy import load_strategy
from routers.transcript import ROUNDS_MAX

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

Bootstrap = Annotated[
    str | None,
    typer.Option(
        "--bootstrap-servers", help="Kafka. [KAFKA_BOOTSTRAP_SERVERS, else localhost:9092]"
    ),
]
Rounds = Annotated[
    int, typer.Option("--max-rounds", help="Tool rounds of a turn.", min=1, max=ROUNDS_MAX)
]
Decision = Annotated[
    float,
    typer.Option("--decision-deadline", help="Seconds a whole turn may take.", min=0.1, max=3600),
]
ToolTimeout = Annotated[
    float,
    typer.Option("--tool-timeout", help="Seconds to wait for a tool's answer.", min=0.1, max=600),
]
Cadence = Annotated[
    int | None,
    typer.Option("--cadence", help="Answer every n-th snapshot. [the strategy's own]", min=1),
]
Level = Annotated[
    LogLevel | None, typer.Option("--log-level", help="How much to log. [ARENA_LOG_LEVEL]")
]


def router(
    name: Annotated[str, typer.Option("--name", help="The agent: its account and its group.")],
    chat_node_name: Annotated[
        str, typer.Option("--chat-node-name", help="The chat node that serves its model.")
    ],
    strategy: Annotated[
        str,
        typer.Option("--strategy", help="A shipped strategy, or the path of a .toml or .py file."),
    ],
    bootstrap_servers: Bootstrap = None,
    max_rounds: Rounds = 4,
    decision_deadline: Decision = 60.0,
    tool_timeout: ToolTimeout = 10.0,
    cadence: Cadence = None,
    log_level: Level = None,
) -> None:
    """Run one agent: a strategy, a model behind a chat node, and its memory.

    A second process of the same name is a hot standby.

    Example: arena router --name mo --chat-node-name rules --strategy momentum
    """
    limits = Limits(rounds=max_rounds, decision_s=decision_deadline, tool_s=tool_timeout)
    seats = [f"{name}={strategy}@{chat_node_name}"]
    _run("router", name, seats, limits, cadence, bootstrap_servers, log_level)


def routers(
    agent: Annotated[
        list[str],
        typer.Option("--agent", help="NAME=STRATEGY@CHAT_NODE; repeat it for every agent."),
    ],
    name: Annotated[str, typer.Option("--name", help="Of this process, for people.")] = "agents",
    bootstrap_servers: Bootstrap = None,
    max_rounds: Rounds = 4,
    decision_deadline: Decision = 60.0,
    tool_timeout: ToolTimeout = 10.0,
    cadence: Cadence = None,
    log_level: Level = None,
) -> None:
    """Run several agents in one process.

    Example: arena routers --agent mo=momentum@rules --agent idle=cash@rules
    """
    limits = Limits(rounds=max_rounds, decision_s=decision_deadline, tool_s=tool_timeout)
    _run("routers", name, agent, limits, cadence, bootstrap_servers, log_level)


def _run(
    kind: str,
    name: str,
    agents: list[str],
    limits: Limits,
    cadence: int | None,
    bootstrap_servers: str | None,
    log_level: LogLevel | None,
) -> None:
    from arena.node import run_node
    from routers.fleet import serve_agents
    from routers.router import Seat

    check_name("process", name)
    seats = []
    for agent, strategy_name, chat_node in map(split_agent, agents):
        strategy = load_strategy(strategy_name)
        seats.append(Seat(agent, chat_node, strategy, limits, cadence or strategy.cadence))
    if len({seat.agent for seat in seats}) < len(seats):
        raise UsageError(f"an agent is named twice in {agents}", remedy="names are accounts")
    settings = Settings().override(bootstrap_servers=bootstrap_servers, log_level=log_level)
    run_node(kind, name, settings, lambda node: serve_agents(node, seats))


def split_agent(text: str) -> tuple[str, str, str]:
    """Name, strategy and chat node of "mo=momentum@rules"; a path may be the strategy.

    Raises:
        UsageError: The text has another form.
    """
    agent, equals, rest = text.partition("=")
    strategy, at, chat_node = rest.rpartition("@")
    if not (equals and at and strategy):
        raise UsageError(
            f"--agent {text!r} is not NAME=STRATEGY@CHAT_NODE",
            remedy="write it as mo=momentum@rules",
        )
    return check_name("agent", agent), strategy, check_name("chat node", chat_node)

"""`arena router` plays one agent, `arena routers` plays several in one process.

The flags say who plays which strategy against which chat node; everything else an agent needs it
learns from the topics.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from arena.baselines import baseline_remedy, baseline_trouble
from arena.commands.plugin_flags import FolderFlag, plugins_of
from arena.errors import UsageError
from arena.ids import check_name
from arena.messages import Pacing, PromptSize
from arena.money import parse_share
from arena.names import check_agent_name
from arena.plugins import NO_PLUGINS, Plugins
from arena.settings import Settings
from arena.strategy_files import shipped_strategies
from routers.plan import Limits
from routers.strategy import load_strategy
from routers.transcript import ROUNDS_MAX

if TYPE_CHECKING:
    from routers.seat import Seat

Agent = tuple[str, str, str, int | None]
"""Name, strategy, chat node, and the seed of the model's sampling."""

SHIPPED = sorted(shipped_strategies())

SEED_PATTERN = re.compile(r"[0-9]{1,18}")

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
Paced = Annotated[
    Pacing,
    typer.Option("--pacing", help="lock-step: the market waits; nothing is skipped or aborted."),
]
Scrape = Annotated[
    str | None,
    typer.Option("--scrape", help='Share of realised profits to set aside: 0.2 or "20%". [none]'),
]
Size = Annotated[
    PromptSize,
    typer.Option("--prompt", help="How much of the market its prompts show."),
]
Sizes = Annotated[
    list[str],
    typer.Option("--prompt", help="SIZE for all agents, or NAME=SIZE: full, compact or tiny."),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Take a name that another strategy or chat node played under; it then has no rank.",
    ),
]
Kind = Annotated[
    Literal["baseline"] | None,
    typer.Option(
        "--kind", help="baseline: played by built-in rules, to compare with. [the strategy's own]"
    ),
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
        typer.Option(
            "--strategy",
            help=f"{', '.join(SHIPPED)}, one of a plugin, or a .toml, .md, .txt or .py file.",
        ),
    ],
    bootstrap_servers: Bootstrap = None,
    max_rounds: Rounds = 4,
    decision_deadline: Decision = 60.0,
    tool_timeout: ToolTimeout = 10.0,
    cadence: Cadence = None,
    pacing: Paced = "real-time",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed for the model. [the strategy's own]")
    ] = None,
    scrape: Scrape = None,
    prompt: Size = "full",
    kind: Kind = None,
    replace_: Replace = False,
    plugins: FolderFlag = None,
    log_level: Level = None,
) -> None:
    """Run one agent: a strategy, a model behind a chat node, and its memory.

    A second process of the same name is a hot standby.

    Example: arena router --name mo --chat-node-name rules --strategy momentum
    """
    limits = _limits(max_rounds, decision_deadline, tool_timeout, pacing)
    agents = [(name, strategy, chat_node_name, seed)]
    found = plugins_of(plugins, Settings())
    seats = _seats(agents, limits, cadence, pacing, scrape, found)
    seats = sized(named(seats, kind=kind, taking=replace_), [prompt])
    _run("router", name, seats, bootstrap_servers, log_level)


def routers(
    agent: Annotated[
        list[str],
        typer.Option("--agent", help="NAME=STRATEGY@CHAT_NODE or ...#SEED, once for every agent."),
    ],
    name: Annotated[str, typer.Option("--name", help="Name of this process.")] = "agents",
    bootstrap_servers: Bootstrap = None,
    max_rounds: Rounds = 4,
    decision_deadline: Decision = 60.0,
    tool_timeout: ToolTimeout = 10.0,
    cadence: Cadence = None,
    pacing: Paced = "real-time",
    scrape: Scrape = None,
    prompt: Sizes = [],  # noqa: B006 - typer copies it
    kind: Kind = None,
    replace_: Replace = False,
    plugins: FolderFlag = None,
    log_level: Level = None,
) -> None:
    """Run several agents in one process.

    Example: arena routers --agent mo=momentum@rules --agent idle=cash@rules
    """
    limits = _limits(max_rounds, decision_deadline, tool_timeout, pacing)
    found = plugins_of(plugins, Settings())
    agents = [split_agent(text) for text in agent]
    seats = _seats(agents, limits, cadence, pacing, scrape, found)
    seats = sized(named(seats, kind=kind, taking=replace_), prompt)
    _run("routers", name, seats, bootstrap_servers, log_level)


def _limits(rounds: int, decision_s: float, tool_s: float, pacing: Pacing) -> Limits:
    """The bounds of a turn; in lock-step a tool may take as long as the whole decision.

    A tools process that died is then waited for, as the market waits.
    """
    if pacing == "lock-step":
        tool_s = max(tool_s, decision_s)
    return Limits(rounds=rounds, decision_s=decision_s, tool_s=tool_s)


def _seats(
    agents: list[Agent],
    limits: Limits,
    cadence: int | None,
    pacing: Pacing,
    scrape: str | None,
    plugins: Plugins = NO_PLUGINS,
) -> "list[Seat]":
    from routers.seat import Seat

    share = _share(scrape)
    seats = []
    for agent, strategy_name, chat_node, seed in agents:
        strategy = load_strategy(strategy_name, plugins)
        if seed is not None:
            sampling = strategy.sampling.model_copy(update={"seed": seed})
            strategy = replace(strategy, sampling=sampling)
        every = cadence or strategy.cadence
        seats.append(Seat(agent, chat_node, strategy, limits, every, pacing, share))
    if len({seat.agent for seat in seats}) < len(seats):
        names = ", ".join(seat.agent for seat in seats)
        raise UsageError(f"an agent is named twice in {names}", remedy="names are accounts")
    return seats


def named(seats: "list[Seat]", *, kind: Literal["baseline"] | None, taking: bool) -> "list[Seat]":
    """The seats with what the flags say of their names and their kind.

    Args:
        seats: As their strategies are.
        kind: "baseline" makes a baseline of every strategy.
        taking: Take names that other strategies or chat nodes played under.

    Raises:
        UsageError: A baseline has no built-in rules, or a name is not an agent's.
    """
    found = []
    for seat in seats:
        check_agent_name(seat.agent)
        strategy = replace(seat.strategy, kind=kind or seat.strategy.kind)
        if strategy.kind == "baseline" and (trouble := baseline_trouble(strategy.name)):
            raise UsageError(f"{seat.agent}: {trouble}", remedy=baseline_remedy())
        found.append(replace(seat, strategy=strategy, replace=taking))
    return found


def sized(seats: "list[Seat]", texts: Sequence[str]) -> "list[Seat]":
    """The seats with the size of their prompts.

    Args:
        seats: As they were asked for.
        texts: "tiny" for all of them, "mo=tiny" for one; what names an agent wins.

    Raises:
        UsageError: A text is neither, or names an agent that does not play here.
    """
    names = {seat.agent for seat in seats}
    general: PromptSize = "full"
    own: dict[str, PromptSize] = {}
    for text in texts:
        agent, equals, word = text.rpartition("=")
        size = next((s for s in get_args(PromptSize) if s == word), None)
        if size is None or (equals and agent not in names):
            raise UsageError(
                f"--prompt {text!r} is neither SIZE nor NAME=SIZE",
                remedy=f"sizes are {', '.join(get_args(PromptSize))}; "
                f"agents are {', '.join(sorted(names))}",
            )
        if equals:
            own[agent] = size
        else:
            general = size
    return [replace(seat, prompt_size=own.get(seat.agent, general)) for seat in seats]


def _share(text: str | None) -> Decimal | None:
    try:
        return None if text is None else parse_share(text)
    except ValueError as error:
        raise UsageError(f"--scrape {text}: {error}") from None


def _run(
    kind: str,
    name: str,
    seats: "list[Seat]",
    bootstrap_servers: str | None,
    log_level: LogLevel | None,
) -> None:
    from arena.node import run_node
    from routers.fleet import serve_agents

    check_name("process", name)
    settings = Settings().override(bootstrap_servers=bootstrap_servers, log_level=log_level)
    run_node(kind, name, settings, lambda node: serve_agents(node, seats))


def split_agent(text: str) -> Agent:
    """Name, strategy, chat node and seed of "mo=momentum@rules#3"; a path may be the strategy.

    Raises:
        UsageError: The text has another form.
    """
    agent, equals, rest = text.partition("=")
    strategy, at, address = rest.rpartition("@")
    chat_node, hash_sign, seed = address.partition("#")
    if not (equals and at and strategy) or (hash_sign and not SEED_PATTERN.fullmatch(seed)):
        raise UsageError(
            f"--agent {text!r} is not NAME=STRATEGY@CHAT_NODE or NAME=STRATEGY@CHAT_NODE#SEED",
            remedy="write it as mo=momentum@rules or mo=momentum@rules#3",
        )
    number = int(seed) if hash_sign else None
    return check_name("agent", agent), strategy, check_name("chat node", chat_node), number

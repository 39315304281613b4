"""`arena router` runs one agent, `arena routers` runs several in one process.

The flags name the agents, their strategies and their chat nodes; everything else that an agent
needs comes from the topics.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from arena.baselines import baseline_remedy, baseline_trouble
from arena.errors import UsageError
from arena.gate_settings import KEYS, GateFault, gates_of
from arena.ids import check_name
from arena.messages import COACHED, Pacing, PromptMode, PromptSize
from arena.money import parse_share
from arena.options import LogLevel, LogLevelName, ProcessServers
from arena.plugin_options import FolderFlag, plugins_of
from arena.plugins import NO_PLUGINS, Plugins
from arena.settings import Settings
from arena.strategy_files import shipped_strategies
from arena.unknown_names import check_new_agent_name
from routers.conversation_limits import ROUNDS_MAX
from routers.strategy import load_strategy
from routers.turn_types import Limits

if TYPE_CHECKING:
    from routers.agent_config import AgentConfig

AgentArguments = tuple[str, str, str, int | None]
"""Name, strategy, chat node, and the seed of the model's sampling."""

SHIPPED = sorted(shipped_strategies())

SEED_PATTERN = re.compile(r"[0-9]{1,18}")

RoundsOption = Annotated[
    int, typer.Option("--max-rounds", help="Tool rounds of a turn.", min=1, max=ROUNDS_MAX)
]
DecisionOption = Annotated[
    float,
    typer.Option("--decision-deadline", help="Seconds a whole turn may take.", min=0.1, max=3600),
]
ToolTimeoutOption = Annotated[
    float,
    typer.Option("--tool-timeout", help="Seconds to wait for a tool's answer.", min=0.1, max=600),
]
CadenceOption = Annotated[
    int | None,
    typer.Option("--cadence", help="Answer every n-th snapshot. [the strategy's own]", min=1),
]
EveryOption = Annotated[
    str | None,
    typer.Option("--every", help="Least venue time between two turns: 25s, 5m."),
]
OnMoveOption = Annotated[
    str | None,
    typer.Option("--on-move-pct", help="Ask only after a move of so many percent: 0.5."),
]
QuietMaxOption = Annotated[
    str | None,
    typer.Option("--quiet-max", help="Ask after so long without a move, or off. [30m]"),
]
HourCapOption = Annotated[
    str | None,
    typer.Option("--calls-per-hour-max", help="Most model calls in an hour of venue time."),
]
DayCapOption = Annotated[
    str | None,
    typer.Option("--calls-per-day-max", help="Most model calls in a day of venue time."),
]
DecisionsOption = Annotated[
    str | None, typer.Option("--decisions-max", help="Most decisions of an agent in all.")
]
WakeOption = Annotated[
    str | None,
    typer.Option("--wake-on", help="Ask at once after: fill,exit,halt,resume,feedback; or off."),
]
PacingOption = Annotated[
    Pacing,
    typer.Option("--pacing", help="lock-step: the market waits, no snapshot is skipped."),
]
ScrapeOption = Annotated[
    str | None,
    typer.Option("--scrape", help='Share of realised profits to set aside: 0.2 or "20%". [none]'),
]
SizeOption = Annotated[
    PromptSize,
    typer.Option("--prompt", help="How much of the market the prompts show."),
]
SizesOption = Annotated[
    list[str],
    typer.Option("--prompt", help="SIZE for all agents, or NAME=SIZE: full, compact or tiny."),
]
PromptsOption = Annotated[
    PromptMode,
    typer.Option("--prompts", help="frozen: nothing changes the texts while they run."),
]
ShadowOption = Annotated[
    str,
    typer.Option("--shadow-of", help="Shadow agents of this agent: no rank, frozen prompts."),
]
ReplaceOption = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Take a name that another strategy or chat node has used; it then has no rank.",
    ),
]
KindOption = Annotated[
    Literal["baseline"] | None,
    typer.Option("--kind", help="baseline: built-in rules, for comparison. [the strategy's own]"),
]


def router(
    name: Annotated[
        str, typer.Option("--name", help="Name of the agent, its account and its group.")
    ],
    chat_node_name: Annotated[
        str, typer.Option("--chat-node-name", help="The chat node that serves the agent's model.")
    ],
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            help=f"{', '.join(SHIPPED)}, a plugin's, or a .toml, .md, .txt or .py file.",
        ),
    ],
    bootstrap_servers: ProcessServers = None,
    max_rounds: RoundsOption = 4,
    decision_deadline: DecisionOption = 60.0,
    tool_timeout: ToolTimeoutOption = 10.0,
    cadence: CadenceOption = None,
    every: EveryOption = None,
    on_move_pct: OnMoveOption = None,
    quiet_max: QuietMaxOption = None,
    calls_per_hour_max: HourCapOption = None,
    calls_per_day_max: DayCapOption = None,
    decisions_max: DecisionsOption = None,
    wake_on: WakeOption = None,
    pacing: PacingOption = "real-time",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed for the model. [the strategy's own]")
    ] = None,
    scrape: ScrapeOption = None,
    prompt: SizeOption = "full",
    prompts: PromptsOption = COACHED,
    kind: KindOption = None,
    replace_: ReplaceOption = False,
    plugins: FolderFlag = None,
    log_level: LogLevel = None,
) -> None:
    """Run one agent: a strategy, a model behind a chat node, and its memory.

    A second process of the same name is a hot standby.

    Example: arena router --name mo --chat-node-name rules --strategy momentum
    """
    limits = _limits(max_rounds, decision_deadline, tool_timeout, pacing)
    agents = [(name, strategy, chat_node_name, seed)]
    found = plugins_of(plugins, Settings())
    configs = agent_configs(agents, limits, cadence, pacing, scrape, found)
    configs = with_prompt_sizes(with_names(configs, kind=kind, replace_names=replace_), [prompt])
    caps = (calls_per_hour_max, calls_per_day_max, decisions_max)
    configs = with_gates(configs, (every, on_move_pct, quiet_max, *caps, wake_on))
    _run("router", name, with_prompts(configs, prompts), bootstrap_servers, log_level)


def routers(
    agent: Annotated[
        list[str],
        typer.Option("--agent", help="NAME=STRATEGY@CHAT_NODE or ...#SEED; once per agent."),
    ],
    name: Annotated[str, typer.Option("--name", help="Name of this process.")] = "agents",
    bootstrap_servers: ProcessServers = None,
    max_rounds: RoundsOption = 4,
    decision_deadline: DecisionOption = 60.0,
    tool_timeout: ToolTimeoutOption = 10.0,
    cadence: CadenceOption = None,
    every: EveryOption = None,
    on_move_pct: OnMoveOption = None,
    quiet_max: QuietMaxOption = None,
    calls_per_hour_max: HourCapOption = None,
    calls_per_day_max: DayCapOption = None,
    decisions_max: DecisionsOption = None,
    wake_on: WakeOption = None,
    pacing: PacingOption = "real-time",
    scrape: ScrapeOption = None,
    prompt: SizesOption = [],  # noqa: B006 - typer copies it
    prompts: PromptsOption = COACHED,
    kind: KindOption = None,
    shadow_of: ShadowOption = "",
    replace_: ReplaceOption = False,
    plugins: FolderFlag = None,
    log_level: LogLevel = None,
) -> None:
    """Run several agents in one process.

    Example: arena routers --agent mo=momentum@rules --agent idle=cash@rules
    """
    limits = _limits(max_rounds, decision_deadline, tool_timeout, pacing)
    found = plugins_of(plugins, Settings())
    agents = [parse_agent(text) for text in agent]
    configs = agent_configs(agents, limits, cadence, pacing, scrape, found)
    configs = with_names(configs, kind=kind, replace_names=replace_, shadow_of=shadow_of)
    configs = with_prompt_sizes(configs, prompt)
    caps = (calls_per_hour_max, calls_per_day_max, decisions_max)
    configs = with_gates(configs, (every, on_move_pct, quiet_max, *caps, wake_on))
    configs = as_shadows(with_prompts(configs, prompts), shadow_of)
    _run("routers", name, configs, bootstrap_servers, log_level)


def _limits(rounds: int, decision_s: float, tool_s: float, pacing: Pacing) -> Limits:
    """The bounds of a turn; in lock-step a tool may take as long as the whole decision.

    The market waits then, so the agent can wait for a tools process that died to come back.
    """
    if pacing == "lock-step":
        tool_s = max(tool_s, decision_s)
    return Limits(rounds=rounds, decision_s=decision_s, tool_s=tool_s)


def agent_configs(
    agents: list[AgentArguments],
    limits: Limits,
    cadence: int | None,
    pacing: Pacing,
    scrape: str | None,
    plugins: Plugins = NO_PLUGINS,
) -> "list[AgentConfig]":
    """Make the configurations of the agents, with their strategies loaded.

    Raises:
        UsageError: A strategy or the share cannot be used, or an agent is named twice.
    """
    from routers.agent_config import AgentConfig

    share = _parse_scrape(scrape)
    configs = []
    for agent, strategy_name, chat_node, seed in agents:
        strategy = load_strategy(strategy_name, plugins)
        if seed is not None:
            sampling = strategy.sampling.model_copy(update={"seed": seed})
            strategy = replace(strategy, sampling=sampling)
        every = cadence or strategy.cadence
        configs.append(AgentConfig(agent, chat_node, strategy, limits, every, pacing, share))
    if len({config.agent for config in configs}) < len(configs):
        names = ", ".join(config.agent for config in configs)
        raise UsageError(
            f"an agent is named twice in {names}", remedy="give every agent a name of its own"
        )
    return with_gates(configs)


def with_names(
    configs: "list[AgentConfig]",
    *,
    kind: Literal["baseline"] | None,
    replace_names: bool,
    shadow_of: str = "",
) -> "list[AgentConfig]":
    """Apply `--kind` and `--replace`, and check the agents' names.

    Args:
        configs: The agents.
        kind: "baseline" makes every strategy a baseline.
        replace_names: Take over names that other strategies or chat nodes have used.
        shadow_of: The agent whose text they try, which decides how they may be named; "" for none.

    Raises:
        UsageError: A baseline has no built-in rules, or an agent cannot have its name.
    """
    found = []
    for config in configs:
        check_new_agent_name(config.agent, shadow_of=shadow_of)
        strategy = replace(config.strategy, kind=kind or config.strategy.kind)
        if strategy.kind == "baseline" and (trouble := baseline_trouble(strategy.name)):
            raise UsageError(f"{config.agent}: {trouble}", remedy=baseline_remedy())
        found.append(replace(config, strategy=strategy, replace=replace_names))
    return found


def with_prompt_sizes(configs: "list[AgentConfig]", texts: Sequence[str]) -> "list[AgentConfig]":
    """Apply the values of `--prompt`.

    Args:
        configs: The agents.
        texts: "tiny" for all agents, "mo=tiny" for one, which takes precedence.

    Raises:
        UsageError: A text has another form, or names an agent that is not in this process.
    """
    names = {config.agent for config in configs}
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
    return [replace(config, prompt_size=own.get(config.agent, general)) for config in configs]


def with_prompts(configs: "list[AgentConfig]", prompts: PromptMode) -> "list[AgentConfig]":
    """Apply `--prompts`."""
    return [replace(config, prompts=prompts) for config in configs]


def as_shadows(configs: "list[AgentConfig]", shadow_of: str) -> "list[AgentConfig]":
    """Apply `--shadow-of`: the agents try texts of another one, and take no changes themselves.

    Raises:
        UsageError: A strategy is a baseline, which a text does not change.
    """
    if not shadow_of:
        return configs
    for config in configs:
        if config.strategy.kind == "baseline":
            raise UsageError(
                f"{config.agent} is a baseline, which a text does not change",
                remedy="omit --shadow-of, or name another strategy",
            )
    return [replace(config, prompts="frozen", shadow_of=shadow_of) for config in configs]


def with_gates(
    configs: "list[AgentConfig]", flags: Sequence[str | None] = ()
) -> "list[AgentConfig]":
    """Give the agents the gates of their strategies, and those of the flags, which count more.

    Args:
        configs: The agents.
        flags: A value or None for each of `arena.gate_settings.KEYS`.

    Raises:
        UsageError: A setting cannot be used, or not with the strategy's others.
    """
    given = dict(zip(KEYS, flags, strict=False))
    found = []
    for config in configs:
        try:
            gates = gates_of(config.strategy.gate_settings, given)
        except GateFault as fault:
            raise UsageError(f"agent {config.agent}: {fault}") from None
        found.append(replace(config, gates=gates))
    return found


def _parse_scrape(text: str | None) -> Decimal | None:
    try:
        return None if text is None else parse_share(text)
    except ValueError as error:
        raise UsageError(f"--scrape {text}: {error}") from None


def _run(
    kind: str,
    name: str,
    configs: "list[AgentConfig]",
    bootstrap_servers: str | None,
    log_level: LogLevelName | None,
) -> None:
    from arena.node import run_node
    from routers.process import RouterOptions, serve

    check_name("process", name)
    settings = Settings().override(bootstrap_servers=bootstrap_servers, log_level=log_level)
    run_node(kind, name, settings, serve, RouterOptions(tuple(configs)))


def parse_agent(text: str) -> AgentArguments:
    """Parse name, strategy, chat node and seed of "mo=momentum@rules#3"; a strategy may be a path.

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

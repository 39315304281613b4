"""Which processes an ARENA.toml needs, in start order. Pure.

The commands are the ones a user would type. Keys and addresses of receivers are passed in the
environment, and only to the processes that need them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.endpoint import (
    authorizes,
    check_base_url,
    header_flags,
    option_flags,
    resolve_headers,
)
from arena.environment import SECRETS
from arena.errors import UsageError
from arena.model_prices import PriceList
from arena.plugins import NO_PLUGINS, Plugins
from arena.process_kinds import KIND_OF_COMMAND, KINDS, command_of
from arena.products import DEFAULT_VENUE
from arena.strategy_files import is_file_name
from operations.processes.child import ProcessSpec
from operations.specs.alerts import alerts_command, require_receivers
from operations.specs.arena_spec import AgentTable, ArenaSpec, ChatNodeTable, CompetitionTable
from operations.specs.coach import trials_command, waits_for_judge
from operations.specs.competition import BASELINES
from operations.specs.features import connector_flags, exchange_flags
from operations.specs.judge import judge_command
from operations.specs.market import price_flags, range_flags
from operations.specs.risk import risk_flags
from operations.specs.venues import by_venue
from operations.specs.web import web_command

BASE_URL_VARIABLE = "OPENAI_BASE_URL"
LOOPBACK = "127.0.0.1"
LOOPBACK_URL = f"http://{LOOPBACK}"
ALERTS = "alerts"
WEB = "web"
DASHBOARD = "dashboard"
CONNECTOR = "connector"
EXCHANGE = "exchange"
JUDGE = "judge"
LEDGER = "ledger"
TRIALS = "trials"
TOOLS = "tools"
TOOL_SERVER = "tool-server"
LOCK_STEP = ("--pacing", "lock-step")


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What the processes of a run share besides the ARENA.toml.

    Attributes:
        launcher: How this Python runs `arena`, before the command and its flags.
        environ: Variables for every process: broker, prefix, home.
        directory: The folder of the ARENA.toml; its paths are relative to it.
        exchange_port: A free loopback port, or the first of one per venue; used if the market is
            simulated.
        dashboard_flags: Flags of the dashboard, or None if it is not started.
        dashboard_in_terminal: The dashboard owns the terminal.
        web_port: Port of the page, or None if it is not started.
        recording_file: The file for the frames of a market that is recorded.
        ledger_file: The SQLite file of the ledger; None for its default place.
        market_state_file: The file in which a simulated market saves its venue time; None if it
            saves none.
        replace_names: Routers may use names that other strategies or chat nodes used before.
        plugins: Tools and strategies outside the source tree.
    """

    launcher: tuple[str, ...]
    environ: Mapping[str, str]
    directory: Path
    exchange_port: int = 0
    dashboard_flags: tuple[str, ...] | None = None
    dashboard_in_terminal: bool = False
    web_port: int | None = None
    recording_file: Path | None = None
    ledger_file: Path | None = None
    market_state_file: Path | None = None
    replace_names: bool = False
    plugins: Plugins = NO_PLUGINS


def plan(spec: ArenaSpec, context: LaunchContext) -> list[ProcessSpec]:
    """Return the processes of an arena, in start order."""
    none: frozenset[str] = frozenset()
    secrets = secret_variables(spec)

    def process(
        name: str, *words: str, keys: frozenset[str] = none, ready_port: int = 0
    ) -> ProcessSpec:
        kind = KIND_OF_COMMAND[command_of(words)]
        return ProcessSpec(
            name=name,
            argv=(*context.launcher, *words),
            kind=(name == TOOL_SERVER and kind.includes) or kind.name,
            environ=context.environ,
            without=secrets - keys,
            ready_port=ready_port,
            foreground=kind.owns_terminal and context.dashboard_in_terminal,
            stops_last=kind.stops_last,
        )

    contest = spec.competition
    pacing = LOCK_STEP if contest and contest.lock_step else ()
    prompts = contest.prompt_flags if contest else ()
    processes = []
    if spec.market.source == "exchange":
        words = exchange_command(spec, context)
        processes.append(process(EXCHANGE, *words, ready_port=context.exchange_port))
    processes.append(process(CONNECTOR, *connector_command(spec, context)))
    executor_only = ("--only", "executor") if context.plugins.tools else ()
    processes.append(process(TOOLS, *tools_command(spec), *pacing, *executor_only))
    if executor_only:  # plugin code never shares a process with the accounts
        processes.append(process(TOOL_SERVER, *tool_server_command(context.plugins)))
    for node in spec.chat_nodes:
        paid = not node.keyless and not (contest and contest.replies == "replay")
        words = chat_node_command(node) + reply_flags(node, contest, context.directory)
        keys = node.variables if paid else none
        processes.append(process(f"chat-node-{node.name}", *words, keys=keys))
    for name, agents in spec.processes().items():
        words = router_command(agents, context.directory, spec.chat_nodes, context.plugins)
        replace = ("--replace",) if context.replace_names else ()
        processes.append(process(name, *words, *pacing, *prompts, *replace))
    if spec.ledger.enabled:
        processes.append(process(LEDGER, *ledger_command(context.ledger_file)))
    if words := judge_command(spec.judge, contest, spec.coach):
        processes.append(process(JUDGE, *words))
    if words := trials_command(spec.coach):
        processes.append(process(TRIALS, *words))
    if spec.alerts is not None:
        budget_usd = contest.llm_budget_usd if contest is not None else None
        words = alerts_command(spec.alerts, context.directory, spec.arena.name, budget_usd)
        processes.append(process(ALERTS, *words, keys=spec.alerts.variables))
    if context.web_port is not None:
        words = web_command(spec.web, context.directory, spec.arena.name, context.web_port)
        processes.append(process(WEB, *words))
    if context.dashboard_flags is not None:
        processes.append(process(DASHBOARD, "dashboard", *context.dashboard_flags))
    order = [kind.name for kind in KINDS]
    command_index = len(context.launcher)

    def start_position(spec: ProcessSpec) -> int:
        return order.index(KIND_OF_COMMAND[command_of(spec.argv[command_index:])].name)

    return sorted(processes, key=start_position)


def secret_variables(spec: ArenaSpec) -> frozenset[str]:
    """Return the variables that only the chat nodes and alerts that name them may see."""
    named = spec.alerts.variables if spec.alerts is not None else frozenset()
    return SECRETS.union(named, *(node.variables for node in spec.chat_nodes))


def exchange_command(spec: ArenaSpec, context: LaunchContext) -> list[str]:
    """The command of the simulated exchange."""
    market = spec.market
    words = ["exchange", "--port", str(context.exchange_port), "--speed", f"{market.speed:g}"]
    words += ["--seed", str(market.seed), "--products", ",".join(spec.arena.products)]
    words += price_flags(market, context.directory)
    venues = by_venue(spec.arena.products)
    other = next((venue for venue in venues if venue != DEFAULT_VENUE and len(venues) == 1), None)
    words += exchange_flags(spec.features, files=bool(market.prices))
    words += range_flags(market.start, market.end)
    return words + _flags({"--state": context.market_state_file, "--venue": other})


def connector_command(spec: ArenaSpec, context: LaunchContext) -> list[str]:
    """The command of the connector; it learns from the exchange what is simulated."""
    if spec.market.source == "replay":
        return replay_command(spec, context.directory)
    venues = by_venue(spec.arena.products)
    interval = ["--min-interval", f"{spec.arena.interval_s:g}"]
    if len(venues) == 1:
        ((venue, products),) = venues.items()
        words = ["connector", venue, *interval, "--products", ",".join(products)]
    else:
        words = ["connector", "markets", *interval]
        for venue, products in venues.items():
            words += ["--market", f"{venue}={','.join(products)}"]
    if spec.market.source == "exchange":
        words += _exchange_urls(sorted(venues), context.exchange_port)
    if spec.market.record and context.recording_file is not None:
        words += ["--record", str(context.recording_file)]
    return [*words, *context_flags(spec, context.directory), *connector_flags(spec.features)]


def context_flags(spec: ArenaSpec, directory: Path) -> list[str]:
    """The flags with the files of dated context."""
    return [word for name in spec.market.context for word in ("--context", str(directory / name))]


def _exchange_urls(venues: list[str], port: int) -> list[str]:
    """The flags with the addresses of the simulated venues, which have following ports."""
    if len(venues) == 1:
        address = f"{LOOPBACK}:{port}"
        return ["--ws-url", f"ws://{address}", "--rest-url", f"http://{address}"]
    words = []
    for place, venue in enumerate(venues):
        address = f"{LOOPBACK}:{port + place}"
        words += ["--urls", f"{venue}=ws://{address},http://{address}"]
    return words


def replay_command(spec: ArenaSpec, directory: Path) -> list[str]:
    """The command of the connector that publishes in lock-step with its agents."""
    contest, market = spec.competition, spec.market
    assert contest is not None, "the specification was not checked"
    words = ["connector", "replay", "--lock-step"]
    words += ["--agents", ",".join(agent.name for agent in spec.agents)]
    words += ["--products", ",".join(spec.arena.products)]
    words += price_flags(market, directory)
    words += _flags({"--seed": None if market.prices else market.seed})
    words += range_flags(market.begins_at, market.end)
    options = {
        "--granularity": market.granularity,
        "--fills": market.fills,
        "--min-interval": spec.arena.interval_s,
        "--snapshots": contest.snapshot_count(spec.arena.interval_s),
        "--deadline": max(a.decision_deadline_s or 0.0 for a in spec.agents),
    }
    more = context_flags(spec, directory) + connector_flags(spec.features)
    more += ["--wait-for-judge"] if waits_for_judge(contest, spec.judge, spec.coach) else []
    return [*words, *_flags(options), *more]


def reply_flags(
    node: ChatNodeTable, contest: CompetitionTable | None, directory: Path
) -> list[str]:
    """The flags by which a chat node records its replies, or replays recorded ones."""
    if contest is None or contest.replies == "live" or node.name == BASELINES:
        return []
    return ["--replies", contest.replies, "--replies-file", str(directory / contest.replies_file)]


def ledger_command(books: Path | None) -> list[str]:
    """The command of the ledger."""
    return ["ledger", "run", *_flags({"--database": books and f"sqlite:///{books}"})]


def tools_command(spec: ArenaSpec) -> list[str]:
    """The command of the tools and the executor."""
    rules, contest = spec.rules, spec.competition
    options = {
        "--fees": rules.fees,
        "--slippage-bps": rules.slippage_bps,
        "--currency": rules.currency,
        "--starting-cash": rules.starting_cash,
        "--price-age-s": rules.price_age_s,
        "--collar-bps": rules.collar_bps,
        "--planned-snapshots": contest and contest.snapshot_count(spec.arena.interval_s),
    }
    wallets = [f"--wallet={unit}={cash:f}" for unit, cash in rules.wallets.items()]
    own = {agent.name: agent.risk for agent in spec.agents if agent.risk is not None}
    return ["tools", *_flags(options), *wallets, *risk_flags(spec.risk, own)]


def tool_server_command(plugins: Plugins) -> list[str]:
    """The command of the tools that do not use accounts, with those of plugins."""
    words = ["tools", "--only", "stateless", "--name", TOOL_SERVER]
    for folder in plugins.folders:
        words += ["--plugins", str(folder)]
    return words


def chat_node_command(node: ChatNodeTable) -> list[str]:
    """The command of a chat node, without its key."""
    options = {
        "--base-url": node.base_url,
        "--api-key-env": None if node.keyless else node.api_key_env,
        "--max-workers": node.max_workers,
        "--reasoning-effort": node.reasoning_effort,
        "--timeout": node.timeout_s,
        "--max-retries": node.max_retries,
        "--max-completion-tokens": node.max_completion_tokens,
        "--daily-token-budget": node.daily_token_budget,
        "--cutoff": node.cutoff,
    }
    words = ["chat-node", "--name", node.name, "--model-id", node.model_id]
    more = [*option_flags(node.options), *header_flags(node.extra_headers)]
    if (price := node.price_per_million) is not None:
        figures = {"input": price.input, "output": price.output, "cached": price.cached}
        known = (f"{key}={usd:f}" for key, usd in figures.items() if usd is not None)
        more += ["--price", ",".join(known)]
    return [*words, *_flags(options), *more]


def router_command(
    agents: tuple[AgentTable, ...],
    directory: Path,
    nodes: tuple[ChatNodeTable, ...] = (),
    plugins: Plugins = NO_PLUGINS,
) -> list[str]:
    """The command of one agent, or of several that share a process."""
    first = agents[0]
    sizes = {node.name: node.prompt for node in nodes}
    prompts = [(agent.name, agent.prompt or sizes.get(agent.chat_node)) for agent in agents]
    if first.process is None:
        words = ["router", "--name", first.name, "--chat-node-name", first.chat_node]
        words += ["--strategy", _strategy(first, directory, plugins)]
        words += _flags({"--seed": first.seed, "--prompt": prompts[0][1]})
    else:
        words = ["routers", "--name", first.process]
        if first.process == BASELINES and all(a.chat_node == BASELINES for a in agents):
            words += ["--kind", "baseline"]
        for agent in agents:
            seed = "" if agent.seed is None else f"#{agent.seed}"
            agent_option = (
                f"{agent.name}={_strategy(agent, directory, plugins)}@{agent.chat_node}{seed}"
            )
            words += ["--agent", agent_option]
        for name, size in prompts:
            words += _flags({"--prompt": size and f"{name}={size}"})
    options = {
        "--cadence": first.cadence,
        "--max-rounds": first.max_rounds,
        "--decision-deadline": first.decision_deadline_s,
        "--scrape": first.scrape,
        **{f"--{key.replace('_', '-')}": text for key, text in gate_texts(first).items()},
    }
    return [*words, *_flags(options)]


def gate_texts(agent: AgentTable) -> dict[str, str]:
    """The settings of an agent's gates as values of flags."""
    return {
        key: ",".join(value) if isinstance(value, tuple | list) else str(value)
        for key, value in agent.gate_settings.items()
    }


def require_keys(spec: ArenaSpec, environ: Mapping[str, str]) -> None:
    """Require a key for every model that needs one, and every variable that the file names.

    Raises:
        UsageError: A variable is not set, or `OPENAI_BASE_URL` is not a URL.
    """
    require_receivers(spec.alerts, environ)
    if spec.competition and spec.competition.replies == "replay":
        return
    for node in spec.chat_nodes:
        if node.keyless:
            continue
        base_url = node.base_url or environ.get(BASE_URL_VARIABLE)
        try:
            resolve_headers(node.extra_headers, environ)
        except ValueError as error:
            raise UsageError(f"chat node {node.name}: {error}") from None
        try:
            check_base_url(base_url or LOOPBACK_URL)
        except ValueError as error:
            raise UsageError(f"{BASE_URL_VARIABLE}: {error}") from None
        has_key = environ.get(node.api_key_env, "").strip() or authorizes(node.extra_headers)
        if not (base_url or has_key):
            raise UsageError(
                f"chat node {node.name} needs a key for {node.model_id}, and the environment "
                f"variable {node.api_key_env} is not set",
                remedy=f"export {node.api_key_env}=..., or see examples/ for an arena without",
            )


def require_prices(spec: ArenaSpec, prices: PriceList) -> None:
    """Require a price for every model that is used, if the competition has a budget in USD.

    Raises:
        UsageError: A model has no price.
    """
    contest = spec.competition
    if contest is None or contest.llm_budget_usd is None or contest.replies == "replay":
        return
    used_nodes = {agent.chat_node for agent in spec.agents}
    used_nodes |= {spec.judge.chat_node} if spec.judge and spec.judge.chat_node else set()
    for node in spec.chat_nodes:
        priced = node.scripted or node.price_per_million or prices.of(node.model_id)
        if node.name in used_nodes and not priced:
            raise UsageError(
                f"llm_budget_usd = {contest.llm_budget_usd} cannot be enforced: the price of "
                f"model {node.model_id!r} of chat node {node.name} is not known",
                remedy="give its [[chat_nodes]] price_per_million = { input = 0.1, output = 0.4 } "
                "in USD, or leave llm_budget_usd out",
            )


def _strategy(agent: AgentTable, directory: Path, plugins: Plugins) -> str:
    if is_file_name(agent.strategy):
        return str(directory / agent.strategy)
    path = plugins.strategy(agent.strategy)
    return agent.strategy if path is None else str(path)


def _flags(options: Mapping[str, object]) -> list[str]:
    words = []
    for flag, value in options.items():
        if value is not None:
            words += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return words

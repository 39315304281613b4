"""Which processes an ARENA.toml needs, in start order. Pure.

The commands are those one would type; keys travel in the environment, and only to the chat
nodes that need them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from arena.endpoint import (
    authorizes,
    check_base_url,
    header_flags,
    option_flags,
    resolve_headers,
)
from arena.environment import MODEL_KEYS
from arena.errors import UsageError
from arena.model_prices import PriceList
from arena.plugins import NO_PLUGINS, Plugins
from arena.process_kinds import KIND_OF_COMMAND, KINDS
from arena.strategy_files import is_file_name
from operations.processes.child import ProcessSpec
from operations.specs.arena_spec import AgentTable, ArenaSpec, ChatNodeTable, CompetitionTable
from operations.specs.competition import BASELINES

BASE_URL_VARIABLE = "OPENAI_BASE_URL"
LOOPBACK = "127.0.0.1"
LOOPBACK_URL = f"http://{LOOPBACK}"
ISO_UTC = "%Y-%m-%dT%H:%M:%S"
DASHBOARD = "dashboard"
CONNECTOR = "connector"
EXCHANGE = "exchange"
JUDGE = "judge"
LEDGER = "ledger"
TOOLS = "tools"
TOOL_SERVER = "tool-server"
LOCK_STEP = ("--pacing", "lock-step")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the processes share besides the ARENA.toml.

    Attributes:
        launcher: How this Python runs `arena`, before the command's own words.
        environ: Given to every process: broker, prefix, home.
        directory: Of the ARENA.toml; its paths are relative to it.
        exchange_port: Free on loopback; used where the market is simulated.
        dashboard: Words for the dashboard, or None for none.
        terminal: The dashboard owns the terminal.
        frames: Where a market that is recorded keeps its frames.
        books: The file the books of this run are kept in, or None for where they lie by default.
        market: The file in which a simulated market keeps its venue time, or None for nowhere.
        replace_names: Routers take names that other strategies or chat nodes played under.
        plugins: Tools and strategies outside the source tree.
    """

    launcher: tuple[str, ...]
    environ: Mapping[str, str]
    directory: Path
    exchange_port: int = 0
    dashboard: tuple[str, ...] | None = None
    terminal: bool = False
    frames: Path | None = None
    books: Path | None = None
    market: Path | None = None
    replace_names: bool = False
    plugins: Plugins = NO_PLUGINS


def plan(spec: ArenaSpec, around: Surroundings) -> list[ProcessSpec]:
    """The processes of an arena."""
    none: frozenset[str] = frozenset()
    secrets = secrets_of(spec)

    def process(
        name: str, *words: str, keys: frozenset[str] = none, ready_port: int = 0
    ) -> ProcessSpec:
        kind = KIND_OF_COMMAND[words[0]]
        return ProcessSpec(
            name=name,
            argv=(*around.launcher, *words),
            environ=around.environ,
            without=secrets - keys,
            ready_port=ready_port,
            foreground=kind.owns_terminal and around.terminal,
            stops_last=kind.stops_last,
        )

    contest = spec.competition
    pacing = LOCK_STEP if contest and contest.lock_step else ()
    found = []
    if spec.market.source == "exchange":
        words = exchange_words(spec, around)
        found.append(process(EXCHANGE, *words, ready_port=around.exchange_port))
    found.append(process(CONNECTOR, *connector_words(spec, around)))
    alone = ("--only", "executor") if around.plugins.tools else ()
    found.append(process(TOOLS, *tools_words(spec), *pacing, *alone))
    if alone:  # code of plugins never shares a process with the accounts
        found.append(process(TOOL_SERVER, *tool_server_words(around.plugins)))
    for node in spec.chat_nodes:
        paid = not node.keyless and not (contest and contest.replies == "replay")
        words = chat_node_words(node) + replies_words(node, contest, around.directory)
        keys = node.variables if paid else none
        found.append(process(f"chat-node-{node.name}", *words, keys=keys))
    for name, agents in spec.processes().items():
        words = router_words(agents, around.directory, spec.chat_nodes, around.plugins)
        taking = ("--replace",) if around.replace_names else ()
        found.append(process(name, *words, *pacing, *taking))
    if spec.ledger.enabled:
        found.append(process(LEDGER, *ledger_words(around.books)))
    if contest and contest.judge:
        found.append(process(JUDGE, *judge_words(contest)))
    if around.dashboard is not None:
        found.append(process(DASHBOARD, "dashboard", *around.dashboard))
    order = [kind.name for kind in KINDS]
    place = len(around.launcher)
    return sorted(found, key=lambda each: order.index(KIND_OF_COMMAND[each.argv[place]].name))


def secrets_of(spec: ArenaSpec) -> frozenset[str]:
    """The variables that only the chat nodes that name them may see."""
    return MODEL_KEYS.union(*(node.variables for node in spec.chat_nodes))


def exchange_words(spec: ArenaSpec, around: Surroundings) -> list[str]:
    """The command of the simulated exchange."""
    market = spec.market
    words = ["exchange", "--port", str(around.exchange_port), "--speed", f"{market.speed:g}"]
    words += ["--seed", str(market.seed), "--products", ",".join(spec.arena.products)]
    for path in market.prices:
        words += ["--prices", str(around.directory / path)]
    return words + _flags({"--state": around.market})


def connector_words(spec: ArenaSpec, around: Surroundings) -> list[str]:
    """The command of the connector; the exchange itself tells it what is simulated."""
    if spec.market.source == "replay":
        return replay_words(spec, around.directory)
    words = ["connector", "coinbase", "--min-interval", f"{spec.arena.interval_s:g}"]
    words += ["--products", ",".join(spec.arena.products)]
    if spec.market.source == "exchange":
        address = f"{LOOPBACK}:{around.exchange_port}"
        words += ["--ws-url", f"ws://{address}", "--rest-url", f"http://{address}"]
    if spec.market.record and around.frames is not None:
        words += ["--record", str(around.frames)]
    return words


def replay_words(spec: ArenaSpec, directory: Path) -> list[str]:
    """The command of the connector that waits for its agents."""
    contest, market = spec.competition, spec.market
    assert contest is not None, "the specification was not checked"
    words = ["connector", "replay", "--lock-step"]
    words += ["--agents", ",".join(agent.name for agent in spec.agents)]
    words += ["--products", ",".join(spec.arena.products)]
    for path in market.prices:
        words += ["--prices", str(directory / path)]
    options = {
        "--seed": None if market.prices else market.seed,
        "--start": market.begins_at and market.begins_at.astimezone(UTC).strftime(ISO_UTC),
        "--min-interval": spec.arena.interval_s,
        "--snapshots": contest.snapshot_count(spec.arena.interval_s),
        "--deadline": max(a.decision_deadline_s or 0.0 for a in spec.agents),
    }
    return [*words, *_flags(options)]


def replies_words(
    node: ChatNodeTable, contest: CompetitionTable | None, directory: Path
) -> list[str]:
    """Whether a chat node keeps its replies, or answers from kept ones."""
    if contest is None or contest.replies == "live" or node.name == BASELINES:
        return []
    return ["--replies", contest.replies, "--replies-file", str(directory / contest.replies_file)]


def judge_words(contest: CompetitionTable) -> list[str]:
    """The command of the judge."""
    return ["judge", *_flags({"--confidence": contest.confidence, "--seed": contest.seed})]


def ledger_words(books: Path | None) -> list[str]:
    """The command of the ledger."""
    return ["ledger", "run", *_flags({"--database": books and f"sqlite:///{books}"})]


def tools_words(spec: ArenaSpec) -> list[str]:
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
    return ["tools", *_flags(options)]


def tool_server_words(plugins: Plugins) -> list[str]:
    """The command of the tools that touch no account, with those of plugins."""
    words = ["tools", "--only", "stateless", "--name", TOOL_SERVER]
    for folder in plugins.folders:
        words += ["--plugins", str(folder)]
    return words


def chat_node_words(node: ChatNodeTable) -> list[str]:
    """The command of a chat node; never its key."""
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
    head = ["chat-node", "--name", node.name, "--model-id", node.model_id]
    more = [*option_flags(node.options), *header_flags(node.extra_headers)]
    if (price := node.price_per_million) is not None:
        figures = {"input": price.input, "output": price.output, "cached": price.cached}
        known = (f"{key}={usd:f}" for key, usd in figures.items() if usd is not None)
        more += ["--price", ",".join(known)]
    return [*head, *_flags(options), *more]


def router_words(
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
            seat = f"{agent.name}={_strategy(agent, directory, plugins)}@{agent.chat_node}{seed}"
            words += ["--agent", seat]
        for name, size in prompts:
            words += _flags({"--prompt": size and f"{name}={size}"})
    options = {
        "--cadence": first.cadence,
        "--max-rounds": first.max_rounds,
        "--decision-deadline": first.decision_deadline_s,
        "--scrape": first.scrape,
    }
    return [*words, *_flags(options)]


def require_keys(spec: ArenaSpec, environ: Mapping[str, str]) -> None:
    """See that every model that needs a key has one, and every header its variable.

    Raises:
        UsageError: A variable is not set, or `OPENAI_BASE_URL` is not an address.
    """
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
    """See that a budget in dollars can be kept: every model that is asked has a price.

    Raises:
        UsageError: One has none.
    """
    contest = spec.competition
    if contest is None or contest.llm_budget_usd is None or contest.replies == "replay":
        return
    asked = {agent.chat_node for agent in spec.agents}
    for node in spec.chat_nodes:
        priced = node.scripted or node.price_per_million or prices.of(node.model_id)
        if node.name in asked and not priced:
            raise UsageError(
                f"llm_budget_usd = {contest.llm_budget_usd} cannot be kept: nothing says what chat "
                f"node {node.name}'s model {node.model_id!r} costs",
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

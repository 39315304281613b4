"""Which processes an ARENA.toml needs, in start order. Pure.

The commands are those one would type; keys travel in the environment, and only to the chat
nodes that need them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arena.errors import UsageError
from arena.spec import AgentTable, ArenaSpec, ChatNodeTable
from arena.supervisor.child import ProcessSpec

BASE_URL_VARIABLE = "OPENAI_BASE_URL"
LOOPBACK = "127.0.0.1"
DASHBOARD = "dashboard"


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
    """

    launcher: tuple[str, ...]
    environ: Mapping[str, str]
    directory: Path
    exchange_port: int = 0
    dashboard: tuple[str, ...] | None = None
    terminal: bool = False


def plan(spec: ArenaSpec, around: Surroundings) -> list[ProcessSpec]:
    """The processes of an arena."""
    secrets = frozenset(node.api_key_env for node in spec.chat_nodes)

    def process(name: str, *words: str, key: str | None = None, ready_port: int = 0) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            argv=(*around.launcher, *words),
            environ=around.environ,
            without=secrets - {key},
            ready_port=ready_port,
            foreground=name == DASHBOARD and around.terminal,
        )

    found = []
    if spec.market.source == "exchange":
        words = exchange_words(spec, around)
        found.append(process("exchange", *words, ready_port=around.exchange_port))
    found.append(process("connector", *connector_words(spec, around)))
    found.append(process("tools", *tools_words(spec)))
    for node in spec.chat_nodes:
        key = None if node.scripted else node.api_key_env
        found.append(process(f"chat-node-{node.name}", *chat_node_words(node), key=key))
    for name, agents in spec.processes().items():
        found.append(process(name, *router_words(agents, around.directory)))
    if around.dashboard is not None:
        found.append(process(DASHBOARD, "dashboard", *around.dashboard))
    return found


def exchange_words(spec: ArenaSpec, around: Surroundings) -> list[str]:
    """The command of the simulated exchange."""
    market = spec.market
    words = ["exchange", "--port", str(around.exchange_port), "--speed", f"{market.speed:g}"]
    words += ["--seed", str(market.seed), "--products", ",".join(spec.arena.products)]
    for path in market.prices:
        words += ["--prices", str(around.directory / path)]
    return words


def connector_words(spec: ArenaSpec, around: Surroundings) -> list[str]:
    """The command of the connector; the exchange itself tells it what is simulated."""
    words = ["connector", "coinbase", "--min-interval", f"{spec.arena.interval_s:g}"]
    words += ["--products", ",".join(spec.arena.products)]
    if spec.market.source == "exchange":
        address = f"{LOOPBACK}:{around.exchange_port}"
        words += ["--ws-url", f"ws://{address}", "--rest-url", f"http://{address}"]
    return words


def tools_words(spec: ArenaSpec) -> list[str]:
    """The command of the tools and the executor."""
    rules = spec.rules
    options = {
        "--fees": rules.fees,
        "--slippage-bps": rules.slippage_bps,
        "--starting-cash": rules.starting_cash,
        "--price-age-s": rules.price_age_s,
        "--collar-bps": rules.collar_bps,
    }
    return ["tools", *_flags(options)]


def chat_node_words(node: ChatNodeTable) -> list[str]:
    """The command of a chat node; never its key."""
    options = {
        "--base-url": node.base_url,
        "--api-key-env": None if node.scripted else node.api_key_env,
        "--max-workers": node.max_workers,
        "--reasoning-effort": node.reasoning_effort,
        "--timeout": node.timeout_s,
        "--max-retries": node.max_retries,
        "--max-completion-tokens": node.max_completion_tokens,
        "--daily-token-budget": node.daily_token_budget,
    }
    head = ["chat-node", "--name", node.name, "--model-id", node.model_id]
    return [*head, *_flags(options)]


def router_words(agents: tuple[AgentTable, ...], directory: Path) -> list[str]:
    """The command of one agent, or of several that share a process."""
    first = agents[0]
    if first.process is None:
        words = ["router", "--name", first.name, "--chat-node-name", first.chat_node]
        words += ["--strategy", _strategy(first, directory)]
    else:
        words = ["routers", "--name", first.process]
        for agent in agents:
            words += ["--agent", f"{agent.name}={_strategy(agent, directory)}@{agent.chat_node}"]
    options = {
        "--cadence": first.cadence,
        "--max-rounds": first.max_rounds,
        "--decision-deadline": first.decision_deadline_s,
    }
    return [*words, *_flags(options)]


def require_keys(spec: ArenaSpec, environ: Mapping[str, str]) -> None:
    """See that every model that needs a key has one.

    Raises:
        UsageError: A variable is not set.
    """
    for node in spec.chat_nodes:
        base_url = node.base_url or environ.get(BASE_URL_VARIABLE)
        if not (node.scripted or base_url or environ.get(node.api_key_env, "").strip()):
            raise UsageError(
                f"chat node {node.name} needs a key for {node.model_id}, and the environment "
                f"variable {node.api_key_env} is not set",
                remedy=f"export {node.api_key_env}=..., or see examples/ for an arena without",
            )


def _strategy(agent: AgentTable, directory: Path) -> str:
    is_file = agent.strategy.endswith((".py", ".toml"))
    return str(directory / agent.strategy) if is_file else agent.strategy


def _flags(options: Mapping[str, object]) -> list[str]:
    words = []
    for flag, value in options.items():
        if value is not None:
            words += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return words

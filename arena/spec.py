"""ARENA.toml: which market, models, agents and rules make up an arena.

    [arena]         name, prefix, products, interval_s
    [market]        source = "coinbase", or "exchange" (simulated) with seed, speed, prices
    [rules]         fees, slippage_bps, starting_cash, price_age_s, collar_bps
    [[chat_nodes]]  name, model_id, base_url, api_key_env, max_workers, reasoning_effort, ...
    [[agents]]      name, strategy, chat_node, process, cadence
    [dashboard]     show

Reads one file. `parse_spec` is pure; every error names the file, the line, the value and the
remedy. A key that no table has is refused, with the nearest one that exists.
"""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from arena import ids, topics
from arena.errors import UsageError
from arena.spec_errors import SpecFault, explain
from arena.topics import TopicSpec

SCRIPTED = "scripted"
"""The `model_id` of the built-in rules: no key, no network, no LLM."""

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
AGENTS_MAX = 200
STRATEGY_PATTERN = r"^[^@=\s][^@=]*$"
PREFIX_PATTERN = r"^[A-Za-z0-9._-]{0,64}$"
PRODUCT_PATTERN = r"^[A-Z0-9]{1,20}-[A-Z0-9]{1,10}$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


def _name(value: str) -> str:
    try:
        return ids.check_name("this", value)
    except UsageError as error:
        raise ValueError(error.remedy) from None


Name = Annotated[str, AfterValidator(_name)]
"""A name that can be part of a topic name."""

ProductId = Annotated[str, Field(pattern=PRODUCT_PATTERN)]


class Table(BaseModel):
    """A table of the file: frozen, and without room for keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArenaTable(Table):
    """What the whole arena shares.

    Attributes:
        name: Shown on the dashboard and in the names of runs.
        prefix: Put before every topic; arenas with different prefixes share a broker.
        products: What the agents may trade.
        interval_s: Seconds between two market snapshots, in the market's own time.
    """

    name: Name = "arena"
    prefix: str = Field(default="", pattern=PREFIX_PATTERN)
    products: tuple[ProductId, ...] = Field(
        default=("BTC-USD", "ETH-USD", "SOL-USD"), min_length=1, max_length=50
    )
    interval_s: float = Field(default=60.0, gt=0, le=86_400)


class MarketTable(Table):
    """Where prices come from.

    Attributes:
        source: "coinbase" is the live venue, "exchange" the simulated one.
        seed: Of the synthetic prices.
        speed: How many seconds of market pass in one of ours.
        prices: Candle files to replay instead of synthetic prices, relative to the ARENA.toml.
    """

    source: Literal["coinbase", "exchange"] = "exchange"
    seed: int = Field(default=7, ge=0)
    speed: float = Field(default=1.0, ge=0.01, le=3_600)
    prices: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _simulation_keys_need_a_simulation(self) -> Self:
        given = sorted(self.model_fields_set - {"source"})
        if self.source == "coinbase" and given:
            key = given[0]
            raise SpecFault((key,), f'{key} is for source = "exchange"; leave it out')
        return self


class RulesTable(Table):
    """The money rules the executor applies; what is left out keeps the executor's default.

    Attributes:
        fees: A preset's name, or the taker fee in basis points.
        slippage_bps: Added against the taker at each fill.
        starting_cash: USD each account opens with.
        price_age_s: An older price is refused.
        collar_bps: The most that the price may have moved from the one the agent saw.
    """

    fees: Annotated[str, Field(min_length=1, max_length=64)] | Decimal | None = None
    slippage_bps: Decimal | None = Field(default=None, ge=0, le=10_000)
    starting_cash: Decimal | None = Field(default=None, gt=0)
    price_age_s: float | None = Field(default=None, gt=0)
    collar_bps: Decimal | None = Field(default=None, gt=0, le=10_000)


class ChatNodeTable(Table):
    """One model, served to the agents that name it; what is left out keeps the node's default.

    Attributes:
        model_id: As the provider calls it; "scripted" for the built-in rules.
        base_url: Of an OpenAI-compatible server; OpenAI's own where none is given.
        api_key_env: The environment variable that holds the key; never the key.
        max_workers: Calls at the same time.
        reasoning_effort: Passed on to models that reason.
        timeout_s: Of one attempt.
        max_retries: Attempts after the first.
        max_completion_tokens: Cap of one call.
        daily_token_budget: Calls beyond it are refused until the next UTC day.
    """

    name: Name
    model_id: str = Field(min_length=1)
    base_url: str | None = Field(default=None, pattern=r"^https?://\S+$")
    api_key_env: str = Field(default=DEFAULT_KEY_VARIABLE, pattern=VARIABLE_PATTERN)
    max_workers: int | None = Field(default=None, ge=1, le=1_000)
    reasoning_effort: str | None = None
    timeout_s: float | None = Field(default=None, ge=0.1, le=3_600)
    max_retries: int | None = Field(default=None, ge=0, le=20)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    daily_token_budget: int | None = Field(default=None, gt=0)

    @property
    def scripted(self) -> bool:
        """True where the built-in rules answer, not an LLM."""
        return self.model_id == SCRIPTED


class AgentTable(Table):
    """One agent: a strategy that thinks with a chat node.

    Attributes:
        strategy: A shipped strategy's name, or a .py or .toml file relative to the ARENA.toml.
        process: Agents with the same word share one process; each has its own by default.
        cadence: Take every n-th snapshot; the strategy's own cadence where none is given.
        max_rounds: Tool rounds of a turn.
        decision_deadline_s: What a whole turn may take.
    """

    name: Name
    strategy: Annotated[str, Field(pattern=STRATEGY_PATTERN)]
    chat_node: Name
    process: Name | None = None
    cadence: int | None = Field(default=None, ge=1, le=10_000)
    max_rounds: int | None = Field(default=None, ge=1, le=100)
    decision_deadline_s: float | None = Field(default=None, ge=0.1, le=3_600)

    @property
    def limits(self) -> tuple[int | None, int | None, float | None]:
        """What agents that share a process must have in common."""
        return self.cadence, self.max_rounds, self.decision_deadline_s


class DashboardTable(Table):
    """The terminal dashboard; `show = false` leaves it out."""

    show: bool = True


class ArenaSpec(Table):
    """A whole ARENA.toml."""

    arena: ArenaTable = ArenaTable()
    market: MarketTable = MarketTable()
    rules: RulesTable = RulesTable()
    chat_nodes: tuple[ChatNodeTable, ...] = Field(min_length=1)
    agents: tuple[AgentTable, ...] = Field(min_length=1, max_length=AGENTS_MAX)
    dashboard: DashboardTable = DashboardTable()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _require_own_names("chat_nodes", [n.name for n in self.chat_nodes])
        _require_own_names("agents", [a.name for a in self.agents])
        known = [n.name for n in self.chat_nodes]
        first: dict[str, AgentTable] = {}
        for index, agent in enumerate(self.agents):
            if agent.chat_node not in known:
                what = f"no [[chat_nodes]] is called {agent.chat_node!r}; there is "
                raise SpecFault(("agents", index, "chat_node"), what + ", ".join(known))
            mate = first.setdefault(agent.process or f"agent {agent.name}", agent)
            if agent.limits != mate.limits:
                raise SpecFault(
                    ("agents", index, "process"),
                    f"{agent.name} shares {agent.process!r} with {mate.name}; give both the same "
                    "cadence, max_rounds and decision_deadline_s, or a process each",
                )
        return self

    def processes(self) -> dict[str, tuple[AgentTable, ...]]:
        """The agents by the process that runs them, in the file's order."""
        groups: dict[str, tuple[AgentTable, ...]] = {}
        for agent in self.agents:
            key = f"routers-{agent.process}" if agent.process else f"router-{agent.name}"
            groups[key] = (*groups.get(key, ()), agent)
        return groups

    def topics(self) -> list[TopicSpec]:
        """The topics of its chat nodes and agents, besides the fixed ones."""
        prompted = [topics.PROMPTED.member(node.name) for node in self.chat_nodes]
        return prompted + [topics.INBOX.member(agent.name) for agent in self.agents]


def _require_own_names(table: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            what = f"{name!r} is taken; every one of [[{table}]] needs a name of its own"
            raise SpecFault((table, index, "name"), what)


def parse_spec(text: str, *, path: str) -> ArenaSpec:
    """An ARENA.toml's text as a specification.

    Args:
        text: The file's content.
        path: Its name, for error messages.

    Raises:
        UsageError: The text is no TOML or no arena: the first thing wrong, with its line.
    """
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    try:
        return ArenaSpec.model_validate(tables)
    except ValidationError as error:
        raise UsageError(explain(error, ArenaSpec, text, path)) from None


def load_spec(path: Path) -> ArenaSpec:
    """Read an ARENA.toml.

    Raises:
        UsageError: There is no such file, or it is no arena.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot read {path}: {reason}", remedy="examples/ holds arenas to start from"
        ) from None
    return parse_spec(text, path=str(path))

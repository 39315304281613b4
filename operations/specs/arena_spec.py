"""ARENA.toml: which market, models, agents and rules make up an arena, and which contest it holds.

    [arena]         name, prefix, products, interval_s
    [market]        source = "coinbase", or "exchange" (simulated) with seed, speed, prices, record,
                    or "replay" (in lock-step) with seed, prices, start
    [rules]         fees, slippage_bps, currency, starting_cash, price_age_s, collar_bps
    [[chat_nodes]]  name, model_id, base_url, api_key_env, max_workers, reasoning_effort, ...
    [[agents]]      name, strategy, chat_node, process, cadence, seed, scrape, prompt
    [competition]   snapshots, pacing, strategies, models, repeats, baselines, replies, ...
    [ledger]        enabled
    [plugins]       folders
    [dashboard]     show

Reads one file, and the files of strategies that it names. `parse_spec` is pure; every error names
the file, the line, the value and the remedy. A key that no table has is refused, with the nearest
one that exists.
"""

from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from arena import topics
from arena.bounded_files import read_text_file
from arena.currency import DEFAULT_CURRENCY, currency_fault
from arena.error_causes import error_message
from arena.errors import UsageError
from arena.strategy_files import DescribeStrategy, describe_in, describe_shipped
from arena.toml_files import parse_toml
from arena.topics import TopicSpec
from arena.unknown_names import RESERVED, closest_first, listed
from operations.specs.baselines import route_baselines
from operations.specs.competition import (
    CompetitionTable,
    baseline_nodes,
    check_competition,
    entrants,
)
from operations.specs.errors import SpecFault, explain
from operations.specs.tables import (
    AGENTS_MAX,
    AgentTable,
    ArenaTable,
    ChatNodeTable,
    DashboardTable,
    LedgerTable,
    MarketTable,
    PluginsTable,
    RulesTable,
    Table,
)

__all__ = [
    "AgentTable",
    "ArenaSpec",
    "ChatNodeTable",
    "CompetitionTable",
    "load_spec",
    "parse_spec",
]


class ArenaSpec(Table):
    """A whole ARENA.toml.

    `agents` and `chat_nodes` are those that the file names, until `expanded` adds the contest's.
    """

    arena: ArenaTable = ArenaTable()
    market: MarketTable = MarketTable()
    rules: RulesTable = RulesTable()
    chat_nodes: tuple[ChatNodeTable, ...] = ()
    agents: tuple[AgentTable, ...] = Field(default=(), max_length=AGENTS_MAX)
    competition: CompetitionTable | None = None
    ledger: LedgerTable = LedgerTable()
    plugins: PluginsTable = PluginsTable()
    dashboard: DashboardTable = DashboardTable()

    _moved: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def moved(self) -> dict[str, str]:
        """Baselines that built-in rules play -> the chat node that their table names."""
        return dict(self._moved)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _require_own_names("chat_nodes", [n.name for n in self.chat_nodes])
        _require_own_names("agents", [a.name for a in self.agents])
        _check_currency(self.arena, self.rules)
        if self.competition is None:
            _require_an_arena(self)
        else:
            check_competition(
                self.competition,
                arena=self.arena,
                market=self.market,
                chat_nodes=self.chat_nodes,
                agents=self.agents,
            )
        _check_agents(self.agents, self.chat_nodes)
        _check_whole(self.agents, self.expanded().agents)
        return self

    def expanded(self) -> Self:
        """With the agents of the contest's matrix and its baselines; call it once."""
        table = self.competition
        if table is None:
            return self
        deadline = {"decision_deadline_s": table.decision_deadline_s}
        given = tuple(
            a if a.decision_deadline_s else a.model_copy(update=deadline) for a in self.agents
        )
        return self.model_copy(
            update={
                "chat_nodes": self.chat_nodes + baseline_nodes(table),
                "agents": given + entrants(table),
            }
        )

    def processes(self) -> dict[str, tuple[AgentTable, ...]]:
        """The agents by the process that runs them, in the file's order."""
        groups: dict[str, tuple[AgentTable, ...]] = {}
        for agent in self.agents:
            key = f"routers-{agent.process}" if agent.process else f"router-{agent.name}"
            groups[key] = (*groups.get(key, ()), agent)
        return groups

    @property
    def currency(self) -> str:
        """What its accounts hold, and what its products are quoted in."""
        return self.rules.currency or DEFAULT_CURRENCY

    def topics(self) -> list[TopicSpec]:
        """The topics of its chat nodes and agents, besides the fixed ones."""
        prompted = [topics.PROMPTED.member(node.name) for node in self.chat_nodes]
        return prompted + [topics.INBOX.member(agent.name) for agent in self.agents]


def _require_own_names(table: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            what = f"{name!r} is taken; every one of [[{table}]] needs a name of its own"
            raise SpecFault((table, index, "name"), what)


def _check_currency(arena: ArenaTable, rules: RulesTable) -> None:
    fault = currency_fault(arena.products, rules.currency)
    if fault is not None:
        where = ("arena", "products") if rules.currency is None else ("rules", "currency")
        raise SpecFault(where, f"{fault.what}; {fault.remedy}")


def _require_an_arena(spec: ArenaSpec) -> None:
    if spec.market.source == "replay":
        text = 'a replay waits for its agents: add a [competition], or choose "exchange"'
        raise SpecFault(("market", "source"), text)
    for table, given in (("chat_nodes", spec.chat_nodes), ("agents", spec.agents)):
        if not given:
            raise SpecFault((table,), f"add a [[{table}]] table")


def _check_agents(agents: tuple[AgentTable, ...], nodes: tuple[ChatNodeTable, ...]) -> None:
    known = [node.name for node in nodes]
    for index, agent in enumerate(agents):
        if agent.name in RESERVED:
            what = f"{agent.name!r} is {RESERVED[agent.name]}; choose another name"
            raise SpecFault(("agents", index, "name"), what)
        if agent.chat_node not in known:
            there = listed(closest_first(agent.chat_node, known)) if known else "none yet"
            what = f"no [[chat_nodes]] is called {agent.chat_node!r}; there is {there}"
            raise SpecFault(("agents", index, "chat_node"), what)


def _check_whole(given: tuple[AgentTable, ...], everyone: tuple[AgentTable, ...]) -> None:
    """See that names differ and that those who share a process may."""
    if len(everyone) > AGENTS_MAX:
        text = f"{len(everyone)} agents come of it; an arena has at most {AGENTS_MAX}"
        raise SpecFault(("competition", "repeats"), text)
    names: list[str] = []
    first: dict[str, AgentTable] = {}
    for index, agent in enumerate(everyone):
        named = index < len(given)
        if agent.name in names:
            what = f"{agent.name!r} comes of it, and is taken; name the other one otherwise"
            raise SpecFault(("competition", "strategies"), what)
        names.append(agent.name)
        mate = first.setdefault(agent.process or f"agent {agent.name}", agent)
        if agent.limits != mate.limits:
            raise SpecFault(
                ("agents", names.index(agent.name if named else mate.name), "process"),
                f"{agent.name} shares {agent.process!r} with {mate.name}; give both the same "
                "cadence, max_rounds, decision_deadline_s and scrape, or a process each",
            )


def parse_spec(text: str, *, path: str, describe: DescribeStrategy = describe_shipped) -> ArenaSpec:
    """An ARENA.toml's text as a specification, with the agents of its contest.

    Args:
        text: The file's content.
        path: Its name, for error messages.
        describe: What a strategy is: baselines are played by built-in rules.

    Raises:
        UsageError: The text is no TOML or no arena: the first thing wrong, with its line.
    """
    tables = parse_toml(text, path, parse_float=Decimal)
    try:
        spec = ArenaSpec.model_validate(tables).expanded()
    except ValidationError as error:
        raise UsageError(explain(error, ArenaSpec, text, path)) from None
    cast = route_baselines(spec.chat_nodes, spec.agents, describe, path=path)
    spec = spec.model_copy(update={"chat_nodes": cast.nodes, "agents": cast.agents})
    spec._moved = cast.moved
    return spec


def load_spec(path: Path) -> ArenaSpec:
    """Read an ARENA.toml.

    Raises:
        UsageError: There is no such file, or it is no arena.
    """
    text = read_spec(path)
    return parse_spec(text, path=str(path), describe=describe_in(path.resolve().parent))


def read_spec(path: Path) -> str:
    """The text of an ARENA.toml.

    Raises:
        UsageError: There is no such file, or it is no text.
    """
    try:
        return read_text_file(path)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise UsageError(f"{path}: {error_message(error)}", remedy="save it as UTF-8") from None
        raise UsageError(
            f"cannot read {path}: {error.strerror}", remedy="examples/ holds arenas to start from"
        ) from None

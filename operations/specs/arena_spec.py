"""ARENA.toml: the market, models, agents and rules of an arena, and its contest.

    [arena]         name, prefix, products, interval_s
    [market]        source = "live", or "exchange" (simulated) with seed, speed, prices, record,
                    or "replay" (in lock-step) with seed, prices, start, end, granularity (1m, 5m,
                    15m, 1h, 1d) and fills (open, close); venue, context;
                    prices = "cache:VENUE" are the candles from start to end in the cache
    [[markets]]     venue, products, prices, for several venues at once
    [features]      preset, indicators, history_minutes
    [rules]         fees, slippage_bps, currency, starting_cash, wallets, price_age_s, collar_bps
    [risk]          preset, and limits by name (docs/risk.md)
    [[chat_nodes]]  name, model_id, base_url, api_key_env, max_workers, reasoning_effort, ...
    [[agents]]      name, strategy, chat_node, process, cadence, seed, scrape, prompt, risk,
                    every, on_move_pct, quiet_max, calls_per_hour_max, calls_per_day_max,
                    decisions_max, wake_on
    [competition]   snapshots, pacing, strategies, models, repeats, baselines, risk, ...
    [coach]         auto, cooldown, expires, scale_risk, risk_factor, trials,
                    trial_snapshots (docs/coaching.md)
    [judge]         chat_node, share, calls_per_day
    [ledger]        enabled
    [web]           enabled, host, port, tls_cert, tls_key, insecure, public,
                    hide_prompts, allow_hosts
    [alerts]        to, drawdown, feed_silent_s, per_minute, only, without
    [plugins]       folders
    [dashboard]     show

Reads one file, and the files of strategies that it names. `parse_spec` is pure; every error names
the file, the line, the value and the remedy. An unknown key is refused, with the closest known one.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator

from arena import topics
from arena.bounded_files import read_text_file
from arena.currency import CURRENCY_PATTERN, DEFAULT_CURRENCY, currency_fault
from arena.error_causes import error_message
from arena.errors import UsageError
from arena.pricefiles.rows import MINUTE_S
from arena.pricefiles.span import REPLAY_HISTORY_BARS, interval_of
from arena.risk_settings import RiskValues
from arena.strategy_files import DescribeStrategy, describe_in, describe_shipped
from arena.toml_files import parse_toml
from arena.topics import TopicSpec
from arena.unknown_names import RESERVED, SHADOW_PREFIX, closest_first, listed
from operations.specs.alerts import AlertsTable
from operations.specs.baselines import route_baselines
from operations.specs.coach import CoachTable, check_coach
from operations.specs.competition import (
    CompetitionTable,
    baseline_nodes,
    check_competition,
    contest_agents,
    with_length,
)
from operations.specs.errors import Location, SpecFault, error_text
from operations.specs.features import FeaturesTable, check_features
from operations.specs.judge import JudgeTable, check_judge
from operations.specs.market import MarketTable, VenueTable
from operations.specs.risk import Risk, check_agents_risk
from operations.specs.tables import (
    AGENTS_MAX,
    AgentTable,
    ArenaTable,
    ChatNodeTable,
    DashboardTable,
    LedgerTable,
    PluginsTable,
    RulesTable,
    SpecTable,
)
from operations.specs.venues import with_venues
from operations.specs.web import WebTable

__all__ = [
    "AgentTable",
    "ArenaSpec",
    "ChatNodeTable",
    "CompetitionTable",
    "load_spec",
    "parse_spec",
]


class ArenaSpec(SpecTable):
    """A whole ARENA.toml.

    `agents` and `chat_nodes` are those that the file names, until `expanded` adds the contest's.
    """

    arena: ArenaTable = ArenaTable()
    market: MarketTable = MarketTable()
    markets: tuple[VenueTable, ...] = Field(default=(), max_length=8)
    features: FeaturesTable = FeaturesTable()
    rules: RulesTable = RulesTable()
    risk: Risk = Field(default_factory=dict)
    chat_nodes: tuple[ChatNodeTable, ...] = ()
    agents: tuple[AgentTable, ...] = Field(default=(), max_length=AGENTS_MAX)
    competition: CompetitionTable | None = None
    coach: CoachTable | None = None
    judge: JudgeTable | None = None
    ledger: LedgerTable = LedgerTable()
    web: WebTable = WebTable()
    alerts: AlertsTable | None = None
    plugins: PluginsTable = PluginsTable()
    dashboard: DashboardTable = DashboardTable()

    _rerouted: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def rerouted(self) -> dict[str, str]:
        """Baselines that built-in rules play -> the chat node that their table names."""
        return dict(self._rerouted)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        spec = with_venues(self)
        _require_own_names("chat_nodes", [n.name for n in spec.chat_nodes])
        _require_own_names("agents", [a.name for a in spec.agents])
        _check_currency(spec.arena, spec.rules)
        _check_interval(spec.arena, spec.market)
        check_features(spec.features, spec.market)
        if spec.competition is None:
            _require_market_and_agents(spec)
        else:
            bar_s = spec.market.bar_s or MINUTE_S
            asked_s = (spec.features.history_minutes or 0) * MINUTE_S
            history_s = max(REPLAY_HISTORY_BARS, -(-asked_s // bar_s)) * bar_s
            contest = with_length(spec.competition, spec.arena, spec.market, history_s, bar_s)
            spec = spec.model_copy(update={"competition": contest})
            check_competition(
                contest,
                arena=spec.arena,
                market=spec.market,
                chat_nodes=spec.chat_nodes,
                agents=spec.agents,
            )
        _check_agents(spec.agents, spec.chat_nodes)
        check_judge(spec.judge, spec.chat_nodes)
        check_coach(spec.coach, spec.competition)
        _check_all_agents(spec.agents, spec.expanded().agents)
        _check_risk(spec)
        return spec

    def expanded(self) -> Self:
        """Return the specification with the contest's agents and baselines; call it once."""
        table = self.competition
        if table is None:
            return self
        deadline = {"decision_deadline_s": table.decision_deadline_s}
        named = tuple(
            a if a.decision_deadline_s else a.model_copy(update=deadline) for a in self.agents
        )
        return self.model_copy(
            update={
                "chat_nodes": self.chat_nodes + baseline_nodes(table),
                "agents": named + contest_agents(table),
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
        """The currency of its accounts and of its products' prices."""
        return self.rules.currency or DEFAULT_CURRENCY

    def topics(self) -> list[TopicSpec]:
        """The topics of its chat nodes and agents, besides the fixed ones."""
        prompted = [topics.PROMPTED.member(node.name) for node in self.chat_nodes]
        return prompted + [topics.INBOX.member(agent.name) for agent in self.agents]


def _require_own_names(table: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            what = f"{name!r} is already used; each of [[{table}]] needs its own name"
            raise SpecFault((table, index, "name"), what)


def _check_currency(arena: ArenaTable, rules: RulesTable) -> None:
    for unit in rules.wallets:
        if not re.fullmatch(CURRENCY_PATTERN, unit):
            what = f"{unit!r} is not a currency; write a code in capitals, such as USDT"
            raise SpecFault(("rules", "wallets"), what)
        if unit == (rules.currency or DEFAULT_CURRENCY):
            what = f"{unit} is the currency of the main accounts; give its cash as starting_cash"
            raise SpecFault(("rules", "wallets"), what)
    fault = currency_fault(arena.products, rules.currency, wallets=rules.wallets)
    if fault is not None:
        location = ("arena", "products") if rules.currency is None else ("rules", "currency")
        raise SpecFault(location, f"{fault.what}; {fault.remedy}")


def _check_interval(arena: ArenaTable, market: MarketTable) -> None:
    if market.source != "replay" or not market.bar_s or market.bar_s == MINUTE_S:
        return
    try:
        interval_of(arena.interval_s, market.bar_s)
    except UsageError as error:
        raise SpecFault(("arena", "interval_s"), f"{error.args[0]}; {error.remedy}") from None


def _require_market_and_agents(spec: ArenaSpec) -> None:
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
        if agent.name.startswith(SHADOW_PREFIX):
            what = f"names that begin with {SHADOW_PREFIX!r} are those of shadow agents"
            raise SpecFault(("agents", index, "name"), f"{what}; choose another name")
        if agent.chat_node not in known:
            names = listed(closest_first(agent.chat_node, known)) if known else "none yet"
            what = f"no [[chat_nodes]] has the name {agent.chat_node!r}; there is {names}"
            raise SpecFault(("agents", index, "chat_node"), what)


def _check_all_agents(named: tuple[AgentTable, ...], agents: tuple[AgentTable, ...]) -> None:
    """Require that names are unique, and that agents of one process have the same limits."""
    if len(agents) > AGENTS_MAX:
        text = f"it makes {len(agents)} agents; an arena has at most {AGENTS_MAX}"
        raise SpecFault(("competition", "repeats"), text)
    names: list[str] = []
    first: dict[str, AgentTable] = {}
    for index, agent in enumerate(agents):
        is_named = index < len(named)
        if agent.name in names:
            what = f"generated agent name {agent.name!r} is already used; rename one"
            raise SpecFault(("competition", "strategies"), what)
        names.append(agent.name)
        mate = first.setdefault(agent.process or f"agent {agent.name}", agent)
        if agent.limits != mate.limits:
            raise SpecFault(
                ("agents", names.index(agent.name if is_named else mate.name), "process"),
                f"{agent.name} shares {agent.process!r} with {mate.name}; give both the "
                "same cadence, max_rounds, decision_deadline_s, scrape and gates, or separate "
                "processes",
            )


def _check_risk(spec: ArenaSpec) -> None:
    places: list[tuple[Location, RiskValues]] = [
        (("agents", index, "risk"), agent.risk)
        for index, agent in enumerate(spec.agents)
        if agent.risk is not None
    ]
    if spec.competition is not None and spec.competition.risk is not None:
        places.append((("competition", "risk"), spec.competition.risk))
    check_agents_risk(spec.risk, places)


def parse_spec(text: str, *, path: str, describe: DescribeStrategy = describe_shipped) -> ArenaSpec:
    """Parse the text of an ARENA.toml, with the agents of its contest.

    Args:
        text: The file's content.
        path: Its name, for error messages.
        describe: Describes a strategy by name: built-in rules play the baselines.

    Raises:
        UsageError: The text is not TOML or not a valid arena: the first error, with its line.
    """
    tables = parse_toml(text, path, parse_float=Decimal)
    try:
        spec = ArenaSpec.model_validate(tables).expanded()
    except ValidationError as error:
        raise UsageError(error_text(error, ArenaSpec, text, path)) from None
    routed = route_baselines(spec.chat_nodes, spec.agents, describe, path=path)
    spec = spec.model_copy(update={"chat_nodes": routed.nodes, "agents": routed.agents})
    spec._rerouted = routed.rerouted
    return spec


def load_spec(path: Path) -> ArenaSpec:
    """Read an ARENA.toml.

    Raises:
        UsageError: The file does not exist, or is not a valid arena.
    """
    text = read_spec(path)
    return parse_spec(text, path=str(path), describe=describe_in(path.resolve().parent))


def read_spec(path: Path) -> str:
    """Read the text of an ARENA.toml.

    Raises:
        UsageError: The file does not exist, or is not text.
    """
    try:
        return read_text_file(path)
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise UsageError(f"{path}: {error_message(error)}", remedy="save it as UTF-8") from None
        raise UsageError(
            f"cannot read {path}: {error.strerror}", remedy="examples/ has arenas to start from"
        ) from None

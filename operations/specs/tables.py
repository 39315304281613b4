"""The tables of an ARENA.toml one by one: keys, bounds and defaults. Pure.

`operations.specs.arena_spec` checks rules about several tables; [market] and [[markets]] are in
`operations.specs.market`, the contest's table in `operations.specs.competition`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)

from arena import endpoint, ids
from arena.baselines import SCRIPTED
from arena.errors import UsageError
from arena.gate_settings import KEYS, GateFault, gates_of
from arena.messages import PromptSize
from arena.model_cutoffs import check_month
from arena.model_prices import PRICE_MAX, Price, own_price
from arena.money import parse_share
from arena.prefix import valid_prefix
from operations.specs.errors import SpecFault
from operations.specs.risk import Risk

LOCAL = "local"
"""The `model_id` of the small model in the chat node's own process, also with `:<model>`."""

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
AGENTS_MAX = 200
PLUGIN_FOLDERS_MAX = 20
SEED_MAX = 2**31 - 1
STRATEGY_PATTERN = r"^[^@=\s][^@=]*$"
PRODUCT_PATTERN = r"^(?:[a-z][a-z0-9]{0,19}:)?[A-Z0-9]{1,24}(?:-[A-Z0-9]{1,10})?$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"


def _name(value: str) -> str:
    try:
        return ids.check_name("this", value)
    except UsageError as error:
        raise ValueError(error.remedy) from None


Name = Annotated[str, AfterValidator(_name)]
"""A name that can be part of a topic name."""

ProductId = Annotated[str, Field(pattern=PRODUCT_PATTERN)]


def share_of_toml(value: object) -> Decimal:
    """Parse a share of a TOML value: a number, or a text such as "20%"."""
    return parse_share(Decimal(value) if isinstance(value, int) else value)


Share = Annotated[Decimal, BeforeValidator(share_of_toml)]
"""A share as `arena.money.parse_share` reads it, or TOML's 0 or 1."""


def _checked(kind: type, check: Callable[[Any], object]) -> Callable[[object], object]:
    """Return a check for values of one type; pydantic refuses the others."""
    return lambda value: check(value) if isinstance(value, kind) else value


class SpecTable(BaseModel):
    """A table of the file: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArenaTable(SpecTable):
    """The settings of the whole arena.

    Attributes:
        name: Name on the dashboard.
        prefix: Prefix of every topic; arenas with different prefixes can share a broker.
        products: Products that the agents may trade.
        interval_s: Seconds between two market snapshots, in market time.
    """

    name: Name = "arena"
    prefix: Annotated[str, AfterValidator(valid_prefix)] = ""
    products: tuple[ProductId, ...] = Field(
        default=("BTC-USD", "ETH-USD", "SOL-USD"), min_length=1, max_length=50
    )
    interval_s: float = Field(default=60.0, gt=0, le=86_400)


class RulesTable(SpecTable):
    """The money rules of the executor; omitted keys keep the executor's default.

    Attributes:
        fees: Name of a fee preset, or the taker fee in basis points.
        slippage_bps: Slippage against the taker at each fill.
        currency: Currency of the accounts and of the products' prices; USD by default.
        starting_cash: Opening cash of each account, in that currency.
        wallets: Further currencies of the accounts, and their opening cash.
        price_age_s: Maximum age of a price; an order at an older one is refused.
        collar_bps: Maximum move of the price since the agent saw it; else the order is refused.
    """

    fees: Annotated[str, Field(min_length=1, max_length=64)] | Decimal | None = None
    slippage_bps: Decimal | None = Field(default=None, ge=0, le=10_000)
    currency: str | None = None
    starting_cash: Decimal | None = Field(default=None, gt=0)
    wallets: dict[str, Annotated[Decimal, Field(gt=0)]] = Field(default_factory=dict)
    price_age_s: float | None = Field(default=None, gt=0)
    collar_bps: Decimal | None = Field(default=None, gt=0, le=10_000)


Options = Annotated[dict[str, JsonValue], BeforeValidator(_checked(dict, endpoint.options_of_toml))]
"""Further fields of a request; the text "null" removes a field."""

Month = Annotated[str, AfterValidator(check_month)]

Usd = Annotated[Decimal, Field(ge=0, le=PRICE_MAX)]


class PriceTable(SpecTable):
    """The price of a model, in USD per million tokens.

    Attributes:
        input: Price of prompt tokens. output: Price of answer tokens, with reasoning.
        cached: Price of prompt tokens from the provider's cache; `input` by default.
    """

    input: Usd
    output: Usd
    cached: Usd | None = None

    @property
    def price(self) -> Price:
        """The price for cost computations."""
        return own_price(self.input, self.output, self.cached)


class ChatNodeTable(SpecTable):
    """One model, served to the agents that name it; omitted keys keep the node's default.

    Attributes:
        model_id: The provider's name of the model; "scripted" for the built-in rules, "local" for
            the small model of `scripts/setup local-llm`.
        base_url: Address of an OpenAI-compatible server; OpenAI's by default.
        api_key_env: The environment variable that holds the key; never the key.
        max_workers: Maximum of concurrent calls.
        reasoning_effort: Passed to models that reason.
        timeout_s: Time limit of one attempt.
        max_retries: Attempts after the first.
        max_completion_tokens: Maximum tokens of one answer.
        daily_token_budget: Tokens per UTC day; calls beyond them are refused.
        options: Further fields of every request.
        extra_headers: Further headers of every request; "env:VARIABLE" takes a variable's value.
        price_per_million: Price of the model; by default from the arena's list.
        cutoff: Last month of the model's training data, such as "2025-08"; by default from the
            arena's list.
        prompt: Size of its agents' prompts: "compact" fits a context of 4,096 tokens, "tiny" one of
            2,048; "full" by default.
    """

    name: Name
    model_id: str = Field(min_length=1)
    base_url: str | None = None
    api_key_env: str = Field(default=DEFAULT_KEY_VARIABLE, pattern=VARIABLE_PATTERN)
    max_workers: int | None = Field(default=None, ge=1, le=1_000)
    reasoning_effort: str | None = None
    timeout_s: float | None = Field(default=None, ge=0.1, le=3_600)
    max_retries: int | None = Field(default=None, ge=0, le=20)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    daily_token_budget: int | None = Field(default=None, gt=0)
    options: Options = Field(default_factory=dict)
    extra_headers: dict[str, str] = Field(default_factory=dict)
    price_per_million: PriceTable | None = None
    cutoff: Month | None = None
    prompt: PromptSize | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        # Checked here so that no message repeats a value that may be a secret.
        try:
            if self.base_url is not None:
                endpoint.check_base_url(self.base_url)
        except ValueError as error:
            raise SpecFault(("base_url",), str(error)) from None
        try:
            endpoint.check_headers(self.extra_headers)
        except ValueError as error:
            raise SpecFault(("extra_headers",), str(error)) from None
        if self.local and self.base_url is not None:
            text = 'model_id = "local" runs in the chat node itself; remove base_url, or give '
            raise SpecFault(("base_url",), f"{text}the server's model another name")
        cap, budget = self.max_completion_tokens, self.daily_token_budget
        if cap and budget and budget < cap:
            text = f"{budget:,} tokens are too few: one answer may have {cap:,}"
            raise SpecFault(("daily_token_budget",), f"{text} (max_completion_tokens)")
        return self

    @property
    def variables(self) -> frozenset[str]:
        """The environment variables with its secrets."""
        return endpoint.header_variables(self.extra_headers) | {self.api_key_env}

    @property
    def scripted(self) -> bool:
        """True if the built-in rules answer, not an LLM."""
        return self.model_id.partition(":")[0] == SCRIPTED

    @property
    def local(self) -> bool:
        """True if the small model in the node's own process answers."""
        return self.model_id.partition(":")[0] == LOCAL

    @property
    def keyless(self) -> bool:
        """True if the node needs no key and no address, because it answers by itself."""
        return self.scripted or self.local


class GateKeys(SpecTable):
    """When agents are asked, as in `arena.gate_settings`; "off" turns a strategy's setting off.

    Attributes:
        every: Least venue time between two turns, such as "25s".
        on_move_pct: Percentage by which the mid of a product must move between two turns.
        quiet_max: Venue time after which the agent is asked without a move.
        calls_per_hour_max: Most model calls in the last hour of venue time.
        calls_per_day_max: Most model calls in the last day of venue time.
        decisions_max: Most decisions in all.
        wake_on: Causes to ask at the next snapshot: "fill", "exit", "halt", "resume", "feedback".
    """

    # object: `gates_of` checks the types, too, and says what to write.
    every: object = None
    on_move_pct: object = None
    quiet_max: object = None
    calls_per_hour_max: object = None
    calls_per_day_max: object = None
    decisions_max: object = None
    wake_on: object = None

    @property
    def gate_settings(self) -> dict[str, Any]:  # Any: as for `AgentTable(**settings)`.
        """The settings of gates that are given, by key."""
        return {key: value for key in KEYS if (value := getattr(self, key)) is not None}

    @model_validator(mode="after")
    def _check_gates(self) -> Self:
        try:
            # The strategy may have the move that a `quiet_max` needs.
            gates_of({"on_move_pct": 1}, self.gate_settings)
        except GateFault as fault:
            raise SpecFault((fault.key,), fault.text) from None
        return self


class AgentTable(GateKeys):
    """One agent: a strategy with a chat node, and when it is asked.

    Attributes:
        strategy: A shipped strategy's name, or a .py or .toml file relative to the ARENA.toml.
        process: Agents with the same name share one process; each has its own by default.
        cadence: Take every n-th snapshot; the strategy's own cadence by default.
        max_rounds: Maximum tool rounds of a turn.
        decision_deadline_s: Time limit of a whole turn.
        seed: Seed from which, with the snapshot, each call's seed follows; none by default.
        scrape: Share of every realised profit that is set aside: 0.2 or "20%"; none by default.
        prompt: Size of its prompts; its chat node's `prompt` by default.
        risk: Its limits of risk, added to those of [risk]; a preset's name or a table.
    """

    name: Name
    strategy: Annotated[str, Field(pattern=STRATEGY_PATTERN)]
    chat_node: Name
    process: Name | None = None
    cadence: int | None = Field(default=None, ge=1, le=10_000)
    max_rounds: int | None = Field(default=None, ge=1, le=100)
    decision_deadline_s: float | None = Field(default=None, ge=0.1, le=3_600)
    seed: int | None = Field(default=None, ge=0, le=SEED_MAX)
    scrape: Share | None = None
    prompt: PromptSize | None = None
    risk: Risk | None = None

    @property
    def limits(self) -> tuple[object, ...]:
        """The limits that agents of one process must have in common."""
        own = (self.cadence, self.max_rounds, self.decision_deadline_s, self.scrape)
        return (*own, self.gate_settings)


class PluginsTable(SpecTable):
    """Tools and strategies outside the source tree; their code runs only with --allow-plugins.

    Attributes:
        folders: Paths relative to the ARENA.toml.
    """

    folders: tuple[Annotated[str, Field(min_length=1, max_length=4_096)], ...] = Field(
        default=(), max_length=PLUGIN_FOLDERS_MAX
    )


class LedgerTable(SpecTable):
    """The books; `enabled = true` keeps them while the arena runs."""

    enabled: bool = False


class DashboardTable(SpecTable):
    """The terminal dashboard; `show = false` does not start it."""

    show: bool = True

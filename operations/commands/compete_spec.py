"""The specification that `arena compete new` writes, and the changes by the flags of a run. Pure.

`examples/competition.toml` is the same text. Comments explain each key, because the file is read
more often than the documentation.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from arena.currency import AS_FLAG, IN_SPEC, account_currency
from arena.errors import UsageError
from arena.money import decimal_text
from arena.pricefiles.names import product_of
from arena.risk_settings import RiskValues, merged_values, risk_values
from arena.toml_files import parse_toml
from operations.specs.toml_text import to_toml

SNAPSHOTS = 864
"""Three days of market, about two minutes on two cores."""

EITHER_WAY = f"{AS_FLAG}, or {IN_SPEC}"
"""How to set the currency of a contest on other prices."""

TEXT = """\
# A contest: every strategy with every model, on the same prices, judged at its end.
#
#   arena compete run {path}
#
# It needs no key: simulated prices, scripted rules instead of LLMs. The rules are deterministic, so
# repeats of a cell end with the same equity here; with an LLM they would not.

[arena]
name = "{name}"
products = ["BTC-USD", "ETH-USD", "SOL-USD"]
interval_s = 300            # market time from one decision to the next

[market]
source = "replay"           # the same prices in every run; "exchange" (simulated) and "coinbase"
seed = 7                    # (live) need pacing = "real-time"
# prices = ["BTC-USD.csv"]  # recorded 1-minute candles instead of the seed, a file per product
# start = 2026-01-01T00:00:00Z
# context = ["news.jsonl"]   # dated news, sentiment and token facts, see docs/context.md

[features]
preset = "standard"         # indicators in every snapshot; "none", or that of a style: "scalper"
# indicators = ["rsi_7@1m", "ema_200@15m"]  # further ones; `arena connector replay --help`
# history_minutes = 300     # candles before the first decision; at least what indicators need

[rules]
fees = "coinbase-advanced-1"
slippage_bps = 2
starting_cash = 100000
# currency = "USDT"         # currency of accounts and of all products; USD by default
# price_age_s = 30          # an older price is refused
# collar_bps = 200          # so is one that moved farther than this since the agent saw it

# [risk]                    # limits of every account, see docs/risk.md; without it there are none
# preset = "standard"       # "cautious" or "aggressive"; limits by name change it:
# max_symbol_exposure_pct = 25      # largest position in one product, in percent of equity

[[chat_nodes]]
name = "rules"
model_id = "scripted"       # built-in rules that read the same prompt an LLM would

# [[chat_nodes]]
# name = "nano"
# model_id = "gpt-5-nano"   # the key comes from OPENAI_API_KEY, never from this file
# base_url = "http://localhost:8080/v1"     # a server other than OpenAI's
# api_key_env = "MY_KEY"    # the variable that holds its key, if it needs one
# price_per_million = {{ input = 0.05, output = 0.40 }}
# cutoff = "2024-05"         # last month of its training data
# prompt = "compact"        # for a context of 4,096 tokens, "tiny" for one of 2,048; or per agent

[competition]
snapshots = {snapshots}             # decisions per agent; or duration = "3d" of market time
pacing = "lock-step"        # the market waits for every agent: exact, whatever the speed
strategies = ["momentum", "brainrot", "scalper"]    # each with each model:
models = ["rules"]
repeats = 2                 # agents per cell, each with its own seed
baselines = ["buy_and_hold", "random", "cash"]      # scripted, for comparison
decision_deadline_s = 60    # for a whole turn; a later answer does not count
replies = "live"            # "record" keeps the models' replies, "replay" uses them again for free
# replies_file = "replies.jsonl"
# every = "25s"             # when agents are asked, in market time; baselines on every snapshot:
# on_move_pct = 0.5         # at least so far apart, and only after a move of so many percent,
# quiet_max = "30m"         # or after so long; examples/gates.toml has all gates
# calls_per_hour_max = 60   # model calls of an agent; calls_per_day_max
# decisions_max = 500       # decisions of an agent in all
prompts = "frozen"          # "coached": texts may be changed and feedback sent while it runs
confidence = 0.90           # of the printed intervals
seed = 1                    # of the resampling for the intervals
# llm_budget_usd = 5.00     # the contest ends, with a report, when the models have cost this much
"""


def competition_toml(
    *, path: str = "competition.toml", name: str = "competition", snapshots: int = SNAPSHOTS
) -> str:
    """Return a commented contest that runs as it is.

    Args:
        path: The file's name for the comment at its top.
        name: The name of the arena.
        snapshots: The length of the contest.
    """
    return TEXT.format(path=path, name=name, snapshots=snapshots)


def toml_with_flags(
    text: str,
    *,
    prices: Sequence[Path] = (),
    snapshots: int | None = None,
    currency: str | None = None,
    prompts: str | None = None,
) -> str:
    """Return a specification with the changes of the flags; without flags, the text itself.

    Args:
        text: Valid TOML.
        prices: Candle files; the products in their names replace those of the text.
        snapshots: The number of decisions per agent.
        currency: The currency of the accounts.
        prompts: "frozen" or "coached".

    Raises:
        UsageError: A file's name has no product, a product has two files, or the accounts' currency
            is not that of the products' prices.
    """
    if not prices and (snapshots, currency, prompts) == (None, None, None):
        return text
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    if prices:
        products = [product_of(path) for path in prices]
        if len(set(products)) < len(products):
            twice = next(product for product in products if products.count(product) > 1)
            names = ", ".join(
                p.name for p, one in zip(prices, products, strict=True) if one == twice
            )
            raise UsageError(
                f"--prices has several files of {twice}: {names}", remedy="give one per product"
            )
        account_currency(products, currency or _currency_in(tables), EITHER_WAY)
        tables["arena"] = {**tables.get("arena", {}), "products": products}
        kept = {k: v for k, v in tables.get("market", {}).items() if k == "context"}
        market = {"source": "replay", "prices": [str(path) for path in prices]}
        tables["market"] = market | kept
    if currency is not None:
        tables["rules"] = {**tables.get("rules", {}), "currency": currency}
    if snapshots is not None:
        contest = {**tables.get("competition", {}), "snapshots": snapshots}
        contest.pop("duration", None)
        tables["competition"] = contest
    if prompts is not None:
        tables["competition"] = {**tables.get("competition", {}), "prompts": prompts}
    return to_toml(tables)


def with_starting_cash(text: str, cash: Decimal | None) -> str:
    """Return a specification with a starting cash; one that it has already is kept.

    A resumed contest opens accounts with it, whatever the environment says by then.

    Args:
        text: Valid TOML.
        cash: An amount in the accounts' currency; None leaves the text unchanged.
    """
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    rules = tables.get("rules", {})
    if cash is None or "starting_cash" in rules:
        return text
    return to_toml({**tables, "rules": {**rules, "starting_cash": Decimal(decimal_text(cash))}})


def with_history_minutes(text: str, minutes: int | None) -> str:
    """Return a specification with the minutes of history; its own are kept.

    A resumed contest begins at the same time, whatever the environment says by then.

    Args:
        text: Valid TOML.
        minutes: Least minutes of candles before the first snapshot; None leaves the text unchanged.
    """
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    features = tables.get("features", {})
    if minutes is None or "history_minutes" in features:
        return text
    return to_toml({**tables, "features": {**features, "history_minutes": minutes}})


def with_risk(text: str, values: RiskValues, default: RiskValues | None = None) -> str:
    """Return a specification with further limits of risk, added to its own or to a preset.

    Args:
        text: Valid TOML.
        values: Limits by name; {} leaves the text unchanged.
        default: Limits for a file without any, so that a resumed contest has the same.
    """
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    own = risk_values(tables.get("risk", {}))
    found = merged_values(own, values) or default or {}
    return text if found == own else to_toml({**tables, "risk": found})


# Any: any TOML value.
def _currency_in(tables: Mapping[str, Any]) -> str | None:
    rules = tables.get("rules")
    currency = rules.get("currency") if isinstance(rules, Mapping) else None
    return currency if isinstance(currency, str) else None

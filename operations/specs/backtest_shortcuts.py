"""The flags of `arena backtest` that stand for keys of a specification, and its built-in one.

Pure. `--pair BTC-USD --start 2026-01-01 --end 2026-02-01` is a contest on cached candles; with a
specification the same flags set its keys.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from arena.errors import UsageError
from operations.specs.set_values import Values

BPS: Final = 10_000
FEE_RATE_MAX: Final = Decimal("0.1")
"""The largest fee of an executor, 1,000 basis points."""
FEE_RATE_DECIMALS: Final = 8
"""Four decimals of a basis point."""
BUILT_IN: Final = """\
# Written by `arena backtest` from its flags: hourly decisions on cached candles.

[arena]
name = "backtest"
interval_s = 3600

[market]
source = "replay"
prices = "cache:coinbase"
granularity = "1h"

[[chat_nodes]]
name = "rules"
model_id = "scripted"

[competition]
strategies = ["momentum", "brainrot", "scalper"]
models = ["rules"]
baselines = ["buy_and_hold", "random", "cash"]
"""
"""The specification without a file; the flags add products and times."""


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """The flags.

    Attributes:
        pairs: Products, each perhaps several with commas between them.
        start: Time of the first price, as text.
        end: Time of the last price, as text.
        initial_cash: Opening cash of each account.
        fee_rate: Taker fee as a share: 0.001 is 10 basis points.
        llm_calls_per_day: Most model calls of an agent per day of market time.
        max_decisions: Most decisions of an agent in all.
    """

    pairs: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    initial_cash: Decimal | None = None
    fee_rate: Decimal | None = None
    llm_calls_per_day: int | None = None
    max_decisions: int | None = None


def shortcut_values(flags: Shortcuts) -> Values:
    """The keys and values that the flags mean.

    Raises:
        UsageError: A flag has a value that no key takes.
    """
    pairs = [pair.strip().upper() for text in flags.pairs for pair in text.split(",")]
    if not all(pairs):
        raise UsageError("--pair has an empty name", remedy="such as --pair BTC-USD,ETH-USD")
    fees = None
    if flags.fee_rate is not None:
        rate = flags.fee_rate
        if not 0 <= rate <= FEE_RATE_MAX or rate != round(rate, FEE_RATE_DECIMALS):
            raise UsageError(
                f"--fee-rate {rate} is not a share from 0 to {FEE_RATE_MAX} with at most "
                f"{FEE_RATE_DECIMALS} decimals",
                remedy="0.001 is a fee of 0.1 %",
            )
        fees = rate * BPS
    named: dict[str, Any] = {
        "arena.products": pairs or None,
        "market.start": flags.start,
        "market.end": flags.end,
        "rules.starting_cash": flags.initial_cash,
        "rules.fees": fees,
        "competition.calls_per_day_max": flags.llm_calls_per_day,
        "competition.decisions_max": flags.max_decisions,
    }
    return {key: value for key, value in named.items() if value is not None}

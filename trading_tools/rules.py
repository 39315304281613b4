"""The trading rules of an arena: what a trade costs and which orders are refused.

Reads `fees.json` next to this file: fee schedules by name, each with its date and source. The owner
of a shard states its rules in its epoch and on the roster, so that every reader knows what was
charged.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Self

from arena.currency import CURRENCY_PATTERN, DEFAULT_CURRENCY, cash_step
from arena.errors import UsageError
from arena.messages import Pacing, Rules
from arena.money import parse_decimal, to_units, units_text

DEFAULT_FEES = "coinbase-advanced-1"
BPS_DECIMALS_MAX = 4
BPS_MAX = Decimal(1000)
"""Fees, slippage and collar above 10 % are taken for a typing error."""
CUSTOM_SCHEDULE = "custom"
PLANNED_MAX = 1_000_000
"""Most snapshots of a contest."""


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """What a venue charges a taker.

    Attributes:
        taker_bps: Charged on every fill.
        maker_bps: For information; no order in the arena rests in a book.
        as_of: ISO date on which the schedule was read or took effect.
        source: Where it was read.
    """

    name: str
    taker_bps: Decimal
    maker_bps: Decimal
    as_of: str
    source: str


@dataclass(frozen=True, slots=True)
class TradingRules:
    """The rules that every order is decided by.

    Attributes:
        starting_cash: Units of 10^-8 of the currency, a multiple of its steps.
        fee_schedule: Name of the fee schedule.
        fee_bps: The fee that is charged.
        slippage_bps: Moves the fill price against the taker.
        price_age_s_max: A price that was confirmed longer ago is refused.
        collar_bps: The most that the price may differ from the one that the agent saw.
        pacing: In lock-step the market's own clock measures the age of prices.
        planned_snapshots: Planned length of the season, for the judge; None if it has no planned
            end. Orders do not depend on it.
        currency: The currency of main accounts.
        wallets: Further currency -> starting cash in it. Products quoted in none of the currencies
            are refused.
    """

    starting_cash: int = to_units(Decimal(100_000))
    fee_schedule: str = DEFAULT_FEES
    fee_bps: Decimal = Decimal(60)
    slippage_bps: Decimal = Decimal(2)
    price_age_s_max: float = 30.0
    collar_bps: Decimal = Decimal(200)
    pacing: Pacing = "real-time"
    planned_snapshots: int | None = None
    currency: str = DEFAULT_CURRENCY
    wallets: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values that make no sense.

        Raises:
            UsageError: A value cannot be used.
        """
        for name in ("fee_bps", "slippage_bps", "collar_bps"):
            _check_bps(name, getattr(self, name))
        for currency, cash in self.starting_amounts:
            _check_starting_cash(currency, cash)
        if self.currency in self.wallets:
            raise UsageError(
                f"{self.currency} is the currency of the main account and of a wallet",
                remedy="give its cash once",
            )
        if not 0 < self.price_age_s_max < float("inf"):
            raise UsageError(
                f"price age of {self.price_age_s_max} s", remedy="give seconds above 0"
            )
        planned = self.planned_snapshots
        if planned is not None and not 1 <= planned <= PLANNED_MAX:
            raise UsageError(
                f"{planned} planned snapshots",
                remedy=f"give 1 to {PLANNED_MAX:,}, or leave it out if there is no planned end",
            )

    @classmethod
    def from_flags(
        cls,
        *,
        fees: str = DEFAULT_FEES,
        slippage_bps: str = "2",
        starting_cash: str = "100000",
        price_age_s: float = 30.0,
        collar_bps: str = "200",
        pacing: Pacing = "real-time",
        planned_snapshots: int | None = None,
        currency: str = DEFAULT_CURRENCY,
        wallets: Iterable[str] = (),
    ) -> Self:
        """Make the rules from the flags of `arena tools`.

        Args:
            fees: A schedule's name, or basis points.
            slippage_bps: Basis points as text.
            starting_cash: An amount of the currency as text.
            price_age_s: Seconds.
            collar_bps: Basis points as text.
            pacing: The pacing of the routers.
            planned_snapshots: Planned length of the season; None if it has no planned end.
            currency: The currency of main accounts.
            wallets: Further currencies and their starting cash, such as "USDT=50000".

        Raises:
            UsageError: A value cannot be used.
        """
        name, fee_bps = _fees(fees)
        try:
            cash = to_units(_decimal("--starting-cash", starting_cash))
        except ValueError as error:
            raise UsageError(
                f"--starting-cash: {error}", remedy=f"give an amount in {currency}"
            ) from None
        return cls(
            starting_cash=cash,
            fee_schedule=name,
            fee_bps=fee_bps,
            slippage_bps=_decimal("--slippage-bps", slippage_bps),
            price_age_s_max=price_age_s,
            collar_bps=_decimal("--collar-bps", collar_bps),
            pacing=pacing,
            planned_snapshots=planned_snapshots,
            currency=currency,
            wallets=_wallets(wallets),
        )

    @classmethod
    def of(cls, rules: Rules) -> Self:
        """The rules that an executor stated."""
        return cls(
            starting_cash=to_units(rules.starting_cash_usd),
            fee_schedule=rules.fee_schedule,
            fee_bps=rules.fee_bps,
            slippage_bps=rules.slippage_bps,
            price_age_s_max=rules.price_age_s_max,
            collar_bps=rules.collar_bps,
            pacing=rules.pacing,
            planned_snapshots=rules.planned_snapshots,
            currency=rules.currency,
            wallets={unit: to_units(cash) for unit, cash in rules.wallets.items()},
        )

    @property
    def starting_amounts(self) -> tuple[tuple[str, int], ...]:
        """Each currency with its starting cash in units of 10^-8, the main one first."""
        return ((self.currency, self.starting_cash), *sorted(self.wallets.items()))

    @property
    def currencies(self) -> frozenset[str]:
        """The currencies that accounts hold, in which products may be quoted."""
        return frozenset({self.currency, *self.wallets})

    def in_currency(self, currency: str) -> "TradingRules":
        """The same rules with a wallet's currency as the main one; unchanged if none has it."""
        if currency not in self.wallets:
            return self
        others = dict(self.starting_amounts)
        cash = others.pop(currency)
        return replace(self, currency=currency, starting_cash=cash, wallets=others)

    def with_wallets(self, held: Collection[str]) -> "TradingRules":
        """The same rules for an agent that has wallets in these currencies only."""
        if self.wallets.keys() <= set(held):
            return self
        wallets = {unit: cash for unit, cash in self.wallets.items() if unit in held}
        return replace(self, wallets=wallets)

    @property
    def cash_step(self) -> int:
        """The step in which cash moves, in units of 10^-8."""
        return cash_step(self.currency)

    @property
    def lock_step(self) -> bool:
        """True if the market waits for the agents."""
        return self.pacing == "lock-step"

    def message(self, at: datetime) -> Rules:
        """The rules as they are published on the roster."""
        return Rules(
            starting_cash_usd=Decimal(units_text(self.starting_cash)),
            fee_schedule=self.fee_schedule,
            fee_bps=self.fee_bps,
            slippage_bps=self.slippage_bps,
            price_age_s_max=self.price_age_s_max,
            collar_bps=self.collar_bps,
            pacing=self.pacing,
            planned_snapshots=self.planned_snapshots,
            currency=self.currency,
            wallets={unit: Decimal(units_text(cash)) for unit, cash in self.wallets.items()},
            at=at,
        )


def _check_starting_cash(currency: str, cash: int) -> None:
    if not re.fullmatch(CURRENCY_PATTERN, currency):
        raise UsageError(
            f"currency was {currency!r}", remedy="write a code in capitals, such as USDT"
        )
    step = cash_step(currency)
    if cash <= 0 or cash % step:
        raise UsageError(
            f"starting cash of {units_text(cash)} {currency}",
            remedy=f"give a positive amount in whole steps of {units_text(step)}",
        )


def _wallets(texts: Iterable[str]) -> Mapping[str, int]:
    """Currencies and cash in flags such as "USDT=50000".

    Raises:
        UsageError: A flag cannot be read, or names a currency again.
    """
    found: dict[str, int] = {}
    for text in texts:
        currency, separator, amount = text.partition("=")
        if not separator or currency in found:
            raise UsageError(f"--wallet {text}", remedy="write each currency once: USDT=50000")
        try:
            found[currency] = to_units(_decimal("--wallet", amount))
        except ValueError as error:
            raise UsageError(f"--wallet {text}: {error}", remedy="write USDT=50000") from None
    return found


@cache
def schedules() -> dict[str, FeeSchedule]:
    """Every fee schedule of `fees.json` by name."""
    text = (files("trading_tools") / "fees.json").read_text(encoding="utf-8")
    return {
        name: FeeSchedule(
            name=name,
            taker_bps=Decimal(entry["taker_bps"]),
            maker_bps=Decimal(entry["maker_bps"]),
            as_of=entry["as_of"],
            source=entry["source"],
        )
        for name, entry in json.loads(text)["schedules"].items()
    }


def _fees(text: str) -> tuple[str, Decimal]:
    known = schedules()
    if text in known:
        return text, known[text].taker_bps
    try:
        return CUSTOM_SCHEDULE, parse_decimal(text)
    except ValueError:
        names = ", ".join(known)
        raise UsageError(
            f"--fees {text!r} is not a fee schedule",
            remedy=f"give one of {names}, or basis points",
        ) from None


def _decimal(flag: str, text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}", remedy="give a decimal number") from None


def _check_bps(name: str, bps: Decimal) -> None:
    if not 0 <= bps <= BPS_MAX or bps != round(bps, BPS_DECIMALS_MAX):
        raise UsageError(
            f"{name} of {bps}",
            remedy=f"give basis points from 0 to {BPS_MAX}, at most {BPS_DECIMALS_MAX} decimals",
        )

"""The rules that a season's orders were decided by, and whether they changed. Pure.

The executor that owns a shard states its rules in its epoch. They change if it is restarted with
another fee, or if a standby with other rules takes over.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from arena.currency import DEFAULT_CURRENCY, cash_words
from arena.messages import Pacing, Rules
from arena.money import decimal_text
from judge.formatting import joined_names

RULES_MAX = 16
"""Most sets of rules that are kept per shard; two are enough to report a change."""
SETS_SHOWN = 3


class RulesUsed(NamedTuple):
    """Rules and when they were stated.

    Attributes:
        since: Wall time of the epoch that stated them.
        snapshot_id: Snapshot of the first order under them; "" before the first order.
        wallets: Further currencies, each with its starting cash, by name.
    """

    starting_cash_usd: Decimal
    fee_schedule: str
    fee_bps: Decimal
    slippage_bps: Decimal
    price_age_s_max: float
    collar_bps: Decimal
    pacing: Pacing
    since: datetime
    snapshot_id: str = ""
    currency: str = DEFAULT_CURRENCY
    wallets: tuple[tuple[str, Decimal], ...] = ()


COMPARED = (*RulesUsed._fields[: RulesUsed._fields.index("since")], "currency", "wallets")
"""Fields in which two sets of rules can differ."""


def rules_used(rules: Rules) -> RulesUsed:
    """Return the rules of an epoch, before the first order under them."""
    return RulesUsed(
        starting_cash_usd=rules.starting_cash_usd,
        fee_schedule=rules.fee_schedule,
        fee_bps=rules.fee_bps,
        slippage_bps=rules.slippage_bps,
        price_age_s_max=rules.price_age_s_max,
        collar_bps=rules.collar_bps,
        pacing=rules.pacing,
        since=rules.at,
        currency=rules.currency,
        wallets=tuple(sorted(rules.wallets.items())),
    )


# Any: the older form is a shorter tuple, which a decoder of `RulesUsed` reads too.
def stored_rules(rules: RulesUsed) -> Any:
    """Return rules as a checkpoint holds them: without wallets in their older form."""
    return rules if rules.wallets else rules[:-1]


def note_used(known: list[RulesUsed], stated: RulesUsed, snapshot_id: str) -> None:
    """Add the rules of an order, unless they are known."""
    if len(known) < RULES_MAX and all(_key(one) != _key(stated) for one in known):
        known.append(stated._replace(snapshot_id=snapshot_id))


def rule_sets(
    shards: Iterable[Iterable[RulesUsed]], index: Mapping[str, int], last: int, *, unread: int = 0
) -> tuple[RulesUsed, ...]:
    """Return the different sets of rules of all shards, oldest first.

    Args:
        shards: Rules that were used in each shard.
        index: Snapshot id -> index in the season.
        last: Index of the season's last snapshot; later rules are left out.
        unread: Index to assume for a snapshot not in `index`; not for a shard's first rules.
    """
    found: dict[tuple[object, ...], RulesUsed] = {}
    for own in shards:
        for n, one in enumerate(own):
            if n and index.get(one.snapshot_id, unread if one.snapshot_id else 0) > last:
                continue
            known = found.get(_key(one))
            if known is None or one.since < known.since:
                found[_key(one)] = one
    return tuple(sorted(found.values(), key=lambda one: (one.since, one)))


def changed_rules_text(sets: tuple[RulesUsed, ...]) -> str:
    """Return what changed and when, without a full stop; "" if the rules never changed."""
    if len(sets) < 2:
        return ""
    changed = [name for name in COMPARED if len({getattr(one, name) for one in sets}) > 1]
    shown = [
        f"{', '.join(_text(one, name) for name in changed)} from {one.since:%Y-%m-%d %H:%M:%S} UTC"
        for one in sets[:SETS_SHOWN]
    ]
    more = f"; and {len(sets) - SETS_SHOWN} more" if len(sets) > SETS_SHOWN else ""
    return (
        f"the rules changed midway: {'; '.join(shown)}{more}; returns under one set of rules are"
        " not comparable with returns under another"
    )


def _key(rules: RulesUsed) -> tuple[object, ...]:
    return tuple(getattr(rules, name) for name in COMPARED)


def _text(rules: RulesUsed, name: str) -> str:
    match name:
        case "starting_cash_usd":
            return f"starting cash {cash_words(rules.starting_cash_usd, rules.currency)}"
        case "wallets":
            held = [cash_words(cash, currency) for currency, cash in rules.wallets]
            return f"wallets with {joined_names(held)}" if held else "no wallets"
        case "currency":
            return f"accounts in {rules.currency}"
        case "fee_schedule":
            return f"schedule {rules.fee_schedule}"
        case "fee_bps":
            return f"taker fee {decimal_text(rules.fee_bps)} bps"
        case "slippage_bps":
            return f"slippage {decimal_text(rules.slippage_bps)} bps"
        case "price_age_s_max":
            return f"prices up to {rules.price_age_s_max:g} s old"
        case "collar_bps":
            return f"collar {decimal_text(rules.collar_bps)} bps"
    return str(rules.pacing)

"""Values of variables that an ARENA.toml leaves out: cash, tokens, minutes of history. Pure."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from arena.environment import HISTORY, INITIAL_CASH, POSITION_SHARE, TOKEN_BUDGET
from arena.errors import UsageError
from arena.indicators import MINUTES_MAX
from arena.risk_limit_values import share_note
from arena.risk_limits import RiskLimits
from arena.risk_settings import RiskValues
from operations.specs.arena_spec import ArenaSpec
from operations.specs.tables import ChatNodeTable

CASH_MAX = Decimal(10) ** 12
TOKENS_MAX = 10**15


def with_environment_defaults(spec: ArenaSpec, environ: Mapping[str, str]) -> ArenaSpec:
    """Return a specification with the values of variables for the keys that it leaves out.

    Args:
        spec: The specification of the file.
        environ: The environment of this process.

    Raises:
        UsageError: A variable has an invalid value.
    """
    changes: dict[str, object] = {}
    if (cash := initial_cash(environ)) is not None and spec.rules.starting_cash is None:
        changes["rules"] = spec.rules.model_copy(update={"starting_cash": cash})
    if (minutes := history_minutes(environ)) is not None and _lacks_history(spec):
        changes["features"] = spec.features.model_copy(update={"history_minutes": minutes})
    if (tokens := token_budget(environ)) is not None:
        nodes = tuple(_budgeted(node, tokens) for node in spec.chat_nodes)
        changes["chat_nodes"] = nodes
    if (risk := position_risk(environ)) and not spec.risk:
        changes["risk"] = risk
    return spec.model_copy(update=changes) if changes else spec


def environment_notes(spec: ArenaSpec, environ: Mapping[str, str]) -> list[str]:
    """Describe the changes by variables, one sentence each.

    Raises:
        UsageError: A variable has an invalid value.
    """
    found = []
    if (cash := initial_cash(environ)) is not None and spec.rules.starting_cash is None:
        found.append(f"{INITIAL_CASH}: accounts start with {cash:,f}")
    if (minutes := history_minutes(environ)) is not None and _lacks_history(spec):
        found.append(f"{HISTORY}: {minutes} minutes of candles, or more if indicators need them")
    if (risk := position_risk(environ)) and not spec.risk:
        found.append(share_note(risk))
    nodes = [node.name for node in spec.chat_nodes if _is_open(node)]
    if (tokens := token_budget(environ)) is not None and nodes:
        found.append(f"{TOKEN_BUDGET}: {tokens:,} tokens per day for {', '.join(nodes)}")
    return found


def initial_cash(environ: Mapping[str, str]) -> Decimal | None:
    """Return the cash of INITIAL_CASH, or None if it is not set.

    Raises:
        UsageError: The value is not an amount.
    """
    text = environ.get(INITIAL_CASH, "").strip()
    if not text:
        return None
    try:
        cash = Decimal(text)
    except InvalidOperation:
        cash = Decimal(-1)
    if not (cash.is_finite() and 0 < cash <= CASH_MAX):
        raise UsageError(
            f"{INITIAL_CASH} is {text[:40]!r}", remedy="set an amount above 0, such as 10000"
        )
    return cash


def history_minutes(environ: Mapping[str, str]) -> int | None:
    """Return the minutes of HISTORICAL_MINUTES, or None if it is not set.

    Raises:
        UsageError: The value is not a number of minutes, or too large.
    """
    text = environ.get(HISTORY, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= MINUTES_MAX):
        raise UsageError(
            f"{HISTORY} is {text[:40]!r}",
            remedy=f"set whole minutes from 1 to {MINUTES_MAX} (3 days), such as 60",
        )
    return int(text)


def position_risk(environ: Mapping[str, str]) -> RiskValues:
    """Return the limits of MAX_POSITION_SIZE_PCT; {} if it is not set.

    Raises:
        UsageError: The value is not a share.
    """
    text = environ.get(POSITION_SHARE, "").strip()
    if not text:
        return {}
    values: RiskValues = {POSITION_SHARE: text}
    RiskLimits.from_json(values, "")
    return values


def token_budget(environ: Mapping[str, str]) -> int | None:
    """Return the tokens of DAILY_TOKEN_BUDGET; None if it is not set or 0 (no limit).

    Raises:
        UsageError: The value is not a number of tokens.
    """
    text = environ.get(TOKEN_BUDGET, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= TOKENS_MAX):
        raise UsageError(
            f"{TOKEN_BUDGET} is {text[:40]!r}", remedy="set whole tokens per day, such as 100000"
        )
    return int(text) or None


def _lacks_history(spec: ArenaSpec) -> bool:
    return spec.features.history_minutes is None


def _is_open(node: ChatNodeTable) -> bool:
    return not node.keyless and node.daily_token_budget is None


def _budgeted(node: ChatNodeTable, tokens: int) -> ChatNodeTable:
    if not _is_open(node):
        return node
    if node.max_completion_tokens and tokens < node.max_completion_tokens:
        raise UsageError(
            f"{TOKEN_BUDGET} is {tokens:,}, but one answer of chat node {node.name} may have "
            f"{node.max_completion_tokens:,} tokens",
            remedy="raise the budget or lower max_completion_tokens",
        )
    return node.model_copy(update={"daily_token_budget": tokens})

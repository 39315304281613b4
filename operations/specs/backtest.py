"""A lock-step contest on recorded or seeded prices, from any specification. Pure.

A contest in lock-step is kept as it is. A contest in real time, or an arena without a contest, gets
the pacing and the market that a replay needs; its agents, rules, limits and gates are kept.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from arena.errors import UsageError
from arena.toml_files import parse_toml
from operations.specs.toml_text import to_toml

Tables = dict[str, Any]  # Any: any TOML value

REPLAYED: Final = ("seed", "prices", "start", "end", "context", "granularity", "fills")
"""Keys of [market] that a replay has, too."""


def backtest_toml(text: str, *, snapshots: int | None = None, files: bool = False) -> str:
    """The specification as a lock-step contest; one that is such a contest is returned unchanged.

    Args:
        text: Valid TOML.
        snapshots: Decisions per agent, for an arena without a contest.
        files: True if price files replace the market.

    Raises:
        UsageError: The market is live, or an arena without a contest has no length.
    """
    tables = parse_toml(text, "the specification", parse_float=Decimal)
    contest, market = tables.get("competition"), tables.get("market", {})
    if contest is not None and market.get("source") == "replay":
        return text
    changed = dict(tables)
    changed["market"] = _replayed(market, files=files)
    if contest is None:
        changed["competition"] = _contest_of(tables, snapshots)
    else:
        changed["competition"] = {**contest, "pacing": "lock-step"}
    return to_toml(changed)


def _replayed(market: Mapping[str, Any], *, files: bool) -> Tables:
    if not files and market.get("source", "exchange") not in ("exchange", "replay"):
        raise UsageError(
            "a live market has no past to test on",
            remedy="give candle files of its products: --prices FOLDER",
        )
    return {"source": "replay", **{key: market[key] for key in REPLAYED if key in market}}


def _contest_of(tables: Mapping[str, Any], snapshots: int | None) -> Tables:
    if snapshots is None:
        raise UsageError(
            "the specification has no [competition], and so no length",
            remedy="add --snapshots 1000",
        )
    is_judged = "judge" in tables or "coach" in tables
    coached: Tables = {"prompts": "coached"} if "coach" in tables else {}
    return {"snapshots": snapshots, "baselines": [], "judge": is_judged, **coached}

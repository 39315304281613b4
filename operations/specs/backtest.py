"""A lock-step contest on recorded or seeded prices, from any specification. Pure.

A contest in lock-step is kept as it is. A contest in real time, or an arena without a contest, gets
the pacing and the market that a replay needs; its agents, rules, limits and gates are kept.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from arena.bounded_json import first_error
from arena.errors import UsageError
from arena.toml_files import parse_toml
from operations.specs.market import SYNTHETIC_START, Moment
from operations.specs.tables import ArenaTable
from operations.specs.toml_text import to_toml

Tables = dict[str, Any]  # Any: any TOML value

INTERVAL_S: Final = ArenaTable.model_fields["interval_s"].default
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
    is_seeded = not files and not market.get("prices") and "end" in market
    if contest is not None and market.get("source") == "replay" and not is_seeded:
        return text
    changed = dict(tables)
    if is_seeded:
        snapshots = _snapshots_until(market, tables.get("arena", {}))
        market = {key: value for key, value in market.items() if key != "end"}
        length = {"snapshots": snapshots}
        kept = {k: v for k, v in (contest or {}).items() if k not in ("snapshots", "duration")}
        contest = None if contest is None else {**kept, **length}
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


def _snapshots_until(market: Mapping[str, Any], arena: Mapping[str, Any]) -> int:
    """Snapshots of seeded prices, which never end, from their start to an end.

    Raises:
        UsageError: A time cannot be read, or the end is not after the start.
    """
    ends = {"start": market.get("start", SYNTHETIC_START), "end": market["end"]}
    try:
        start, end = (TypeAdapter(Moment).validate_python(value) for value in ends.values())
    except ValidationError as error:
        raise UsageError(
            f"{' and '.join(map(str, ends.values()))} are not two times: {first_error(error)}",
            remedy="write days such as 2026-01-31, or times such as 2026-01-31T12:00:00Z",
        ) from None
    snapshots = (end - start).total_seconds() // float(arena.get("interval_s", INTERVAL_S))
    if snapshots < 1:
        raise UsageError(
            f"the time from {ends['start']} to {ends['end']} has no snapshot",
            remedy="choose a later end, or a shorter [arena] interval_s",
        )
    return int(snapshots)


def _contest_of(tables: Mapping[str, Any], snapshots: int | None) -> Tables:
    if snapshots is None:
        raise UsageError(
            "the specification has no [competition], and so no length",
            remedy="add --snapshots 1000",
        )
    is_judged = "judge" in tables or "coach" in tables
    coached: Tables = {"prompts": "coached"} if "coach" in tables else {}
    return {"snapshots": snapshots, "baselines": [], "judge": is_judged, **coached}

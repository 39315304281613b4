"""The one length of the bars of a market of price files. Pure."""

from collections.abc import Sequence
from typing import Final

from arena.errors import UsageError
from arena.granularities import GRANULARITIES, MINUTE, find_granularity, granularity_of

MINUTE_S: Final = GRANULARITIES[MINUTE]


def bar_of_files(files: Sequence[tuple[str, int]], stated: str | None) -> int:
    """The length of the bars of a market, in seconds.

    Args:
        files: Name and length of the bars of each file; empty for synthetic prices.
        stated: The granularity of `[market]` or `--granularity`, or None.

    Raises:
        UsageError: The files have several lengths, or another than the stated one.
    """
    wanted_s = None if stated is None else find_granularity(stated)
    if not files:
        return wanted_s or MINUTE_S
    name, length_s = files[0]
    for other, other_s in files:
        if other_s != length_s:
            raise UsageError(
                f"{name} has candles of {granularity_of(length_s)}, {other} has candles of "
                f"{granularity_of(other_s)}",
                remedy="take files with one length of candles",
            )
    if wanted_s is not None and wanted_s != length_s:
        raise UsageError(
            f"{name} has candles of {granularity_of(length_s)}, the granularity is {stated}",
            remedy=f"leave out the granularity, or take files with candles of {stated}",
        )
    return length_s


def require_minutes(files: Sequence[tuple[str, int]], stated: str | None = None) -> None:
    """Check that a market that plays in real time has minutes.

    Raises:
        UsageError: A file has longer candles.
    """
    bar_s = bar_of_files(files, stated)
    if bar_s != MINUTE_S:
        what = f"{files[0][0]} has" if files else "the market has"
        raise UsageError(
            f"{what} candles of {granularity_of(bar_s)}; a simulated exchange needs candles of 1m",
            remedy='take minutes, or play them in lock-step: source = "replay"',
        )

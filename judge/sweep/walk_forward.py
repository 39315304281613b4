"""Walk-forward: choose the best candidate in one window, measure it in the next. Pure.

Every candidate has played the whole season once, from its start. In each window the candidate with
the highest Sharpe ratio of the training part is chosen, and its returns in the test part that
follows count. So no choice knows anything of the returns that measure it; accounts are not emptied
between windows, and changing from one candidate to another costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from arena.errors import UsageError
from arena.metrics.sharpe import sharpe_ratio
from judge.season.types import FloatArray


@dataclass(frozen=True, slots=True)
class Windows:
    """The lengths of the windows, in periods.

    Attributes:
        train: Length of a training part.
        test: Length of the test part after it.
        step: From the start of a training part to that of the next.
    """

    train: int
    test: int
    step: int


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """What was chosen in one window.

    Attributes:
        begin: First period of the training part.
        chosen: Column of the chosen candidate.
        train: Its total log return in the training part.
        test: Its total log return in the test part.
    """

    begin: int
    chosen: int
    train: float
    test: float


@dataclass(frozen=True, slots=True)
class WalkForward:
    """The windows and the returns out of sample.

    Attributes:
        choices: One per window, oldest first.
        out_of_sample: Log returns of the chosen candidates in the test parts, in their order.
    """

    choices: tuple[WindowChoice, ...]
    out_of_sample: FloatArray


def walk_forward(returns: FloatArray, windows: Windows, competing: Sequence[int]) -> WalkForward:
    """Choose in each window, and measure in the next.

    Args:
        returns: Log returns, [T, N].
        windows: The lengths; the test parts must not overlap.
        competing: Columns that can be chosen; baselines cannot.

    Raises:
        UsageError: The season is too short for one window, or test parts would overlap.
    """
    periods = returns.shape[0]
    if windows.step < windows.test:
        raise UsageError(
            f"a step of {windows.step:,} periods makes test parts of {windows.test:,} overlap",
            remedy="let --step be at least as long as --test",
        )
    if windows.train + windows.test > periods:
        raise UsageError(
            f"the season has {periods:,} periods, and one window needs "
            f"{windows.train + windows.test:,}",
            remedy="choose a shorter --train or --test, or a longer contest",
        )
    choices: list[WindowChoice] = []
    measured: list[FloatArray] = []
    for begin in range(0, periods - windows.train - windows.test + 1, windows.step):
        split = begin + windows.train
        train, test = returns[begin:split], returns[split : split + windows.test]
        chosen = max(competing, key=lambda column: _score(train[:, column]))
        totals = float(train[:, chosen].sum()), float(test[:, chosen].sum())
        choices.append(WindowChoice(begin, chosen, *totals))
        measured.append(test[:, chosen])
    return WalkForward(tuple(choices), np.concatenate(measured))


def _score(returns: FloatArray) -> tuple[float, float]:
    """Sharpe ratio, then total return; a series that never varies has a ratio of zero."""
    return sharpe_ratio(returns) or 0.0, float(returns.sum())

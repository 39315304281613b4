"""A calibration as a table for people. Pure."""

from collections.abc import Sequence

from arena.messages import JudgeCalibration
from arena.plural import counted
from judge.evaluations.llm.judged import can_tell

COLUMNS: Sequence[tuple[str, bool]] = (
    ("question", False),
    ("planted fault", False),
    ("planted", True),
    ("found", True),
    ("twins", True),
    ("false alarms", True),
    ("can tell", False),
)


def calibration_rows(calibration: JudgeCalibration) -> list[list[str]]:
    """One row per planted fault, in the order of the rubric."""
    return [
        [
            rate.question,
            fault,
            str(rate.planted),
            share_text(rate.true_positive, rate.true_positive_low, rate.true_positive_high),
            str(rate.twins),
            share_text(rate.false_positive, rate.false_positive_low, rate.false_positive_high),
            "yes" if can_tell(rate) else "no",
        ]
        for fault, rate in calibration.faults.items()
    ]


def calibration_remarks(calibration: JudgeCalibration) -> list[str]:
    """What the table does not say."""
    percent = f"{calibration.confidence:.0%}".replace("%", " %")
    who = "scripted rules, not an LLM" if calibration.scripted else calibration.model or "no model"
    retest = "no turn was judged twice"
    if calibration.retest_agreement is not None:
        turns = counted(calibration.retest_turns, "turn")
        retest = f"{calibration.retest_agreement:.0%} of the answers agree on {turns} judged twice"
    cost = "unknown" if calibration.cost_usd is None else f"{calibration.cost_usd:.4f} USD"
    found = [
        f"Chat node {calibration.node}: {who}. Rubric {calibration.rubric}.",
        f"Intervals: {percent}. Found: no credit with the fault. False alarms: no credit for the "
        "unchanged turn.",
        f"Test and retest: {retest.replace('%', ' %')}.",
        f"{counted(calibration.calls, 'call')}, {calibration.failed} without a usable answer, "
        f"cost {cost}.",
    ]
    if unable := [rate.question for rate in calibration.rates if not can_tell(rate)]:
        found.append(
            f"Not used for the correction, because the judge cannot tell: {', '.join(unable)}."
        )
    return found


def share_text(value: float | None, low: float | None, high: float | None) -> str:
    """A share with its interval in percent, such as "93 % [81, 98]"; "-" without one."""
    if value is None or low is None or high is None:
        return "-"
    return f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"

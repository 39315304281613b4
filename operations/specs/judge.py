"""The [judge] table: what the judge asks a language model, and its command. Pure.

    [judge]
    chat_node = "gpt"           # the [[chat_nodes]] that judges turns; without it code alone does
    share = 0.2                 # share of the turns that are judged
    calls_per_day = 200         # most calls per day of market time, for all agents together
    evaluate_after = "10m"      # market time from an agent's first turn to its first evaluation

The table starts the judge, also in an arena without a contest.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import Field

from arena.unknown_names import closest_first, listed
from operations.specs.coach import CoachTable, Duration, coach_flags, waits_for_judge
from operations.specs.errors import SpecFault
from operations.specs.tables import ChatNodeTable, Name, Share, SpecTable

if TYPE_CHECKING:
    from operations.specs.competition import CompetitionTable

CALLS_PER_DAY_MAX = 100_000


class JudgeTable(SpecTable):
    """How turns are judged; omitted keys keep the judge's defaults.

    Attributes:
        chat_node: Name of the [[chat_nodes]] whose model judges turns; None for none.
        share: Share of the turns that are judged.
        calls_per_day: Most calls per day of venue time.
        evaluate_after: Market time from an agent's first turn to its first evaluation.
    """

    chat_node: Name | None = None
    share: Share | None = None
    calls_per_day: int | None = Field(default=None, ge=1, le=CALLS_PER_DAY_MAX)
    evaluate_after: Duration | None = None


def check_judge(table: JudgeTable | None, nodes: Sequence[ChatNodeTable]) -> None:
    """Require that the judge's chat node is one of the file's.

    Raises:
        SpecFault: It is not, or a key needs one.
    """
    if table is None:
        return
    if table.chat_node is None:
        for key in ("share", "calls_per_day"):
            if getattr(table, key) is not None:
                raise SpecFault(("judge", key), f'{key} needs chat_node = "..."; add it')
        return
    known = [node.name for node in nodes]
    if table.chat_node not in known:
        names = listed(closest_first(table.chat_node, known)) if known else "none yet"
        what = f"no [[chat_nodes]] has the name {table.chat_node!r}; there is {names}"
        raise SpecFault(("judge", "chat_node"), what)


def judge_command(
    table: JudgeTable | None,
    contest: "CompetitionTable | None",
    coach: CoachTable | None = None,
) -> list[str]:
    """The command of the judge; an empty list if the arena has none."""
    if table is None and coach is None and not (contest and contest.judge):
        return []
    options: dict[str, object] = {}
    if contest is not None:
        options |= {"--confidence": f"{contest.confidence:g}", "--seed": contest.seed}
    if table is not None:
        options |= {
            "--chat-node": table.chat_node,
            "--share": table.share,
            "--calls-per-day": table.calls_per_day,
            "--evaluate-after": table.evaluate_after,
        }
    words = ["judge"]
    for flag, value in options.items():
        if value is not None:
            words += [flag, f"{value:f}" if isinstance(value, Decimal) else str(value)]
    in_rounds = ["--lock-step"] if waits_for_judge(contest, table, coach) else []
    return words + coach_flags(coach) + in_rounds

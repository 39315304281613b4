"""The verdict as sentences, from the figures of an evaluation. Pure.

The sentences never claim more than the decisions: who is separated from whom, who is not, and how
large a true difference had to be to be found.
"""

from collections.abc import Sequence

from arena.agent_health import short_cause
from arena.messages import Claim, DeadEntry, Detectable, Evaluation, LeaderboardRow
from arena.plural import counted
from judge.claim_text import (
    claims_held,
    claims_in_doubt,
    claims_sentence,
    claims_withdrawn,
    doubt_sentence,
    look_text,
    promise_text,
    since_text,
    stopped_text,
    withdrawn_sentence,
)
from judge.formatting import (
    NAMES_SHOWN,
    SIZE_MAX,
    duration_text,
    joined_names,
    percent,
    rank_text,
    sentence,
)

BUY_AND_HOLD = "buy_and_hold"
MARKET = "equal-weight market"
"""The index of all products; `buy_and_hold` is an agent that trades to follow it."""
ALL_DEAD = "every agent is dead"
CAUSE_CHARS = 120
"""Most characters of the cause of an unranked entry."""
WITHDRAWN_SHOWN = 3
"""Most withdrawn claims, and most claims in doubt, in the verdict."""


def verdict_text(evaluation: Evaluation, *, rules_changed: str = "") -> str:
    """Return what the season shows and what it leaves open, in a few sentences.

    Args:
        evaluation: An evaluation; its `verdict` is ignored.
        rules_changed: How the rules changed during the season; "" if they did not.
    """
    if not evaluation.snapshots:
        return "No snapshot yet: there is nothing to judge."
    stopped = stopped_text(evaluation)
    if reason := why_none(evaluation):
        sentences = [f"no verdict: {reason}", stopped]
    else:
        sentences = [stopped, _top(evaluation), _no_looks(evaluation), _undecided(evaluation)]
        sentences += [detectable_text(evaluation), *_claims(evaluation)]
    sentences += [rules_changed, dead_text(evaluation.dead), incomparable_text(evaluation.apart)]
    return " ".join(sentence(text) for text in sentences if text)


def as_stopped(evaluation: Evaluation, *, rules_changed: str = "") -> Evaluation:
    """Return an evaluation as that of a stopped season; unchanged without remaining plan.

    The looks remain those of the plan: stopping early adds none.
    """
    if not evaluation.interim or evaluation.planned is None:
        return evaluation
    found = evaluation.model_copy(update={"interim": False})
    words = verdict_text(found, rules_changed=rules_changed)
    return found.model_copy(update={"verdict": words})


def why_none(evaluation: Evaluation) -> str:
    """Return why there is no verdict; "" if there is one."""
    reasons = evaluation.reasons
    if len(evaluation.rows) == 1 and reasons.get("detectable") != ALL_DEAD:
        return "a single agent cannot be compared"
    measured = any(row.return_interval or row.p_best is not None for row in evaluation.rows)
    if measured and "pairs" not in reasons:
        return ""
    return reasons.get("pairs") or reasons.get("detectable", "nothing could be compared")


def span_text(evaluation: Evaluation) -> str:
    """Return the length of the compared part of the season, such as "16 days"."""
    return duration_text((evaluation.compared or evaluation.snapshots) * evaluation.interval_s)


def detectable_text(evaluation: Evaluation) -> str:
    """Return the detectable difference of the top pair, and the range over the pairs at the top."""
    pairs = evaluation.detectables
    if not pairs:
        if evaluation.detectable is None:
            return ""
        return f"at the top, {_found(evaluation.detectable, None, evaluation)}"
    row_of = {row.agent: index for index, row in enumerate(evaluation.rows)}
    last = len(row_of)
    shown = min(pairs, key=lambda p: sorted(row_of.get(n, last) for n in (p.a, p.b)))
    words = f"between {shown.a} and {shown.b}, "
    words += _found(shown.difference, shown.per_day, evaluation)
    sizes = sorted(pair.difference for pair in pairs)
    if len(pairs) > 1 and sizes[-1] <= SIZE_MAX:
        least, most = percent(sizes[0]), percent(sizes[-1])
        words += f"; for the {len(pairs)} pairs at the top it is {least} to {most}"
    return words


def detectable_line(pair: Detectable) -> str:
    """Return the detectable difference of one pair: "a and b: 10.8 % (2.7 % a day)"."""
    size = percent(pair.difference) if pair.difference <= SIZE_MAX else "above 100 %"
    return f"{pair.a} and {pair.b}: {size}{rate_text(pair.per_day)}"


def detectable_title(evaluation: Evaluation) -> str:
    """Return the title of the list of detectable differences."""
    when = _when_found(evaluation) or "would have been found"
    what = f"True differences over {span_text(evaluation)} that"
    return f"{what} {when} in 4 seasons of 5"


def rate_text(per_day: float | None) -> str:
    """Return a difference as a rate, " (2.7 % a day)"; "" if it is too large to be useful."""
    useful = per_day is not None and per_day <= SIZE_MAX
    return f" ({percent(per_day)} a day)" if useful else ""


def rank_note(evaluation: Evaluation) -> str:
    """Return why an entrant has several ranks although its interval excludes zero; "" if none has.

    The entrant whose ranks contradict its interval most is named: below zero, the one with the best
    rank, if that is ahead of an entrant not below zero; above zero, the one with the worst rank.
    """
    intervals = [(row, row.return_interval) for row in evaluation.rows]
    below = [row for row, found in intervals if found is not None and found.high < 0]
    above = [row for row, found in intervals if found is not None and found.low > 0]
    count = max([len(evaluation.rows), *(row.rank_high for row in evaluation.rows)])
    low = [row for row in below if row.rank_low <= count - len(below)]
    high = [row for row in above if row.rank_high > len(above)]
    for side, rows in (
        ("below", sorted(low, key=lambda row: (row.rank_low, row.kind))),
        ("above", sorted(high, key=lambda row: (-row.rank_high, row.kind))),
    ):
        open_ranks = [row for row in rows if row.rank_low != row.rank_high]
        if open_ranks:
            row = open_ranks[0]
            return (
                "Rank sets compare entrants with each other, an interval compares its entrant with "
                f"zero: so {row.agent} ranks {rank_text(row.rank_low, row.rank_high)} although "
                f"its whole interval is {side} zero."
            )
    return ""


def dead_text(dead: Sequence[DeadEntry]) -> str:
    """Return which dead agents are not ranked: "2 dead agents are not ranked: a (401 ...), ..."."""
    if not dead:
        return ""
    who = counted(len(dead), "dead agent is", "dead agents are")
    return f"{who} not ranked: {_named(dead)}"


def incomparable_text(apart: Sequence[DeadEntry]) -> str:
    """Return which agents cannot be compared, and why; "" without any."""
    if not apart:
        return ""
    who = counted(len(apart), "agent is", "agents are")
    return f"{who} not comparable and not ranked: {_named(apart)}"


def _named(entries: Sequence[DeadEntry]) -> str:
    named = [
        f"{one.agent} ({short_cause(one.cause, CAUSE_CHARS)})" for one in entries[:NAMES_SHOWN]
    ]
    more = f" and {len(entries) - NAMES_SHOWN} more" if len(entries) > NAMES_SHOWN else ""
    return f"{', '.join(named)}{more}"


def _sole_first(evaluation: Evaluation) -> LeaderboardRow | None:
    """Return the entrant that is separated from every other and above them, if any."""
    first = [row for row in evaluation.rows if row.rank_low == 1]
    return first[0] if len(first) == 1 and first[0].rank_high == 1 else None


def _top(evaluation: Evaluation) -> str:
    look = look_text(evaluation)
    head = f"{look}: " if look else ""
    if (sole := _sole_first(evaluation)) is not None:
        since = max((c.snapshots for c in _of(sole, evaluation)), default=evaluation.snapshots)
        words = f"over {span_text(evaluation)}, {sole.agent} is separated from every other entrant"
        return f"{head}{words}{since_text(since, evaluation)}"
    first = [row.agent for row in evaluation.rows if row.rank_low == 1]
    # By return, an entrant with a wide interval can follow one that is separated from the first.
    leading = first == [row.agent for row in evaluation.rows[: len(first)]]
    named = ", ".join(first[:NAMES_SHOWN]) + (", ..." if len(first) > NAMES_SHOWN else "")
    who = f"#1-#{len(first)} ({named})" if leading else named
    return f"{head}cannot separate {who}"


def _no_looks(evaluation: Evaluation) -> str:
    """Return why nothing is claimed in a season whose plan has no look; "" if it has one."""
    reason = evaluation.reasons.get("detectable", "")
    return f"no claim was made: {reason}" if evaluation.looks == 0 and reason else ""


def _undecided(evaluation: Evaluation) -> str:
    """Return why an entrant that one period decides is still at the top; "" without one."""
    names = [
        row.agent
        for row in evaluation.rows
        if row.rank_low == 1 and row.rank_high > 1 and row.return_interval is None
    ]
    if not names:
        return ""
    they = "its own" if len(names) == 1 else "their own"
    return (
        f"a single period decides the return of {joined_names(names)}, so the evidence leaves "
        f"{they} rank open"
    )


def _found(difference: float, per_day: float | None, evaluation: Evaluation) -> str:
    span, when = span_text(evaluation), _when_found(evaluation)
    if difference > SIZE_MAX:
        size = f"even a true difference of 100 % over {span}"
        if when:
            return f"{when} {size} in fewer than 4 seasons of 5"
        return f"{size} would have been found in fewer than 4 seasons of 5"
    size = f"a true difference of {percent(difference)} over {span}{rate_text(per_day)}"
    if when:
        return f"{when} {size} in 4 seasons of 5"
    return f"{size} would have been found in 4 seasons of 5"


def _when_found(evaluation: Evaluation) -> str:
    """Return which look would find a difference: "a look now would find"; "" at the planned end."""
    if evaluation.interim:
        return "a look now would find"
    return "a look at its end would have found" if stopped_text(evaluation) else ""


def _of(row: LeaderboardRow, evaluation: Evaluation) -> list[Claim]:
    return [
        claim
        for claim in claims_held(evaluation)
        if claim.winner == row.agent and claim.measure == "return"
    ]


def _claims(evaluation: Evaluation) -> list[str]:
    """Return sentences about claims of both measures, withdrawals, and the promise."""
    sole, held = _sole_first(evaluation), _holds(evaluation)
    shown = [] if sole is None else _of(sole, evaluation)
    raw = [c for c in claims_held(evaluation) if c.measure == "return" and c not in shown]
    alpha = [claim for claim in claims_held(evaluation) if claim.measure == "alpha"]
    row_of = {row.agent: index for index, row in enumerate(evaluation.rows)}
    for found in (raw, alpha):
        found.sort(
            key=lambda claim: (not held & {claim.winner, claim.loser}, row_of.get(claim.winner, 0))
        )
    look = look_text(evaluation)
    mark = f" ({look})" if look else ""
    words = []
    if raw:
        words.append(f"separated{mark}: {claims_sentence(evaluation, raw)}")
    words.append(_against_hold(evaluation))
    if alpha:
        head = f"beyond what market exposure explains{mark}"
        words.append(f"{head}: {claims_sentence(evaluation, alpha)}")
    doubted = claims_in_doubt(evaluation)
    words += [doubt_sentence(claim) for claim in doubted[:WITHDRAWN_SHOWN]]
    if (more := len(doubted) - WITHDRAWN_SHOWN) > 0:
        words.append(f"{counted(more, 'further claim')} in doubt")
    gone = claims_withdrawn(evaluation)
    words += [withdrawn_sentence(claim) for claim in gone[:WITHDRAWN_SHOWN]]
    if (more := len(gone) - WITHDRAWN_SHOWN) > 0:
        words.append(f"{counted(more, 'further claim was', 'further claims were')} withdrawn")
    if evaluation.claims:
        words.append(promise_text(evaluation))
    return words


def _holds(evaluation: Evaluation) -> set[str]:
    return {
        row.agent
        for row in evaluation.rows
        if row.kind == "baseline" and row.strategy == BUY_AND_HOLD
    }


def _against_hold(evaluation: Evaluation) -> str:
    """Return that no agent is separated from buy-and-hold; "" if one is, or without it."""
    held = _holds(evaluation)
    agents = {row.agent for row in evaluation.rows if row.kind == "agent"}
    if not held or not agents:
        return ""
    against = {
        claim.measure
        for claim in claims_held(evaluation)
        if (sides := {claim.winner, claim.loser}) & held and sides & agents
    }
    if "return" in against:
        return ""
    # With a claim on the other measure the sentence must name its own.
    by_return = " by its return" if against else ""
    return f"no agent is separated from {joined_names(sorted(held))}{by_return}"

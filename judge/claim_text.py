"""Sentences about looks, claims, withdrawals and the promise of an evaluation. Pure."""

from collections.abc import Sequence

from arena.messages import Claim, Evaluation
from arena.plural import counted
from judge.claims import HELD_ZERO
from judge.formatting import joined_names, sentence

GROUPS_SHOWN = 4
"""Most winners in the verdict's sentence about claims."""
LINES_SHOWN = 60
"""Most lines in a list of claims; figures.json and `--json` have every claim."""
LOSERS_SHOWN = 12
"""Most losers in a line of that list."""
FALSE_SEASONS = 5
"""Seasons in 100 that may have a false claim; `arena verdict-check` tests it."""
NOT_COVERED = "crashes rarer than the season are not covered"


def look_text(evaluation: Evaluation) -> str:
    """Return which look it is, such as "interim, look 5 of 11"; "" after the end of the season."""
    if not evaluation.interim:
        return ""
    if evaluation.looks is None:
        position = f"look {evaluation.look}" if evaluation.look else "before the first look"
        return f"interim, {position}, no planned end"
    if not evaluation.look:
        return f"interim, before the first of {evaluation.looks} looks"
    return f"interim, look {evaluation.look} of {evaluation.looks}"


def stopped_text(evaluation: Evaluation) -> str:
    """Return how many of the planned snapshots were judged, and the looks; "" if all were.

    The season was stopped, or its first snapshots are no longer in the log.
    """
    planned, looks = evaluation.planned, evaluation.looks
    if evaluation.interim or planned is None or evaluation.snapshots >= planned:
        return ""
    words = f"judged on {evaluation.snapshots:,} of {planned:,} planned snapshots"
    if not looks:
        return words
    if not evaluation.look:
        return f"{words}, before the first of {looks} looks"
    return f"{words}; claims are those of {evaluation.look} of {looks} looks"


def claims_held(evaluation: Evaluation) -> list[Claim]:
    """Return the claims that are not withdrawn and whose winner is ahead now."""
    return [claim for claim in evaluation.claims if claim.withdrawn is None and not claim.why]


def claims_in_doubt(evaluation: Evaluation) -> list[Claim]:
    """Return the claims that are not withdrawn although the winner is not ahead now."""
    return [claim for claim in evaluation.claims if claim.withdrawn is None and claim.why]


def claims_withdrawn(evaluation: Evaluation) -> list[Claim]:
    """Return the claims that a later look withdrew."""
    return [claim for claim in evaluation.claims if claim.withdrawn is not None]


def since_text(snapshots: int, evaluation: Evaluation) -> str:
    """Return the start of a claim, such as " since snapshot 432"; "" if it is new."""
    return f" since snapshot {snapshots:,}" if snapshots < evaluation.snapshots else ""


def claims_sentence(evaluation: Evaluation, claims: Sequence[Claim]) -> str:
    """Return who beats whom, grouped by winner; "" without a claim."""
    groups: dict[tuple[str, int], list[str]] = {}
    for claim in claims:
        groups.setdefault((claim.winner, claim.snapshots), []).append(claim.loser)
    parts = [
        f"{winner} beats {joined_names(losers)}{since_text(snapshots, evaluation)}"
        for (winner, snapshots), losers in groups.items()
    ]
    if len(parts) > GROUPS_SHOWN:
        shown = sum(len(losers) for losers in list(groups.values())[:GROUPS_SHOWN])
        parts = [*parts[:GROUPS_SHOWN], f"{counted(len(claims) - shown, 'further claim')}"]
    return "; ".join(parts)


def withdrawn_sentence(claim: Claim) -> str:
    """Return a sentence about a withdrawn claim: the claim, its dates, and the reason."""
    beyond = " beyond what its market exposure explains" if claim.measure == "alpha" else ""
    return (
        f"withdrawn at snapshot {claim.withdrawn or 0:,}: {claim.winner} beats {claim.loser}"
        f"{beyond}, claimed since snapshot {claim.snapshots:,}; {claim.why or HELD_ZERO}"
    )


def doubt_sentence(claim: Claim) -> str:
    """Return a sentence about a claim that the next look will decide on."""
    beyond = " beyond what its market exposure explains" if claim.measure == "alpha" else ""
    return (
        f"claimed since snapshot {claim.snapshots:,}: {claim.winner} beats {claim.loser}{beyond};"
        f" but {claim.why}"
    )


def promise_text(evaluation: Evaluation) -> str:
    """Return the promise about the claims: how often they may be false, and over what."""
    two = any(claim.measure == "alpha" for claim in evaluation.claims)
    each = ", for each of the two measures" if two else ""
    if evaluation.looks is None and evaluation.interim:
        promise = (
            f"at most {FALSE_SEASONS} contests in 100 hold any false claim{each} at any time, "
        )
        return f"{promise}however long they run; {NOT_COVERED}"
    promise = f"at most {FALSE_SEASONS} seasons in 100 hold any false claim{each}, at any look, "
    return f"{promise}over the whole season; {NOT_COVERED}"


def claim_lines(evaluation: Evaluation) -> tuple[str, ...]:
    """Return a line for each claim, those that hold first, up to `LINES_SHOWN`.

    Claims of the same winner, measure and snapshot share a line if they have the same stress
    result; each line says which look it is.
    """
    groups: dict[tuple[str, str, int, bool | None], list[Claim]] = {}
    for claim in claims_held(evaluation):
        alike = (claim.winner, claim.measure, claim.snapshots, claim.survives_stress)
        groups.setdefault(alike, []).append(claim)
    lines = [_claim_line(claims, evaluation) for claims in groups.values()]
    lines += [sentence(doubt_sentence(claim)) for claim in claims_in_doubt(evaluation)]
    lines += [sentence(withdrawn_sentence(claim)) for claim in claims_withdrawn(evaluation)]
    if (more := len(lines) - LINES_SHOWN) > 0:
        rest = f"{counted(more, 'further line')}: --json and figures.json list every claim."
        lines = [*lines[:LINES_SHOWN], rest]
    return tuple(lines)


def _claim_line(claims: Sequence[Claim], evaluation: Evaluation) -> str:
    """Return claims that differ only in the loser, with their look and stress result."""
    first, losers = claims[0], joined_names([claim.loser for claim in claims], LOSERS_SHOWN)
    beyond = ", beyond what its market exposure explains" if first.measure == "alpha" else ""
    since = since_text(first.snapshots, evaluation)
    mark = f" ({look})" if (look := look_text(evaluation)) else ""
    stress = {
        None: "",
        True: f" {_this(claims)} hold had the worst period happened once more.",
        False: f" {_this(claims)} not hold had the worst period happened once more.",
    }[first.survives_stress]
    return f"{first.winner} beats {losers}{since}{beyond}{mark}.{stress}"


def _this(claims: Sequence[Claim]) -> str:
    return "This would" if len(claims) == 1 else "These would"

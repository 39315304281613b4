"""Each sentence of the verdict: its content, its condition, and what it must not contain."""

import re

import pytest

from arena.messages import Detectable, Evaluation
from judge.claim_text import claim_lines, look_text, promise_text
from judge.verdict_text import (
    as_stopped,
    detectable_line,
    detectable_title,
    rank_note,
    verdict_text,
)
from tests.judge.evaluations import (
    MOMENTUM_AND_HOLD,
    MOMENTUM_AND_SCALPER,
    claim,
    dead,
    judged,
    live,
    row,
)

SOLE = (row("momentum", 1, 1, 0.2), row("scalper", 2, 3, 0.01), row("buy_and_hold", 2, 3, 0.0))
LEADERS = (row("momentum", 1, 2, 0.08), row("scalper", 1, 3, 0.04), row("cash", 2, 3, 0.0))


def test_the_leaders_that_cannot_be_separated_are_named() -> None:
    """No entrant is called first if its lead may be luck."""
    text = verdict_text(judged())

    assert text.startswith("Cannot separate #1-#3 (momentum, buy_and_hold, scalper). ")
    assert "first" not in text


def test_only_leading_ranks_have_a_number() -> None:
    """With wide intervals an entrant may share rank 1 without being next to the first."""
    rows = (row("a", 1, 2), row("b", 2, 3), row("c", 1, 3))

    assert verdict_text(judged(*rows)).startswith("Cannot separate a, c.")


def test_an_entrant_that_beats_all_is_separated_from_every_other() -> None:
    """It is named, without "cannot separate"."""
    claims = (claim("momentum", "scalper", 864), claim("momentum", "buy_and_hold", 612))
    text = verdict_text(judged(*SOLE, claims=claims))

    head = "Over 3 days, momentum is separated from every other entrant since snapshot 864."
    assert head.replace(" since snapshot 864", "") in text
    assert "annot separate" not in text
    assert "momentum beats" not in text


def test_the_detectable_difference_is_of_a_named_pair_with_a_daily_rate() -> None:
    """The pair at the very top is named, the others give the range."""
    pairs = (MOMENTUM_AND_SCALPER, MOMENTUM_AND_HOLD)
    text = verdict_text(judged(detectables=pairs))

    assert (
        "Between buy_and_hold and momentum, a true difference of 6.9 % over 3 days (2.3 % a day) "
        "would have been found in 4 seasons of 5; for the 2 pairs at the top it is 6.9 % to "
        "10.8 %." in text
    )


def test_each_pair_has_a_line_of_its_own() -> None:
    """The list has a heading, and each pair has its size and its rate."""
    line = detectable_line(MOMENTUM_AND_SCALPER)

    assert "momentum and scalper: 10.8 % (3.5 % a day)" == line
    assert detectable_title(judged()) == (
        "True differences over 3 days that would have been found in 4 seasons of 5"
    )


def test_an_interim_detectable_difference_names_its_look() -> None:
    """An interim look detects less than the last one, so the sentence names the look."""
    text = verdict_text(live(*LEADERS, detectables=(MOMENTUM_AND_SCALPER,)))

    assert (
        "Between momentum and scalper, a look now would find a true difference of 10.8 % over 33 h "
        "20 min (3.5 % a day) in 4 seasons of 5." in text
    )


@pytest.mark.parametrize(
    ("difference", "per_day", "expected"),
    [
        (5.18, 0.9, "even a true difference of 100 % over 3 days would have been found in fewer "
         "than 4 seasons of 5"),
        (0.6, 2.5, "a true difference of 60.0 % over 3 days would have been found"),
    ],
)  # fmt: skip
def test_a_detectable_difference_above_100_percent_is_not_printed(
    difference: float, per_day: float, expected: str
) -> None:
    """A trader cannot use it."""
    pair = Detectable(a="momentum", b="scalper", difference=difference, per_day=per_day)
    text = verdict_text(judged(detectables=(pair,)))

    assert expected in text
    assert "518" not in text


def test_no_agent_is_separated_from_buy_and_hold() -> None:
    """With +8 % against +1 % the text does not say "beaten" or "not beaten"."""
    text = verdict_text(judged())

    assert "No agent is separated from buy_and_hold." in text
    assert "beats" not in text


def test_a_claim_against_buy_and_hold_comes_first() -> None:
    """It is among the first claims, and the negative sentence is absent."""
    claims = (claim("scalper", "cash", 864), claim("buy_and_hold", "scalper", 864))
    rows = (
        row("momentum", 1, 3),
        row("buy_and_hold", 1, 2),
        row("scalper", 2, 3),
        row("cash", 3, 4),
    )
    text = verdict_text(judged(*rows, claims=claims))

    assert "Separated: buy_and_hold beats scalper; scalper beats cash." in text
    assert "No agent" not in text


def test_an_interim_claim_names_its_look_and_snapshot() -> None:
    """Each claim has its look and the first snapshot that showed it."""
    found = live(*LEADERS, claims=(claim("momentum", "cash", 324),))
    text = verdict_text(found)

    assert text.startswith("Interim, look 5 of 11: cannot separate #1-#2 (momentum, scalper).")
    assert "Separated (interim, look 5 of 11): momentum beats cash since snapshot 324." in text
    assert ("momentum beats cash since snapshot 324 (interim, look 5 of 11).",) == (
        claim_lines(found)
    )


def test_a_withdrawn_claim_has_a_sentence() -> None:
    """It says when the claim was made, when it was withdrawn, and why."""
    found = live(*LEADERS, claims=(claim("momentum", "cash", 324, withdrawn=378),))
    expected = (
        "Withdrawn at snapshot 378: momentum beats cash, claimed since snapshot 324; its interval "
        "then held zero."
    )

    assert expected in verdict_text(found)
    assert (expected,) == claim_lines(found)
    assert "Separated" not in verdict_text(found)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"interim": False}, ""),
        ({"look": 0}, "interim, before the first of 11 looks"),
        ({"look": 5}, "interim, look 5 of 11"),
        ({"look": 0, "looks": None}, "interim, before the first look, no planned end"),
        ({"look": 7, "looks": None}, "interim, look 7, no planned end"),
    ],
)
def test_an_interim_verdict_names_its_look(changes: dict[str, object], expected: str) -> None:
    """A season that is over has no look left."""
    assert expected == look_text(live(**changes))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Judged on 400 of 864 planned snapshots; claims are those of 5 of 11 looks."),
        ({"look": 0}, "Judged on 400 of 864 planned snapshots, before the first of 11 looks."),
        (
            {"rows": (row("a", 1, 1),)},
            "No verdict: a single agent cannot be compared. "
            "Judged on 400 of 864 planned snapshots; claims are those of 5 of 11 looks.",
        ),
    ],
)
def test_a_contest_that_stopped_is_not_interim(changes: dict[str, object], expected: str) -> None:
    """After a stop the text says where it ended and which looks its claims are of."""
    claims = (claim("momentum", "cash", 324),)
    found = as_stopped(
        live(*LEADERS, **({"claims": claims, "detectables": (MOMENTUM_AND_HOLD,)} | changes)),
        rules_changed="the fee changed at snapshot 12",
    )

    assert found.verdict.startswith(expected)
    assert found.verdict.endswith("The fee changed at snapshot 12.")
    assert not re.search("interim|look now", f"{found.verdict}{detectable_title(found)}", re.I)
    assert ("momentum beats cash since snapshot 324.",) == claim_lines(found)
    assert not found.interim


def test_a_stopped_contest_words_its_detectable_difference() -> None:
    """Its end was not a look, so the sentence does not say "would have been found"."""
    found = as_stopped(live(*LEADERS, detectables=(MOMENTUM_AND_HOLD,)))

    assert "a look at its end would have found a true difference of 6.9 % over" in found.verdict
    assert "that a look at its end would have found in 4 seasons of 5" in detectable_title(found)


@pytest.mark.parametrize(
    "found", [judged(), judged(interim=True, planned=None, looks=None)], ids=["over", "no plan"]
)
def test_only_a_season_short_of_its_plan_is_stopped(found: Evaluation) -> None:
    """A season that is over and one without a plan keep their texts."""
    assert found == as_stopped(found)


def test_the_error_statement_covers_every_look() -> None:
    """Claims have the rate at which they are false, and what that rate does not cover."""
    text = verdict_text(live(*LEADERS, claims=(claim("momentum", "cash", 324),)))

    assert (
        "At most 5 seasons in 100 hold any false claim, at any look, over the whole season; "
        "crashes rarer than the season are not covered." in text
    )
    assert "At most" not in verdict_text(live(*LEADERS))


def test_the_error_statement_of_an_open_season_holds_at_any_time() -> None:
    """It holds however long the season is watched."""
    assert promise_text(live(looks=None)).startswith(
        "at most 5 contests in 100 hold any false claim at any time, however long they run"
    )


def test_alpha_claims_name_the_adjustment() -> None:
    """A claim on the second measure is distinguished from one on returns."""
    found = judged(*LEADERS, claims=(claim("momentum", "cash", 864, measure="alpha"),))
    text = verdict_text(found)

    assert "Beyond what market exposure explains: momentum beats cash." in text
    assert "for each of the two measures" in text
    assert claim_lines(found)[0] == (
        "momentum beats cash, beyond what its market exposure explains."
    )


def test_the_measure_is_named_if_only_the_other_separates() -> None:
    """An entrant may be separated by market-adjusted return and not by return."""
    against = claim("buy_and_hold", "scalper", 864, measure="alpha")
    text = verdict_text(judged(claims=(against,)))

    assert (
        "No agent is separated from buy_and_hold by its return. Beyond what market exposure "
        "explains: buy_and_hold beats scalper." in text
    )


@pytest.mark.parametrize(
    ("survives", "expected"), [(True, "This would hold"), (False, "This would not hold")]
)
def test_a_claim_has_its_stress_figure(survives: bool, expected: str) -> None:
    """The figure is next to its claim."""
    found = judged(*LEADERS, claims=(claim("momentum", "cash", 864, survives_stress=survives),))

    assert expected in claim_lines(found)[0]


def test_many_claims_are_bounded() -> None:
    """Sixty-four entrants do not fill the verdict; omitted claims are counted."""
    names = [f"a{n}" for n in range(20)]
    claims = tuple(claim(a, b, 864) for n, a in enumerate(names) for b in names[n + 1 :])
    rows = tuple(row(name, n + 1, n + 2) for n, name in enumerate(names))
    found = judged(*rows, claims=claims)

    assert len(verdict_text(found)) < 900
    assert "a0 beats a1, a2, a3, a4 and 15 more" in verdict_text(found)
    assert "120 further claims" in verdict_text(found)
    assert len(claim_lines(found)) == 19
    assert "a0 beats a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12 and 7 more." in (
        claim_lines(found)
    )


def test_a_rank_set_beside_an_interval_is_explained() -> None:
    """Ranks 2-7 for an interval below zero: the two compare with different references."""
    rows = (row("cash", 1, 6, 0.0, around=0.0), row("momentum", 2, 7, -0.06))

    assert (
        "Rank sets compare entrants with each other, an interval compares its entrant with zero: "
        "so momentum ranks 2-7 although its whole interval is below zero."
        == rank_note(judged(*rows))
    )
    assert "" == rank_note(judged(row("a", 1, 2), row("b", 1, 2)))


BELOW, ABOVE = -0.06, 0.06
"""Returns whose whole interval leaves out zero."""


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        # The best open rank is explained first, also for a baseline.
        ((("a", 1, 4, 0.0), ("b", 1, 4, 0.0), ("cash", 1, 4, 0.0), ("random", 1, 4, BELOW),
          ("scalper", 4, 5, BELOW)), "random ranks 1-4 although its whole interval is below"),
        ((("cash", 1, 3, 0.0), ("random", 1, 3, BELOW), ("x", 1, 3, BELOW)), "x ranks 1-3"),
        # At the bottom, below zero: no entrant that may be above zero can come after it.
        ((("a", 1, 2, 0.0), ("cash", 1, 2, 0.0), ("x", 3, 4, BELOW), ("y", 3, 4, BELOW)), ""),
        ((("a", 1, 1, 0.0), ("x", 2, 4, BELOW), ("y", 2, 4, BELOW), ("z", 2, 4, BELOW)), ""),
        # At the top, above zero: likewise.
        ((("x", 1, 2, ABOVE), ("y", 1, 2, ABOVE), ("cash", 3, 3, 0.0)), ""),
        ((("x", 1, 2, ABOVE), ("y", 1, 3, ABOVE), ("cash", 2, 3, 0.0)), "y ranks 1-3"),
    ],
)  # fmt: skip
def test_the_widest_contradictory_rank_set_is_explained(
    rows: tuple[tuple[str, int, int, float], ...], named: str
) -> None:
    """Only an entrant whose ranks seem to contradict its interval is named, the widest first."""
    found = rank_note(judged(*(row(*one) for one in rows)))

    assert bool(found) == bool(named)
    assert named in found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"snapshots": 0, "rows": ()}, "No snapshot yet: there is nothing to judge."),
        (
            {"rows": (row("a", 1, 2, return_interval=None), row("b", 1, 2)),
             "reasons": {"pairs": "too early: 38 periods, at least 60 are needed"}},
            "No verdict: too early: 38 periods, at least 60 are needed.",
        ),
        ({"rows": (row("a", 1, 1),)}, "No verdict: a single agent cannot be compared."),
        (
            {"rows": (), "reasons": {"detectable": "every agent is dead"}, "dead": (dead("x"),)},
            "No verdict: every agent is dead. 1 dead agent is not ranked: x (Unauthorized: the "
            "provider refused the key).",
        ),
    ],
)  # fmt: skip
def test_a_missing_verdict_has_a_reason(changes: dict[str, object], expected: str) -> None:
    """It is one sentence with the reason."""
    found = verdict_text(judged(**changes))

    assert expected == found.replace("401 ", "")


def test_the_dead_and_the_incomparable_are_named() -> None:
    """Each entry without a rank has its reason."""
    left = dead("late", "joined at snapshot 700 of 864: 19 % of the season")
    text = verdict_text(judged(dead=(dead("x"), dead("y")), apart=(left,)))

    assert "2 dead agents are not ranked: x (401 Unauthorized" in text
    assert "1 agent is not comparable and not ranked: late (joined at snapshot 700" in text


EVERY = (
    judged(),
    judged(*SOLE, claims=(claim("momentum", "scalper", 800),)),
    live(*LEADERS, detectables=(MOMENTUM_AND_SCALPER,), claims=(claim("momentum", "cash", 324),)),
    live(*LEADERS, looks=None, claims=(claim("momentum", "cash", 324, withdrawn=350),)),
    judged(rows=(), reasons={"detectable": "every agent is dead"}),
)


@pytest.mark.parametrize("found", EVERY)
def test_the_verdict_has_no_false_or_repeated_statement(found: Evaluation) -> None:
    """No "could not have been seen", no "first" with "cannot separate", and whole sentences."""
    text = verdict_text(found, rules_changed="the fee changed at snapshot 12")

    assert not re.search(r"could not have been|no agent beats|nobody|is first", text, re.I)
    assert not ("annot separate" in text and "every other" in text)
    assert text.endswith("The fee changed at snapshot 12.")
    assert all(part[:1].isupper() for part in re.split(r"(?<=\.) ", text))

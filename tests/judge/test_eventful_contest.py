"""The texts of a contest in which everything happens are complete and consistent.

Two cells of four repeats, one account that lost everything, one agent that joined late and one that
joined too late, a dead one, and a season of which more than half is played.
"""

from dataclasses import replace

import numpy as np
import pytest

from dashboard.terminal.verdict import verdict_line
from judge.leaderboard import Leaderboard, leaderboard
from judge.leaderboard_text import render_leaderboard
from tests.judge.evaluations import dead
from tests.judge.seasons import BASELINES, entry, make_season

PLANNED, PLAYED = 480, 300
CELLS = tuple(
    entry(f"{s}-gpt-{k}", s, "gpt", seed=k) for s in ("momentum", "scalper") for k in (1, 2, 3, 4)
)
SINGLE = (entry("gambler", "gambler", "gpt"), entry("late", "fader", "gpt"),
          entry("newcomer", "fader", "mini"))  # fmt: skip
JOINED = {"late": 20, "newcomer": 250}


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    """The leaderboard after 300 of 480 snapshots."""
    season = make_season(snapshots=PLAYED, entries=(*CELLS, *SINGLE, *BASELINES[:2]))
    equity, names = season.equity.copy(), season.names
    rise = np.exp(np.arange(PLAYED + 1) * 0.0006)
    for k in (1, 2, 3, 4):
        equity[:, names.index(f"momentum-gpt-{k}")] *= rise
    equity[150:, names.index("gambler")] *= 1e-5
    share = equity / season.equity
    return leaderboard(
        replace(
            season,
            equity=equity,
            cash=season.cash * share,
            exposure=season.exposure * share[:, :, None],
            entries=tuple(replace(e, joined=JOINED.get(e.name, e.joined)) for e in season.entries),
            assumptions=replace(season.assumptions, planned=PLANNED),
            dead=(dead("broken"),),
        ),
        resamples=300,
    )


@pytest.fixture(scope="module")
def text(board: Leaderboard) -> str:
    """The output of `arena judge --once` for it."""
    return render_leaderboard(board.evaluation)


@pytest.mark.parametrize(
    "sentence",
    [
        # The verdict: what is decided, at which look, and for which entrants nothing is.
        "cannot separate momentum-gpt, gambler.",
        "A single period decides the return of gambler, so the evidence leaves its own rank open.",
        "At most 5 seasons in 100 hold any false claim, for each of the two measures, at any look, "
        "over the whole season; crashes rarer than the season are not covered.",
        "1 dead agent is not ranked: broken (401 Unauthorized: the provider refused the key).",
        "1 agent is not comparable and not ranked: newcomer (joined at snapshot 251 of 480",
        # Warnings about the figures.
        "late joined at snapshot 21 of 480",
        "gambler lost 99.999 % of its account",
        "A season cannot show crashes rarer than itself",
        # The leaderboard: the compared part, the units, and the columns.
        "Compared: snapshots 21 to 299 of 300, in which every entrant was present. Ranks, returns, "
        "intervals, vs market, P(best), Sharpe and repeats are for these snapshots; drawdown, "
        "equity, costs and conduct are for each whole account.",
        "Rank sets compare entrants with each other, an interval compares its entrant with zero: "
        "so scalper-gpt ranks 2-6 although its whole interval is below zero.",
        "Sharpe: of log returns, risk-free rate 0, per period, not annualised.",
        "P(best): probability that the entrant is truly the best, shrunken towards an even field.",
        "vs market: return less that of the equal-weight market, an index of all products.",
        "gross: return of the season before fees and slippage; net: after them; net of LLM: after "
        "model calls too.",
        # Repeats.
        "momentum-gpt (4 repeats)",
        "momentum-gpt: 4 repeats, standard deviation ",
    ],
)
def test_every_needed_sentence_is_in_the_text(text: str, sentence: str) -> None:
    """The text has every sentence that is true of this contest."""
    assert sentence in text


def test_every_interim_claim_names_its_look_and_snapshot(board: Leaderboard) -> None:
    """This holds in the verdict and in the list of claims."""
    evaluation = board.evaluation
    look = f"interim, look {evaluation.look} of {evaluation.looks}"
    claims = [c for c in evaluation.claims if c.withdrawn is None]
    text = render_leaderboard(evaluation)

    assert evaluation.interim
    assert claims
    assert evaluation.verdict.startswith(f"I{look[1:]}: cannot separate")
    assert f"Separated ({look}): momentum-gpt beats buy_and_hold" in evaluation.verdict
    listed = text[text.index("Claims\n") : text.index("  Promise: ")].splitlines()[1:]
    assert listed
    assert all(f"({look})" in line for line in listed)
    for one in claims:
        matching = [
            line for line in listed if f"  {one.winner} beats " in line and one.loser in line
        ]
        new = one.snapshots == evaluation.snapshots
        assert any(new or f"since snapshot {one.snapshots}" in line for line in matching)


def test_a_lost_account_prints_no_impossible_figure(text: str) -> None:
    """Figures without a meaning are dashes."""
    words = text.lower().split()

    assert not {"nan", "inf", "-inf", "none", "nan)"} & set(words)
    assert "could not have been" not in text
    assert "-100.0 %" in text
    assert max(len(word.strip("+-%.,()")) for word in words if word[:1] in "+-") < 14


def test_the_leader_is_not_called_first_while_the_top_is_open(text: str) -> None:
    """The dead entry and the newcomer have no row."""
    standings = text[text.index("Standings") : text.index("Rank sets compare")]

    assert "is first" not in text
    assert "broken" not in standings
    assert "newcomer" not in standings
    assert "momentum-gpt-1" not in standings


def test_the_dashboard_line_agrees_with_the_verdict(board: Leaderboard) -> None:
    """80 columns show the look and the top set; wider ones show the counts, too."""
    evaluation = board.evaluation
    narrow, wide = (verdict_line(evaluation, width)[0].plain for width in (80, 120))

    assert (
        f"Interim, look {evaluation.look} of {evaluation.looks}: cannot separate momentum-gpt"
        in narrow
    )
    assert f"{len(evaluation.claims)} claims, {len(evaluation.warnings)} warnings" in wide

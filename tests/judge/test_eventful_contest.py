"""A contest in which everything happens, read by a trader and by a statistician.

Two cells of four repeats, one account that lost everything, one agent that joined late and one that
joined too late, a dead one, and a season of which more than half is played.
"""

from dataclasses import replace

import numpy as np
import pytest

from dashboard.verdict import verdict_line
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
    """What `arena judge --once` prints of it."""
    return render_leaderboard(board.evaluation)


@pytest.mark.parametrize(
    "sentence",
    [
        # The verdict: what can be told, from which look, and of whom nothing can be told.
        "cannot separate momentum-gpt, gambler.",
        "A single period decides the return of gambler, so the evidence leaves its own rank open.",
        "At most 5 seasons in 100 hold any false claim, for each of the two measures, at any look, "
        "over the whole season; crashes rarer than the season are not covered.",
        "1 dead agent is not ranked: broken (401 Unauthorized: the provider refused the key).",
        "1 agent is not comparable and not ranked: newcomer (joined at snapshot 251 of 480",
        # What makes the figures doubtful.
        "late joined at snapshot 21 of 480",
        "gambler lost 99.999 % of its account",
        "A season cannot show crashes rarer than itself",
        # The standings: of which part, in which unit, what each column is.
        "Compared: snapshots 21 to 299 of 300, in which every entrant was present; ranks, returns, "
        "intervals, vs market, P(best), Sharpe and repeats are of them; drawdown, equity, costs "
        "and conduct are of each whole account.",
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
def test_each_sentence_is_there(text: str, sentence: str) -> None:
    """Every sentence that a reader needs is in the text, once it is true."""
    assert sentence in text


def test_every_claim_says_which_look_and_since_when(board: Leaderboard) -> None:
    """During the season no claim is without its look, in the verdict and in the list."""
    said = board.evaluation
    look = f"interim, look {said.look} of {said.looks}"
    claims = [c for c in said.claims if c.withdrawn is None]
    text = render_leaderboard(said)

    assert said.interim
    assert claims
    assert said.verdict.startswith(f"I{look[1:]}: cannot separate")
    assert f"Separated ({look}): momentum-gpt beats buy_and_hold" in said.verdict
    listed = text[text.index("Claims\n") : text.index("  Promise: ")].splitlines()[1:]
    assert listed
    assert all(f"({look})" in line for line in listed)
    for one in claims:
        told = [line for line in listed if f"  {one.winner} beats " in line and one.loser in line]
        new = one.snapshots == said.snapshots
        assert any(new or f"since snapshot {one.snapshots}" in line for line in told)


def test_nothing_impossible_is_printed(text: str) -> None:
    """An account that lost everything gives no figure that is none, and no useless one."""
    words = text.lower().split()

    assert not {"nan", "inf", "-inf", "none", "nan)"} & set(words)
    assert "could not have been" not in text
    assert "-100.0 %" in text
    assert max(len(word.strip("+-%.,()")) for word in words if word[:1] in "+-") < 14


def test_no_entrant_is_first_while_the_top_is_open(text: str) -> None:
    """The one that leads is not called first, and the dead and the newcomer have no row."""
    standings = text[text.index("Standings") : text.index("Rank sets compare")]

    assert "is first" not in text
    assert "broken" not in standings
    assert "newcomer" not in standings
    assert "momentum-gpt-1" not in standings


def test_the_dashboard_line_says_the_same(board: Leaderboard) -> None:
    """At 80 columns the look and what cannot be separated are left; wider, the counts too."""
    said = board.evaluation
    narrow, wide = (verdict_line(said, width)[0].plain for width in (80, 120))

    assert f"Interim, look {said.look} of {said.looks}: cannot separate momentum-gpt" in narrow
    assert f"{len(said.claims)} claims, {len(said.warnings)} warnings" in wide

"""REST gives the answers of the read model."""

from collections.abc import AsyncIterator

import pytest

from dashboard.model import queries
from dashboard.model.frame import build_frame
from dashboard.model.results import Leaderboard, TurnPage
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of
from tests.dashboard.web.serving import Served, serving

STEPS = 12


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """A short season of six agents."""
    return Scenario().run(STEPS)


@pytest.fixture
async def served(scenario: Scenario) -> AsyncIterator[Served]:
    """The app over the season."""
    async with serving(scenario) as found:
        yield found


async def test_leaderboard_is_the_one_of_the_read_model(served: Served, scenario: Scenario) -> None:
    """Every figure is the same, and money is text."""
    view = view_of(scenario.records)
    expected = queries.leaderboard(view, build_frame(view, served.reader.now()))

    answer = await served.client.get("/api/v1/leaderboard")

    assert 200 == answer.status_code
    assert expected.agents == Leaderboard.model_validate_json(answer.content).agents
    assert isinstance(answer.json()["agents"][0]["equity_usd"], str)


async def test_liveness_is_exact(served: Served) -> None:
    """The short path answers with one key."""
    assert {"status": "ok"} == (await served.client.get("/health")).json()


async def test_turns_are_paged(served: Served) -> None:
    """The cursor of a page asks for the next."""
    first = await served.client.get("/api/v1/agents/momentum/turns?limit=5")
    page = TurnPage.model_validate_json(first.content)
    second = await served.client.get(f"/api/v1/agents/momentum/turns?cursor={page.cursor}")

    assert 5 == len(page.turns)
    rest = TurnPage.model_validate_json(second.content)
    assert STEPS == len({one.turn_id for one in (*page.turns, *rest.turns)})
    assert rest.cursor is None


async def test_page_shows_the_leaderboard(served: Served) -> None:
    """The server renders it."""
    answer = await served.client.get("/")

    assert 200 == answer.status_code
    assert "momentum" in answer.text

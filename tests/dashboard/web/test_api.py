"""REST gives the answers of the read model."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

import pytest
from fastapi.routing import APIRoute

from dashboard.model import arena_reader, queries
from dashboard.model.frame import build_frame
from dashboard.model.history import History
from dashboard.model.results import Leaderboard, TurnPage
from dashboard.model.view import ArenaView
from dashboard.web.app import ROUTERS
from dashboard.web.options import WebOptions
from tests.dashboard.scenario import Scenario
from tests.dashboard.views import view_of
from tests.dashboard.web.serving import Served, serving
from tests.operations.commands.cli import ROOT

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


PATHS = (
    "/api/v1/leaderboard",
    "/api/v1/verdict",
    "/api/v1/agents",
    "/api/v1/agents/momentum",
    "/api/v1/agents/momentum/portfolio",
    "/api/v1/agents/momentum/prompt",
    "/api/v1/positions",
    "/api/v1/positions?agent=scalper",
    "/api/v1/trades?agent=momentum&limit=3",
    "/api/v1/prices",
    "/api/v1/equity?points=10",
    "/api/v1/costs",
    "/api/v1/health",
    "/api/v1/runs",
    "/market/symbols",
    "/market/BTC-USD/latest",
    "/portfolio?agent=momentum",
    "/trades?limit=5",
)


@pytest.mark.parametrize("path", PATHS)
async def test_known_answer_is_not_sent_again(served: Served, path: str) -> None:
    """The ETag of an answer asks whether it is still the same."""
    first = await served.client.get(path)
    headers = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    second = await served.client.get(path, headers=headers)

    assert 200 == first.status_code
    assert "application/json" == first.headers["content-type"]
    assert "private, no-cache" == first.headers["cache-control"]
    assert second.status_code in (200, 304)
    if second.status_code == 304:
        assert b"" == second.content
        assert first.headers["etag"] == second.headers["etag"]
    else:
        assert first.headers["etag"] != second.headers["etag"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/nothing", 404, "GET /nothing"),
        ("/api/v1/agents/unknown", 404, "unknown agent 'unknown'"),
        ("/api/v1/agents/momentum/turns/none", 404, "no turn"),
        ("/api/v1/agents/momentum/turns?cursor=x", 422, "cursor"),
        ("/api/v1/agents/momentum/turns?limit=0", 422, "limit"),
        ("/api/v1/agents/momentum/turns?limit=101", 422, "limit"),
        ("/api/v1/candles/NOPE", 404, "unknown product 'NOPE'"),
        ("/api/v1/candles/BTC-USD?granularity=9y", 404, "granularities"),
        ("/market/NOPE/latest", 404, "unknown product 'NOPE'"),
        ("/portfolio", 422, "agent"),
        ("/portfolio?agent=unknown", 404, "unknown agent"),
        ("/trades?cursor=1:2", 422, "cursor"),
        ("/api/v1/trace/none", 404, "unknown order"),
    ],
)
async def test_error_is_json_with_message_and_remedy(
    served: Served, path: str, status: int, words: str
) -> None:
    """Also for paths that do not exist."""
    answer = await served.client.get(path)
    error = answer.json()["error"]

    assert status == answer.status_code == error["status"]
    assert words in f"{error['message']}; {error['remedy']}"
    assert {"status", "message", "remedy"} == set(error)


async def test_browser_gets_errors_as_a_page(served: Served) -> None:
    """With the same words."""
    answer = await served.client.get("/agents/unknown", headers={"Accept": "text/html"})

    assert 404 == answer.status_code
    assert answer.headers["content-type"].startswith("text/html")
    assert "unknown agent" in answer.text


async def test_large_answer_is_compressed_once(served: Served) -> None:
    """With the same content."""
    plain = await served.client.get("/api/v1/leaderboard", headers={"Accept-Encoding": "identity"})
    packed = await served.client.get("/api/v1/leaderboard", headers={"Accept-Encoding": "gzip"})

    assert "gzip" == packed.headers["content-encoding"]
    assert plain.json()["agents"] == packed.json()["agents"]


async def test_prompt_is_the_one_of_the_turn(served: Served) -> None:
    """The newest one, and that of a turn by its id."""
    newest = (await served.client.get("/api/v1/agents/momentum/prompt")).json()
    path = f"/api/v1/agents/momentum/turns/{newest['turn_id']}"
    turn = (await served.client.get(path)).json()
    same = (await served.client.get(f"{path}/prompt")).json()

    assert newest == same
    assert turn["prompt"] == newest["messages"]
    assert turn["prompt_sha256"] == newest["sha256"]


async def test_hidden_prompts_are_in_no_answer(scenario: Scenario) -> None:
    """Neither in pages nor in JSON: no prompt, no words, no arguments."""
    async with serving(scenario, WebOptions(hide_prompts=True)) as served:
        client = served.client
        page = TurnPage.model_validate_json(
            (await client.get("/api/v1/agents/momentum/turns?limit=100")).content
        )
        paths = ["/", "/agents/momentum", "/api/v1/agents/momentum/prompt"]
        for one in page.turns:
            paths += [
                f"/api/v1/agents/momentum/turns/{one.turn_id}",
                f"/agents/momentum/turns/{one.turn_id}",
            ]
        texts = {path: (await client.get(path)).text for path in paths}

    for path, text in texts.items():
        for words in ("You trade on momentum", "1m close", "Fees eat this edge", "BTC-USD 1m"):
            assert words not in text, path
    assert {""} == {one.words for one in page.turns}


async def test_documentation_loads_nothing_from_elsewhere(served: Served) -> None:
    """The page names every path of the description."""
    spec = (await served.client.get("/api/openapi.json")).json()
    page = (await served.client.get("/api/docs")).text

    assert "http" not in page.replace("http://127.0.0.1", "")
    for path in spec["paths"]:
        assert path in page
    assert "<script" not in page


@pytest.mark.parametrize("path", ["/api/v1/trades", "/api/v1/agents/momentum/turns"])
async def test_page_of_entries_is_read_once_a_moment(
    scenario: Scenario, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Viewers share it; other parameters are another page."""
    monkeypatch.setattr(arena_reader.ArenaReader.moment, "__kwdefaults__", {"max_age_s": 1e9})
    read: list[str] = []
    for name in ("trades", "turns"):
        given = getattr(History, name)

        def noted(*words: object, given: Any = given, name: str = name) -> Any:
            read.append(name)
            return given(*words)

        monkeypatch.setattr(History, name, noted)
    async with serving(scenario) as served:
        answers = [await served.client.get(f"{path}?limit={limit}") for limit in (5, 5, 6, 5, 6)]

    assert 2 == len(read)
    assert [200] * 5 == [one.status_code for one in answers]
    assert [5, 5, 6, 5, 6] == [
        len(one.json().get("turns", one.json().get("trades"))) for one in answers
    ]


def test_moment_keeps_a_bounded_number_of_answers() -> None:
    """The moment of a run that has ended lasts forever, and anyone may ask for anything."""
    moment = arena_reader.Moment(1, 1, build_frame(ArenaView(), datetime.now(UTC)), 0.0)
    for number in range(arena_reader.ANSWERS_MAX + 1):
        assert number == moment.once(f"answer {number}", partial(int, number))

    assert moment.known("answer 0") is None
    assert 1 == moment.known("answer 1")


def test_no_request_waits_for_a_thread() -> None:
    """FastAPI runs what is not asynchronous in threads, milliseconds later on a busy machine."""
    calls = [
        call
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for call in (route.endpoint, *(one.call for one in route.dependant.dependencies))
    ]

    assert len(calls) > 2 * len(ROUTERS)
    assert [] == [call for call in calls if not iscoroutinefunction(call)]


async def test_document_has_every_path(served: Served) -> None:
    """docs/rest.md has the paths and methods of the description, and no others."""
    spec = (await served.client.get("/api/openapi.json")).json()
    described = {
        f"{method.upper()} {path}" for path, one in spec["paths"].items() for method in one
    }
    rows = (ROOT / "docs/rest.md").read_text(encoding="utf-8")

    assert described == set(re.findall(r"^\| `([A-Z]+ \S+)` \|", rows, re.MULTILINE))


async def test_static_file_is_sent_again_only_if_it_changed(served: Served) -> None:
    """The browser asks by the ETag, so a page never has the files of an earlier version."""
    asked = await served.client.get("/static/page.css")
    again = await served.client.get(
        "/static/page.css", headers={"If-None-Match": asked.headers["etag"]}
    )

    assert "no-cache" == asked.headers["cache-control"]
    assert 304 == again.status_code

"""The pages show the results, escape everything, and are whole without scripts."""

import asyncio
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from arena import topics
from arena.messages import Heartbeat
from arena.page.verdict_words import pieces
from dashboard.model import queries
from dashboard.model.arena_reader import RunIdentity
from dashboard.web.options import WebOptions
from dashboard.web.page import formats
from dashboard.web.static_files import STATIC
from tests.dashboard.failing_scenario import ALWAYS, WRONG_KEY, FailingScenario
from tests.dashboard.model.test_verdict import WORDS, judged
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.serving import Served, serving

READ_S = 30
LIVE_PARTS = ("judge", "leaderboard", "dead", "curves", "reasoning", "market", "positions",
              "trades", "costs", "state", "bar")  # fmt: skip


class Page(HTMLParser):
    """A page as text by element id, and its tags.

    Attributes:
        texts: Id -> the text in the element with it.
        tags: Every start tag with its attributes.
    """

    VOID = ("meta", "link", "input", "br", "line", "rect", "circle", "path")

    def __init__(self, text: str) -> None:
        """Parse a page."""
        super().__init__()
        self.texts: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in self.VOID:
            self._open.append(found.get("id") or "")
            self.texts.setdefault(self._open[-1], "")

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        if tag not in self.VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Add text to every open element."""
        for name in set(self._open):
            self.texts[name] += data


async def get(served: Served, path: str, status: int = 200) -> Page:
    """A page of the app."""
    answer = await served.client.get(path)
    assert status == answer.status_code, answer.text[:500]
    return Page(answer.text)


async def test_live_page_shows_the_verdict_word_for_word() -> None:
    """The text of #verdict is the judge's; ranks and intervals are in the leaderboard."""
    scenario = Scenario().run(20)
    scenario.write(topics.EVALUATIONS.name, judged(scenario), "x")
    async with serving(scenario) as served:
        page = await get(served, "/")

    assert WORDS == page.texts["verdict"]
    assert "−1.23 to +0.45 %" in page.texts["leaderboard"]
    assert "Inside the same ranks the order is not a result." in page.texts["leaderboard"]
    assert "Interim." in page.texts["judge"]


async def test_without_a_judge_no_rank_is_claimed() -> None:
    """Returns and drawdowns are shown, and the page says how to get a verdict."""
    async with serving(Scenario().run(20)) as served:
        page = await get(served, "/")
        board = queries.leaderboard(served.reader.view, served.reader.moment().frame)

    assert "verdict" not in page.texts
    assert "No verdict No judge runs: arena judge starts one" in page.texts["no-verdict"]
    assert "no rank is claimed" in page.texts["no-verdict"]
    losses = [one.max_drawdown_pct for one in board.agents if one.max_drawdown_pct]
    assert losses
    for loss in losses:
        assert formats.pct(-loss) in page.texts["leaderboard"]
    assert "Without a judge the order is not a result." in page.texts["leaderboard"]


async def test_missing_verdict_is_explained() -> None:
    """A judge that runs has not evaluated yet; a run that ended has no evaluation."""
    now = datetime.now(UTC)
    beat = Heartbeat(
        node="judge/judge/alpha/1", kind="judge", name="judge", host="alpha", pid=1,
        started_at=now, at=now,
    )  # fmt: skip
    async with serving(Scenario().run(2)) as served:
        await served.bus.append(topics.HEARTBEATS.name, beat, key=beat.node)
        async with asyncio.timeout(READ_S):
            words = ""
            while "yet" not in words:
                await asyncio.sleep(0.01)
                words = (await get(served, "/")).texts["no-verdict"]
    ended = WebOptions(run=RunIdentity(ended="ended 22:39"))
    async with serving(Scenario().run(2), ended) as served:
        page = await get(served, "/")

    assert "No verdict yet The judge runs, and has not evaluated yet." in words
    assert "No verdict The run ended without an evaluation." in page.texts["no-verdict"]


async def test_dead_agents_are_apart_with_cause_since_and_remedy() -> None:
    """They have no row in the leaderboard."""
    scenario = FailingScenario(fails={"scalper": ALWAYS}).run(8)
    async with serving(scenario) as served:
        page = await get(served, "/")
        (dead,) = queries.leaderboard(served.reader.view, served.reader.moment().frame).dead

    assert WRONG_KEY in page.texts["dead"]
    assert dead.remedy in page.texts["dead"]
    assert dead.since is not None
    assert f"{dead.since:%H:%M:%S}" in page.texts["dead"]
    assert "scalper" not in page.texts["leaderboard"]


async def test_feed_of_an_ended_run_has_no_age() -> None:
    """A run that ended years ago has no silent feed: its feed ended."""
    options = WebOptions(run=RunIdentity(ended="ended 22:39"))
    async with serving(Scenario().run(3), options) as served:
        live, nodes = await get(served, "/"), await get(served, "/nodes")

    assert "Feed ended" in " ".join(live.texts["bar"].split())
    assert "Feedended" in "".join(nodes.texts["feed"].split())


async def test_empty_arena_says_what_is_missing() -> None:
    """Every panel says why it has nothing."""
    async with serving(Scenario(agents=())) as served:
        page = await get(served, "/")

    for part, reason in (
        ("leaderboard", "No agent yet"),
        ("curves", "No curve yet"),
        ("reasoning", "No turn yet"),
        ("market", "No price yet"),
        ("context", "No news"),
        ("positions", "No position"),
        ("trades", "No trade yet"),
    ):
        assert reason in page.texts[part], part


@pytest.mark.parametrize("part", LIVE_PARTS)
async def test_each_part_can_be_asked_for_alone(part: str) -> None:
    """An open page replaces only what changed; the text is that of the whole page."""
    async with serving(Scenario().run(6)) as served:
        await get(served, "/")
        whole = await get(served, "/")
        alone = await get(served, f"/?parts={part}")

    assert ["html"] != [tag for tag, _ in alone.tags][:1]
    assert part in alone.texts
    if part not in ("state", "bar"):
        assert whole.texts[part].split() == alone.texts[part].split()


async def test_unknown_part_is_refused() -> None:
    """The error lists the parts."""
    async with serving(Scenario().run(1)) as served:
        answer = await served.client.get("/?parts=nonsense")

    assert 422 == answer.status_code
    assert "leaderboard" in answer.text


async def test_no_page_has_inline_script_or_style() -> None:
    """A strict content security policy blocks nothing of ours."""
    scenario = FailingScenario(fails={"scalper": ALWAYS}).run(8)
    async with serving(scenario) as served:
        turns = (await served.client.get("/api/v1/agents/momentum/turns")).json()["turns"]
        paths = ["/", "/agents/momentum", "/nodes", f"/agents/momentum/turns/{turns[0]['turn_id']}"]
        pages = [await get(served, path) for path in paths]

    for page in pages:
        for tag, attributes in page.tags:
            assert tag != "style"
            assert tag != "script" or (attributes.get("src") or "").startswith("/static/")
            assert not [name for name in attributes if name.startswith("on") or name == "style"]


async def test_turn_page_has_the_exact_prompt() -> None:
    """Prompt, tool calls, tokens and costs of a turn are on its page."""
    async with serving(Scenario().run(12)) as served:
        turns = (await served.client.get("/api/v1/agents/momentum/turns")).json()["turns"]
        traded = next(one for one in turns if one["orders"])
        page = await get(served, f"/agents/momentum/turns/{traded['turn_id']}")
        text = (await served.client.get(f"/agents/momentum/turns/{traded['turn_id']}")).text

    assert "You trade on momentum. Be brief." in page.texts["main"]
    assert "BTC-USD 1m close 67059.10 volume 0.59" in page.texts["main"]
    assert "execute_trade" in page.texts["main"]
    assert f"/verify/{traded['orders'][0]}" in text


async def test_turn_names_the_news_that_its_prompt_showed() -> None:
    """By id, on its page and in REST."""
    scenario = Scenario().run(3)
    scenario.snapshot()
    scenario.end_turn(scenario.begin_turn("momentum"), None, "words", context=["n1", "f1"])
    async with serving(scenario) as served:
        path = "agents/momentum/turns"
        newest = (await served.client.get(f"/api/v1/{path}")).json()["turns"][0]["turn_id"]
        detail = (await served.client.get(f"/api/v1/{path}/{newest}")).json()
        page = await get(served, f"/{path}/{newest}")

    assert ["n1", "f1"] == detail["context"]
    assert "News and facts shown: n1, f1" in page.texts["main"]


@pytest.mark.parametrize(
    "verdict",
    [
        WORDS,
        "No snapshot yet: there is nothing to judge.",
        "Cannot separate #1-#2 (a, b). A true difference of 3.1 % would be found.",
        "Over 16 days, a is separated from every other entrant. 2 dead agents are not ranked: "
        "b (401 Unauthorized.), c (no answer within 60 s).",
        "",
        "Interim: ",
        "x" * 500,
    ],
)
def test_pieces_of_the_verdict_are_the_whole_verdict(verdict: str) -> None:
    """Typesetting changes sizes, not words."""
    assert verdict == "".join(piece.words for piece in pieces(verdict))


def test_list_of_names_ends_the_headline() -> None:
    """What follows "..." is a sentence of its own, in a smaller size."""
    head = "Cannot separate cash, nano, rules, buy-and-hold, ..."
    found = pieces(f"{head} Between cash and nano, a true difference of 6.4 % is found.")

    assert ("hero", head) == found[0]
    assert "second" == found[2].style


def test_own_module_stays_small() -> None:
    """The only script of our own has fewer than 300 lines."""
    own = [path for path in STATIC.glob("*") if path.suffix in (".js", ".mjs")]

    assert ["page.js"] == [path.name for path in own]
    assert len(own[0].read_text(encoding="utf-8").splitlines()) < 300


async def test_browsers_get_errors_as_pages_and_programs_as_json() -> None:
    """Status and words are the same."""
    async with serving(Scenario().run(1)) as served:
        found = await served.client.get("/agents/unknown", headers={"Accept": "text/html"})
        plain = await served.client.get("/agents/unknown")

    assert (404, 404) == (found.status_code, plain.status_code)
    assert plain.json()["error"]["message"].replace("'", "&#39;") in found.text
    assert "text/html" in found.headers["content-type"]

"""One arena as every skin shows it: terminal, its document, page, REST, the short paths.

The skins read the same topics, each by its own code; tests compare what they show.
"""

import asyncio
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from arena import topics
from arena.clock import SystemClock
from arena.tasks import run_until_first_ends
from dashboard.model import agent_queries, market_queries, price_history, queries, run_queries
from dashboard.model.arena_reader import RunIdentity
from dashboard.model.context_notes import context_notes
from dashboard.model.frame import build_frame
from dashboard.model.results import (
    AgentCoaching,
    ContextNotes,
    Costs,
    Health,
    IndicatorValues,
    Leaderboard,
    PortfolioResult,
    Position,
    PriceHistory,
    Prices,
    RenderedPrompt,
    Runs,
    Trade,
    TurnDetail,
    TurnSummary,
    Verdict,
)
from dashboard.model.topic_follower import TopicFollower
from dashboard.model.view import ArenaView
from dashboard.terminal.app import DashboardOptions, ScreenSession, show_once
from dashboard.terminal.screen import render
from dashboard.terminal.ui import Ui
from dashboard.web.options import WebOptions
from tests.dashboard.coaching import coached
from tests.dashboard.failing_scenario import ALWAYS, FailingScenario
from tests.dashboard.indicators import INDICATORS
from tests.dashboard.model.test_halts import halted
from tests.dashboard.news import news_at
from tests.dashboard.scenario import Scenario
from tests.dashboard.shadows import tried
from tests.dashboard.web.serving import Served, serving
from tests.judge.test_dead_entries import board_of
from tests.operations.supervisor.test_runs import make_run

AGENT, DEAD = "momentum", "scalper"
WIDTH, HEIGHT = 300, 110
TRADES, TURNS = 12, 8
READY_S = 30
VOID = ("meta", "link", "input", "br")
CELLS = ("td", "th", "dd")
UNREAD = ("hidden", "label")
"""Classes of texts that are for screen readers and phones."""

Json = Any  # Any: JSON of any shape.
Row = tuple[str, ...]


@dataclass(slots=True)
class Node:
    """An element of a page."""

    tag: str
    attributes: Mapping[str, str | None]
    children: list["Node | str"] = field(default_factory=list)

    def all(self, tag: str, css: str = "") -> list["Node"]:
        """The elements inside with a tag and, if given, a class."""
        nodes = [one for one in self.children if isinstance(one, Node)]
        found = [[one] * one.matches(tag, css) + one.all(tag, css) for one in nodes]
        return [one for some in found for one in some]

    def matches(self, tag: str, css: str) -> bool:
        """True if it has this tag and class."""
        classes = (self.attributes.get("class") or "").split()
        return tag == self.tag and (not css or css in classes)

    @property
    def text(self) -> str:
        """The text that a reader sees, without drawings, on one line."""
        classes = (self.attributes.get("class") or "").split()
        if self.tag == "svg" or any(one in classes for one in UNREAD):
            return ""
        texts = (one if isinstance(one, str) else one.text for one in self.children)
        return (
            " ".join("".join(texts).split()) if self.tag in ("td", "th", "dd") else "".join(texts)
        )


class Page(HTMLParser):
    """A page of the web app as a tree."""

    def __init__(self, text: str) -> None:
        """Parse a page."""
        super().__init__()
        self.root = Node("page", {})
        self.ids: dict[str, Node] = {}
        self._open = [self.root]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        found = Node(tag, dict(attrs))
        self.ids[found.attributes.get("id") or ""] = found
        self._open[-1].children.append(found)
        if tag not in VOID:
            self._open.append(found)

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Add text to the open element."""
        self._open[-1].children.append(data)

    def rows(self, part: str, section: str = "tbody") -> list[Row]:
        """The cells of every row in the bodies of a part's tables, or in another section."""
        bodies = self.ids[part].all(section)
        rows = [row for body in bodies for row in body.all("tr")]
        return [
            tuple(c.text for c in row.children if isinstance(c, Node) and c.tag in ("td", "th"))
            for row in rows
        ]

    def facts(self, part: str) -> dict[str, str]:
        """The terms of a part with their descriptions."""
        terms, texts = self.ids[part].all("dt"), self.ids[part].all("dd")
        return {a.text: b.text for a, b in zip(terms, texts, strict=True)}


@dataclass(frozen=True, slots=True)
class Skins:
    """What every skin shows.

    Attributes:
        document: `arena dashboard --once --json`.
        screen: `arena dashboard --once`, on a large terminal.
        agent_screen, prompt_screen: The screens of `AGENT`'s newest turn.
        coaching_screen: Its evaluations and the versions of its prompt.
        market_screen: The terminal after the key m.
        pages: Path -> page.
        rest: Path -> JSON.
    """

    document: Json
    screen: str
    agent_screen: str
    prompt_screen: str
    coaching_screen: str
    market_screen: str
    pages: Mapping[str, Page]
    rest: Mapping[str, Json]

    def pane(self, title: str, screen: str = "") -> list[Row]:
        """The cells of a pane's lines; two spaces part cells."""
        lines = (screen or self.screen).splitlines()
        at = next(n for n, line in enumerate(lines) if re.search(rf"[├┌┬][▸ ]{title} ", line))
        place = lines[at].index(title)
        left = max(lines[at].rfind(mark, 0, place) for mark in "├┌┬")
        right = min(n for mark in "┬┐┤" if (n := lines[at].find(mark, place)) > 0)
        found = []
        for line in lines[at + 1 :]:
            if line[left] in "├└┴┼":
                break
            found.append(tuple(re.split(r"\s{2,}", line[left + 1 : right].strip(" ›"))))
        return found


@dataclass(frozen=True, slots=True)
class Truth:
    """The read layer's typed results."""

    leaderboard: Leaderboard
    verdict: Verdict
    portfolios: Mapping[str, PortfolioResult]
    positions: Sequence[Position]
    trades: Sequence[Trade]
    prices: Prices
    history: PriceHistory
    costs: Costs
    health: Health
    runs: Runs
    turns: Sequence[TurnSummary]
    turn: TurnDetail
    prompt: RenderedPrompt
    news: ContextNotes
    indicators: IndicatorValues
    coaching: AgentCoaching


def show_all(home: Path) -> tuple[Truth, Skins]:
    """Play an arena with a verdict, a dead agent, a halt and runs, and ask every skin.

    Args:
        home: An empty folder.
    """
    for number, name in enumerate(("first", "second")):
        make_run(home, name, datetime(2026, 11, 20 + number, 9, tzinfo=UTC))
    scenario = FailingScenario(fails={DEAD: ALWAYS})
    scenario.context = news_at(scenario.venue)
    scenario.indicators = INDICATORS
    scenario.run(54)
    coached(scenario, AGENT, 4)
    tried(scenario, AGENT)
    scenario.write(topics.EVALUATIONS.name, board_of(scenario).evaluation, "judge")
    halted(scenario, "brainrot", "it bets the house")
    options = WebOptions(run=RunIdentity(home=home))
    return asyncio.run(_ask(scenario, options))


async def _ask(scenario: Scenario, options: WebOptions) -> tuple[Truth, Skins]:
    # REST and the short paths keep answers of a moment: each has a reader of its own.
    async with serving(scenario, options) as served, serving(scenario, options) as short:
        for one in (served, short):
            assert await one.reader.ready(READY_S)
        truth = await _truth(served, options)
        return truth, await _skins(served, short, truth)


async def _truth(served: Served, options: WebOptions) -> Truth:
    reader, view, frame = served.reader, served.reader.view, served.reader.moment().frame
    board, verdict = queries.leaderboard(view, frame), queries.verdict(view)
    page = await reader.history.turns(view, AGENT, TURNS)
    turn = await reader.history.turn(view, AGENT, page.turns[0].turn_id)
    trades = await reader.history.trades(view, limit=TRADES)
    history = price_history.price_history(view, price_history.products(view)[0])
    assert verdict is not None
    assert options.run.home is not None
    return Truth(
        leaderboard=board,
        verdict=verdict,
        portfolios={one.agent: queries.portfolio(frame, one.agent) for one in board.agents},
        positions=queries.positions(frame),
        trades=trades.trades,
        prices=queries.prices(view, frame),
        history=history,
        costs=queries.costs(view, frame),
        health=queries.health(frame, reader.read_status()),
        runs=run_queries.runs(options.run.home),
        turns=page.turns,
        turn=turn,
        prompt=agent_queries.rendered_prompt(turn),
        news=context_notes(view),
        indicators=market_queries.indicators(view, "BTC-USD"),
        coaching=agent_queries.coaching(view, frame, AGENT),
    )


async def _skins(served: Served, other: Served, truth: Truth) -> Skins:
    agents = [one.agent for one in truth.leaderboard.agents]
    turn = f"/agents/{AGENT}/turns/{truth.turn.summary.turn_id}"
    pages = ("/", "/nodes", "/runs", turn, *(f"/agents/{name}" for name in agents))
    api = [
        "context",
        "indicators/BTC-USD",
        "leaderboard",
        "verdict",
        "positions",
        "prices",
        "costs",
        "health",
        "runs",
        f"agents/{AGENT}/coaching",
    ]
    api += [f"trades?limit={TRADES}", f"agents/{AGENT}/turns?limit={TURNS}", f"{turn[1:]}/prompt"]
    api += [f"agents/{name}/portfolio" for name in agents]
    short = ["/market/symbols", f"/trades?limit={TRADES}"]
    short += [f"/portfolio?agent={name}" for name in agents]
    short += [f"/market/{one.product_id}/latest" for one in truth.prices.prices]
    follower = TopicFollower(served.bus, SystemClock(), ArenaView())
    await follower.open()
    following = asyncio.ensure_future(run_until_first_ends(follower.follow()))
    try:
        document = await _printed(follower, as_json=True)
        screen = await _printed(follower, as_json=False)
        frame = build_frame(follower.view, follower.now(), agent=AGENT)
        market_screen = _market_screen(follower)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await follower.close()
    return Skins(
        document=json.loads(document),
        screen=screen,
        agent_screen=_drawn(render(frame, Ui(screen="agent", agent=AGENT), WIDTH, HEIGHT).lines),
        market_screen=market_screen,
        coaching_screen=_drawn(
            render(frame, Ui(screen="coaching", agent=AGENT), WIDTH, HEIGHT).lines
        ),
        prompt_screen=_drawn(render(frame, Ui(screen="prompt", agent=AGENT), WIDTH, HEIGHT).lines),
        pages={path: Page(await _get(served, path)) for path in pages},
        rest={path: json.loads(await _get(served, f"/api/v1/{path}")) for path in api}
        | {path: json.loads(await _get(other, path)) for path in short},
    )


def _market_screen(follower: TopicFollower) -> str:
    """What the terminal shows after the key m."""
    session = ScreenSession(follower, DashboardOptions())
    session.draw(WIDTH, HEIGHT)
    session.key("m")
    session.follow_keys()
    return _drawn(session.draw(WIDTH, HEIGHT).lines)


async def _printed(follower: TopicFollower, *, as_json: bool) -> str:
    options = DashboardOptions(once=True, as_json=as_json, width=WIDTH, height=HEIGHT)
    with redirect_stdout(io.StringIO()) as out:
        await show_once(follower, SystemClock(), options)
    return out.getvalue()


def _drawn(lines: Iterable[Any]) -> str:  # Any: rich's Text.
    return "\n".join(line.plain for line in lines)


async def _get(served: Served, path: str) -> str:
    answer = await served.client.get(path)
    assert 200 == answer.status_code, answer.text[:300]
    return answer.text

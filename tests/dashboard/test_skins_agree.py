"""Every skin gives the same answer to the same question, in its own format.

A row of `QUESTIONS` is a question; its columns are the skins. Each column has what the skin shows
and how it writes an item of the read layer's answer, or why it does not show it. A new skin is one
more name in `SKINS`: every row must then have a column for it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from dashboard import text
from dashboard.web.page import formats
from tests.dashboard import coaching_columns as of
from tests.dashboard.indicator_columns import INDICATOR_COLUMNS
from tests.dashboard.news_columns import CONTEXT_COLUMNS, NEWEST_COLUMNS
from tests.dashboard.skin_columns import (
    Column,
    accounts,
    alive,
    cells,
    change,
    document,
    fields,
    in_order,
    judged,
    page_board,
    page_costs,
    page_facts,
    page_position,
    page_process,
    page_rank,
    page_rows,
    page_trade,
    page_turn,
    page_turns,
    percent,
    picked,
    rest,
    screen_costs,
    screen_halts,
    screen_position,
    screen_prompt,
    screen_rank,
    screen_trade,
    screen_trades,
    turn_path,
    usd,
    words,
)
from tests.dashboard.skins import AGENT, TRADES, TURNS, Skins, Truth, show_all

SKINS = ("document", "screen", "page", "rest", "short")
"""`--once --json`, the drawn terminal, HTML, `/api/v1`, and `/portfolio`, `/trades`, `/market`."""

API_TRADES, TURN_LIST = f"trades?limit={TRADES}", f"agents/{AGENT}/turns?limit={TURNS}"
STANDING = ("agent", "return_pct", "equity_usd", "cash_usd", "realised_usd")
JUDGED = ("rank_low", "rank_high", "return_low", "return_high")
RETURNS = ("agent", *JUDGED, "total_return", "excess_return", "drawdown")
POSITION = ("agent", "product_id", "quantity", "average_cost", "bid", "value", "unrealised")
TRADE = ("order_id", "agent", "action", "quantity", "product_id", "seen", "price", "fee", "reason")
COSTS = ("agent", "fees_usd", "slippage_usd", "latency_cost_usd", "tokens", "cost_usd")
PROCESS = ("kind", "name", "status", "alive", "lag", "dead_letters")
DEAD, COUNTS = ("agent", "cause", "turns", "remedy"), ("agent", "trades", "rejections", "turns")
HALT, PRICE = ("scope", "reason", "by", "obeyed"), ("product_id", "price", "best_bid", "best_ask")
TURN = ("turn_id", "outcome", "words", "orders", "tokens", "cost_usd", "total_ms")
ABOUT_AGENTS, ONE_RUN = "it is about agents, not about the market", "it is about one run"
NO_PATH = "the short paths have portfolios, trades and prices"
PORTFOLIO, API_PORTFOLIO = "/portfolio?agent={}", "agents/{}/portfolio"


@dataclass(frozen=True, slots=True)
class Question:
    """A question: the read layer's answer, an item for each row that a skin shows."""

    answer: Callable[[Truth], Sequence[object]]
    columns: Mapping[str, Column | str]


QUESTIONS = {
    "return, equity, cash, profit": Question(
        alive,
        {
            "document": fields(in_order(document("agents"), alive), *STANDING),
            "screen": Column(
                cells(alive, "agent", "return", "equity", "realised"),
                lambda a: (
                    a.agent, percent(a.return_pct), usd(a.equity_usd), change(a.realised_usd),
                ),
            ),
            "page": Column(
                page_facts("Return now", "Equity, USD", "Cash", "Realised"),
                lambda a: (
                    formats.pct(a.return_pct), formats.money(a.equity_usd),
                    formats.money(a.cash_usd), formats.gain(a.realised_usd),
                ),
            ),
            "rest": fields(in_order(rest("leaderboard", "agents"), alive), *STANDING),
            "short": fields(in_order(accounts(PORTFOLIO), alive), *STANDING),
        },
    ),
    "number of trades, rejections, turns": Question(
        alive,
        {
            "document": fields(in_order(document("agents"), alive), *COUNTS),
            "screen": Column(
                cells(alive, "agent", "trades", "rej", "turns"),
                lambda a: (a.agent, *map(text.count, (a.trades, a.rejections, a.turns))),
            ),
            "page": Column(
                page_facts("Trades", "Rejected", "Turns"),
                lambda a: (f"{a.trades:,}", f"{a.rejections:,}", f"{a.turns:,}"),
            ),
            "rest": fields(in_order(accounts(API_PORTFOLIO), alive), *COUNTS),
            "short": fields(in_order(accounts(PORTFOLIO), alive), *COUNTS),
        },
    ),
    "when agents are asked, and how often they were not": Question(
        alive,
        {
            "document": fields(in_order(document("agents"), alive), "agent", "gates"),
            "screen": "the screen of an agent has it",
            "page": Column(
                page_facts("Gates", "Not asked"),
                lambda a: (a.gates.settings, formats.not_asked(a.gates)),
            ),
            "rest": fields(in_order(rest("leaderboard", "agents"), alive), "agent", "gates"),
            "short": fields(in_order(accounts(PORTFOLIO), alive), "agent", "gates"),
        },
    ),
    "order, ranks, returns and intervals of the judge": Question(
        lambda t: t.verdict.rows,
        {
            "document": fields(judged(document("agents")), *JUDGED),
            "screen": Column(
                cells(lambda t: t.verdict.rows, "agent", "ranks", "90% interval"), screen_rank
            ),
            "page": Column(page_board, page_rank),
            "rest": fields(rest("verdict", "rows"), *RETURNS),
            "short": fields(judged(accounts(PORTFOLIO)), *JUDGED),
        },
    ),
    "words of the judge": Question(
        lambda t: [t.verdict.words],
        {
            "document": words(lambda s, _: [s.document["verdict"]["words"]], str),
            # The terminal's line leaves out the last sentence: the dead have lines of their own.
            "screen": words(
                lambda s, _: [s.pane("ranking")[-1][0].partition(": ")[2]],
                lambda said: said.partition(" 1 dead agent")[0],
            ),
            "page": words(lambda s, _: [s.pages["/"].ids["verdict"].text], str),
            "rest": words(lambda s, _: [s.rest["verdict"]["words"]], str),
            "short": NO_PATH,
        },
    ),
    "positions": Question(
        lambda t: t.positions,
        {
            "document": Column(
                lambda s, _: [
                    (one["agent"], product, quantity)
                    for one in s.document["agents"]
                    for product, quantity in sorted(one["positions"].items())
                    if Decimal(quantity)
                ],
                lambda p: picked([p.model_dump(mode="json")], POSITION[:3])[0],
            ),
            "screen": Column(
                lambda s, _: [row[:6] for row in s.pane("positions")[1:] if row != ("",)],
                screen_position,
            ),
            "page": Column(page_rows("/", "positions", slice(7)), page_position),
            "rest": fields(rest("positions", "positions"), *POSITION),
            "short": fields(
                lambda s, t: [
                    one
                    for agent in t.leaderboard.agents
                    for one in s.rest[PORTFOLIO.format(agent.agent)]["positions"]
                ],
                *POSITION,
            ),
        },
    ),
    "newest orders, with prices seen and paid": Question(
        lambda t: t.trades,
        {
            "document": "it counts orders",
            "screen": Column(screen_trades, screen_trade),
            "page": Column(page_rows("/", "trades", most=TRADES), page_trade),
            "rest": fields(rest(API_TRADES, "trades"), *TRADE),
            "short": fields(rest(f"/{API_TRADES}", "trades"), *TRADE),
        },
    ),
    "newest prices": Question(
        lambda t: t.prices.prices,
        {
            "document": ABOUT_AGENTS,
            "screen": "it shows the bids of positions",
            "page": "it shows the bids at the snapshots",
            "rest": fields(rest("prices", "prices"), *PRICE),
            "short": fields(
                lambda s, _: [
                    s.rest[f"/market/{symbol}/latest"]["price"]
                    for symbol in s.rest["/market/symbols"]["symbols"]
                ],
                *PRICE,
            ),
        },
    ),
    "indicators": Question(lambda t: t.indicators.rows, INDICATOR_COLUMNS),
    "news and facts": Question(lambda t: t.news.items, CONTEXT_COLUMNS),
    "newest item of news and facts": Question(lambda t: t.news.items[:1], NEWEST_COLUMNS),
    "evaluations of an agent": Question(lambda t: t.coaching.evaluations, of.EVALUATION_COLUMNS),
    "versions of a prompt": Question(lambda t: t.coaching.prompts, of.VERSION_COLUMNS),
    "trials of a text": Question(lambda t: t.coaching.trials, of.TRIAL_COLUMNS),
    "shadow agents of a trial": Question(lambda t: t.coaching.trials[0].shadows, of.SHADOW_COLUMNS),
    "bids at the snapshots": Question(
        lambda t: t.history.bars,
        {
            "document": ABOUT_AGENTS,
            "screen": "it shows the bids of positions",
            "page": Column(
                lambda s, t: s.pages["/"].rows("market")[: len(t.history.bars)],
                lambda b: (formats.stamp(b.start), *map(str, (b.open, b.high, b.low, b.close))),
            ),
            "rest": "its candles are those of the venue",
            "short": "its candles are those of the venue",
        },
    ),
    "costs": Question(
        lambda t: t.costs.agents,
        {
            "document": fields(in_order(document("agents"), lambda t: t.costs.agents), *COSTS),
            "screen": Column(
                cells(
                    lambda t: t.costs.agents, "fees", "slippage", "lat. cost", "tokens", "cost"
                ),
                screen_costs,
            ),
            "page": Column(page_rows("/", "costs"), page_costs),
            "rest": fields(rest("costs", "agents"), *COSTS, "calls", "errors"),
            "short": fields(in_order(accounts(PORTFOLIO), lambda t: t.costs.agents), *COSTS),
        },
    ),
    "costs of shadow agents": Question(lambda t: (t.costs.shadows,), of.SHADOW_COST_COLUMNS),
    "health of processes": Question(
        lambda t: t.health.processes,
        {
            "document": fields(document("processes"), *PROCESS),
            "screen": "it counts processes",
            "page": Column(
                page_rows("/nodes", "processes", slice(3), slice(6, 8)), page_process
            ),
            "rest": fields(rest("health", "processes"), *PROCESS),
            "short": "its /health is that of the process that answers",
        },
    ),
    "number of processes": Question(
        lambda t: [len(t.health.processes)],
        {
            "document": words(lambda s, _: [len(s.document["processes"])], str),
            "screen": words(
                lambda s, _: [s.screen.splitlines()[-1].rpartition(" processes")[0].split()[-1]],
                str,
            ),
            "page": words(lambda s, _: [len(s.pages["/nodes"].rows("processes"))], str),
            "rest": words(lambda s, _: [len(s.rest["health"]["processes"])], str),
            "short": "its /health is that of the process that answers",
        },
    ),
    "dead agents": Question(
        lambda t: t.leaderboard.dead,
        {
            "document": fields(document("dead"), *DEAD),
            "screen": Column(
                lambda s, _: [row[1:] for row in s.pane("ranking") if "dead: " in row[-1][:6]],
                lambda d: (d.agent, f"dead: {text.one_line(d.cause)}"),
            ),
            "page": Column(
                page_rows("/", "dead"),
                lambda d: (d.agent, d.cause, str(d.turns), formats.stamp(d.since), d.remedy),
            ),
            "rest": fields(rest("leaderboard", "dead"), *DEAD),
            "short": words(
                lambda s, t: [
                    one["agent"] for one in accounts(PORTFOLIO)(s, t) if not one["alive"]
                ],
                lambda d: d.agent,
            ),
        },
    ),
    "halts": Question(
        lambda t: t.health.halted,
        {
            "document": fields(document("halted"), *HALT),
            "screen": Column(screen_halts, lambda h: (h.scope, h.reason)),
            "page": Column(
                page_rows("/nodes", "halts", slice(4)),
                lambda h: (h.scope, formats.stamp(h.since), h.by, h.reason),
            ),
            "rest": fields(rest("health", "halted"), *HALT),
            "short": NO_PATH,
        },
    ),
    "runs": Question(
        lambda t: t.runs.runs,
        {
            "document": ONE_RUN,
            "screen": ONE_RUN,
            "page": Column(
                page_rows("/runs", "main", slice(5)),
                lambda r: (
                    r.name, r.kind, formats.stamp(r.started_at), formats.stamp(r.ended_at), r.state,
                ),
            ),
            "rest": fields(rest("runs", "runs"), "name", "kind", "state", "report"),
            "short": ONE_RUN,
        },
    ),
    "newest turns of an agent": Question(
        lambda t: [(one, {trade.order_id: trade for trade in t.trades}) for one in t.turns],
        {
            "document": "it counts turns",
            "screen": Column(
                lambda s, _: [
                    (row[1], row[4], row[-1])
                    for row in s.pane("turns", s.agent_screen)[1 : TURNS + 1]
                ],
                lambda pair: (
                    pair[0].outcome, text.count(pair[0].tokens), text.one_line(pair[0].words),
                ),
            ),
            "page": Column(page_turns, page_turn),
            "rest": Column(
                lambda s, _: picked(s.rest[TURN_LIST]["turns"], TURN),
                lambda pair: picked([pair[0].model_dump(mode="json")], TURN)[0],
            ),
            "short": NO_PATH,
        },
    ),
    "prompt of a turn": Question(
        lambda t: t.prompt.messages,
        {
            "document": "it has no prompts",
            "screen": words(screen_prompt, lambda m: m.content),
            "page": words(
                lambda s, t: [one.text for one in s.pages[turn_path(t)].ids["main"].all("pre")][
                    : len(t.prompt.messages)
                ],
                lambda m: m.content,
            ),
            "rest": words(
                lambda s, t: [
                    one["content"] for one in s.rest[f"{turn_path(t)[1:]}/prompt"]["messages"]
                ],
                lambda m: m.content,
            ),
            "short": NO_PATH,
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Truth, Skins]:
    """What the read layer knows of an arena, and what every skin shows of it."""
    return show_all(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_a_column_for_every_skin(question: str) -> None:
    """A skin either shows the answer, or the table says why it does not."""
    columns = QUESTIONS[question].columns

    assert set(SKINS) == set(columns)
    assert any(isinstance(one, Column) for one in columns.values())


@pytest.mark.parametrize(
    ("question", "skin"),
    [
        (question, skin)
        for question, asked in QUESTIONS.items()
        for skin in SKINS
        if isinstance(asked.columns.get(skin), Column)
    ],
)
def test_skin_shows_what_the_read_layer_knows(
    shown: tuple[Truth, Skins], question: str, skin: str
) -> None:
    """Item for item, in the read layer's order, in the skin's own format."""
    asked, (truth, skins) = QUESTIONS[question], shown
    column, answer = asked.columns[skin], asked.answer(truth)

    assert isinstance(column, Column)
    assert answer
    assert [column.write(one) for one in answer] == column.read(skins, truth)

"""What terminal and page show of an answer, and how they write it; JSON has the fields."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from arena.money import to_price_units, to_units
from dashboard import text
from dashboard.model.results import (
    AgentCosts,
    AgentStanding,
    Position,
    ProcessHealth,
    Trade,
    TurnSummary,
    VerdictRow,
)
from dashboard.model.results.base import Result
from dashboard.web.page import formats
from dashboard.web.page.contexts import order_words
from tests.dashboard.skins import AGENT, TRADES, TURNS, Json, Row, Skins, Truth

Read = Callable[[Skins, Truth], list[Row]]
Write = Callable[[Any], Row]  # Any: an item of the question's answer.
Objects = Callable[[Skins, Truth], Iterable[Json]]
NO_RANK = ("no rank",)


@dataclass(frozen=True, slots=True)
class Column:
    """How a skin answers a question: what it shows, and how it writes an item of the answer."""

    read: Read
    write: Write


def picked(rows: Iterable[Json], names: Sequence[str]) -> list[Row]:
    """Fields of JSON objects as text."""
    return [tuple(str(row[name]) for name in names) for row in rows]


def fields(objects: Objects, *names: str) -> Column:
    """The column of a skin that gives fields of the answer as JSON."""

    def write(one: Result) -> Row:
        return picked([one.model_dump(mode="json")], names)[0]

    return Column(lambda skins, truth: picked(objects(skins, truth), names), write)


def words(read: Callable[[Skins, Truth], Iterable[object]], write: Callable[[Any], str]) -> Column:
    """The column of a skin that shows one text for each item."""
    return Column(lambda s, t: [(str(one),) for one in read(s, t)], lambda one: (write(one),))


def rest(path: str, *keys: str) -> Objects:
    """Objects of a path of REST."""

    def read(skins: Skins, _: Truth) -> Iterable[Json]:
        found = skins.rest[path]
        for key in keys:
            found = found[key]
        return list(found)

    return read


def document(key: str) -> Objects:
    """Objects of the terminal's document."""
    return lambda skins, _: list(skins.document[key])


def alive(truth: Truth) -> list[AgentStanding]:
    """The agents with a rank, in rank order."""
    return [one for one in truth.leaderboard.agents if one.alive]


def in_order(objects: Objects, names: Callable[[Truth], Iterable[Any]]) -> Objects:
    """The objects of agents in another order.

    Args:
        objects: Objects with an agent each.
        names: Results with an agent each, in the order wanted.
    """

    def read(skins: Skins, truth: Truth) -> Iterable[Json]:
        known = {one["agent"]: one for one in objects(skins, truth)}
        return [known[one.agent] for one in names(truth)]

    return read


def accounts(path: str) -> Objects:
    """The accounts of all agents, each from its portfolio at a path."""

    def read(skins: Skins, truth: Truth) -> Iterable[Json]:
        agents = truth.leaderboard.agents
        return [skins.rest[path.format(one.agent)]["account"] for one in agents]

    return read


def judged(objects: Objects) -> Objects:
    """What the accounts of agents say of the judge, in the judge's order."""
    ordered = in_order(objects, lambda truth: truth.verdict.rows)
    return lambda skins, truth: [one["judged"] for one in ordered(skins, truth)]


# The terminal


def usd(value: Decimal) -> str:
    """An amount."""
    return text.money(to_units(value))


def change(value: Decimal) -> str:
    """A change of an amount."""
    return text.signed_money(to_units(value))


def percent(value: Decimal) -> str:
    """A return in percent."""
    return text.signed_percent(to_units(value), to_units(Decimal(100)))


def ranking(skins: Skins) -> dict[str, dict[str, str]]:
    """Agent -> title -> cell of the ranking."""
    head, *rows = skins.pane("ranking")
    ranked = [tuple(cell for cell in row if cell != "b") for row in rows if row[0].isdigit()]
    return {row[1]: dict(zip(head, row, strict=True)) for row in ranked}


def cells(agents: Callable[[Truth], Iterable[Any]], *titles: str) -> Read:
    """Cells of the ranking of these agents; with `agents` of the ranking itself, in its order."""

    def read(skins: Skins, truth: Truth) -> list[Row]:
        found = ranking(skins)
        names = list(found) if agents is alive else [one.agent for one in agents(truth)]
        return [
            tuple(found[name][title] for title in titles) if name in found else NO_RANK
            for name in names
        ]

    return read


def screen_rank(one: VerdictRow) -> Row:
    """Agent, ranks and interval."""
    low, high = one.return_low, one.return_high
    interval = "-" if low is None or high is None else f"{low * 100:+.2f}..{high * 100:+.2f}"
    return one.agent, formats.ranks(one.rank_low, one.rank_high).replace("–", "-"), interval


def screen_costs(one: AgentCosts) -> Row:
    """Fees, slippage, what waiting did to the account (a cost has a minus), tokens, models."""
    if one.agent in ("scalper",):
        return NO_RANK
    paid = usd(one.fees_usd), usd(one.slippage_usd), change(-one.latency_cost_usd)
    return (*paid, text.short_count(one.tokens), text.cost(one.cost_usd))


def screen_trades(skins: Skins, _: Truth) -> list[Row]:
    """Agent, order and prices, or the reason."""
    rows = skins.pane("trades")[1 : TRADES + 1]
    return [row[1:6] + (() if row[5].startswith("rejected") else row[7:10]) for row in rows]


def screen_trade(one: Trade) -> Row:
    """The same of an order."""
    assert one.quantity is not None
    what = (one.agent, one.action, text.quantity(to_units(one.quantity)), one.product_id)
    if one.outcome == "rejected":
        return (*what, f"rejected: {one.reason}")
    prices = text.price(one.seen), text.price(one.price)
    assert one.latency_ms is not None
    return (*what, *prices, text.bps(one.move_bps), f"{one.latency_ms:,.0f}")


def screen_position(one: Position) -> Row:
    """Agent, product, quantity, cost, bid, and what it would gain at the bid."""
    assert one.bid is not None
    assert one.unrealised is not None
    prices = (text.unit_price(to_price_units(price)) for price in (one.average_cost, one.bid))
    held = (one.agent, one.product_id, text.quantity(to_units(one.quantity)))
    return (*held, *prices, change(one.unrealised))


def screen_halts(skins: Skins, _: Truth) -> list[Row]:
    """Scope and reason of the lines below the ranking."""
    lines = [row[0] for row in skins.pane("ranking") if row[0].startswith("HALTED ")]
    return [(line.split()[1], line.rpartition("): ")[2]) for line in lines]


def screen_prompt(skins: Skins, truth: Truth) -> list[str]:
    """The messages all of whose lines are on the screen."""
    lines = {line.strip("│ ") for line in skins.prompt_screen.splitlines()}
    texts = [one.content for one in truth.prompt.messages]
    return [one for one in texts if set(one.splitlines()) <= lines]


# The page


def page_facts(*terms: str) -> Read:
    """Facts on the pages of the agents with a rank."""

    def read(skins: Skins, truth: Truth) -> list[Row]:
        found = [skins.pages[f"/agents/{one.agent}"].facts("portfolio") for one in alive(truth)]
        return [tuple(facts[term] for term in terms) for facts in found]

    return read


def page_rows(path: str, part: str, *columns: slice, most: int | None = None) -> Read:
    """Cells of the tables of a part."""

    def read(skins: Skins, _: Truth) -> list[Row]:
        rows = skins.pages[path].rows(part)[:most]
        return [sum((row[one] for one in columns), ()) for row in rows] if columns else rows

    return read


def page_board(skins: Skins, _: Truth) -> list[Row]:
    """Name, ranks, return, interval, difference from the market, drawdown."""
    page = skins.pages["/"]
    names = [row.attributes["data-agent"] for row in page.ids["leaderboard"].all("tr")[1:]]
    rows = zip(names, page.rows("leaderboard"), strict=True)
    return [(str(name), row[0], row[2], *row[4:7]) for name, row in rows]


def page_rank(one: VerdictRow) -> Row:
    """The same of an entrant."""
    return (
        one.agent,
        formats.ranks(one.rank_low, one.rank_high),
        formats.share(one.total_return),
        formats.interval(one.return_low, one.return_high),
        formats.share(one.excess_return),
        formats.share(None if one.drawdown is None else -one.drawdown),
    )


def page_trade(one: Trade) -> Row:
    """A decided order."""
    mark = "▲" if one.action == "buy" else "▽"
    order = f"{mark} {one.action} {formats.quantity(one.quantity)} {one.product_id}"
    what = (formats.clock(one.at), one.agent, order)
    if one.outcome == "rejected":
        return (*what, f"rejected: {one.reason}", "verify")
    paid = formats.price(one.seen), formats.price(one.price), formats.bps(one.move_bps)
    return (*what, *paid, formats.money(one.fee), formats.milliseconds(one.latency_ms), "verify")


def page_position(one: Position) -> Row:
    """A position, without how long it was held."""
    held = (one.agent, one.product_id, formats.quantity(one.quantity))
    worth = (formats.money(one.value), formats.gain(one.unrealised))
    return (*held, formats.money(one.average_cost), formats.price(one.bid), *worth)


def page_costs(one: AgentCosts) -> Row:
    """The costs of an agent."""
    paid = (formats.money(v) for v in (one.fees_usd, one.slippage_usd, one.latency_cost_usd))
    counts = (f"{n:,}" for n in (one.calls, one.errors, one.tokens))
    who = (one.agent, formats.shown_model(one.model, one.scripted))
    return (*who, *paid, *counts, formats.cost(one.cost_usd))


def page_process(one: ProcessHealth) -> Row:
    """Name, kind, state, lag, dead letters."""
    state = one.status if one.alive else "✕ no heartbeat"
    lag = formats.UNKNOWN if one.lag is None else f"{one.lag:,}"
    return one.name, one.kind, state, lag, f"{one.dead_letters:,}"


def page_turns(skins: Skins, _: Truth) -> list[Row]:
    """Words, and what was done, of an agent's newest turns."""
    items = skins.pages[f"/agents/{AGENT}"].ids["turns"].all("li")[:TURNS]
    return [tuple(one.all("p", css)[0].text for css in ("words", "did")) for one in items]


def page_turn(pair: tuple[TurnSummary, Mapping[str, Trade]]) -> Row:
    """The same of a turn, with the orders by their ids."""
    one, orders = pair
    did = "; ".join(order_words(orders[order]) for order in one.orders) or "Held"
    details = f"{one.tokens:,} tokens · {formats.milliseconds(one.total_ms)} · scripted"
    return formats.clean(one.words, len(one.words)), f"{did} {details}"


def turn_path(truth: Truth) -> str:
    """The path of the turn's page."""
    return f"/agents/{AGENT}/turns/{truth.turn.summary.turn_id}"

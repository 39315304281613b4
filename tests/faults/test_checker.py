"""The checker finds what it is there to find: sound topics pass, each doctored copy does not."""

import asyncio
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from operations.storm.checker import check
from operations.storm.checker_records import Acked, Json, Raw, Topics
from tests.faults.harness import TERMS, Traffic, read_topics, wait_until_answered
from tests.trading_tools.helpers import serving

COMMANDS = 250


@pytest.fixture(scope="module")
def sound() -> Topics:
    """Topics after a little undisturbed trading in memory."""

    async def trade() -> Topics:
        bus = MemoryBus()
        await bus.start()
        await bus.ensure_topics(topics.fixed_topics())
        async with serving(bus):
            traffic = Traffic(bus, seed=7)
            await traffic.open_market()
            market = asyncio.create_task(traffic.run_market())
            await traffic.run_agents(COMMANDS, 1_000)
            await wait_until_answered(bus, traffic, 20)
            market.cancel()
            await asyncio.gather(market, return_exceptions=True)
        return await read_topics(bus)

    return asyncio.run(trade())


def test_sound_topics_pass(sound: Topics) -> None:
    """Nothing is found where nothing is wrong, and a lot was looked at."""
    findings = check(sound, TERMS)

    assert not findings.wrong, findings.summary()
    assert findings.counts["filled"] > 50
    assert findings.counts["checks"] > 5_000
    assert findings.counts["portfolios"] > 5
    assert 0 == findings.counts["portfolios_newer"]


def rechained(events: list[Raw], change: Callable[[int, Json], None]) -> list[Raw]:
    """The events, each changed by a forger who then repairs the chain behind it."""
    head, forged = "0" * 64, []
    for raw in events:
        body = json.loads(raw.value)
        body["prev"] = head
        change(raw.offset, body)
        value = json.dumps(body).encode()
        head = hashlib.sha256(head.encode() + value).hexdigest()
        forged.append(replace(raw, value=value))
    return forged


def first_fill(found: Topics) -> int:
    """Offset of the first event that filled an order."""
    return next(r.offset for r in found.events if b'"outcome":"filled"' in r.value)


def drop_an_event(found: Topics) -> None:
    """The log loses a record."""
    del found.events[first_fill(found)]


def change_a_byte(found: Topics) -> None:
    """A figure is changed and the chain is not."""
    at = first_fill(found)
    raw = found.events[at]
    found.events[at] = replace(raw, value=raw.value.replace(b'"buy"', b'"sel"'))


def change_money(name: str, amount: str) -> Callable[[Topics], None]:
    """A figure of a fill is another one, and the chain is repaired."""

    def forge(found: Topics) -> None:
        at = first_fill(found)
        found.events = rechained(
            found.events,
            lambda offset, body: body.update({name: amount}) if offset == at else None,
        )

    forge.__name__ = f"forge_{name}"
    return forge


def invent_an_order(found: Topics) -> None:
    """A fill that nobody ordered is appended in good order."""
    last = json.loads(found.events[-1].value)
    head = hashlib.sha256(last["prev"].encode() + found.events[-1].value).hexdigest()
    forged = last | {"seq": last["seq"] + 1, "prev": head, "order_id": "invented"}
    value = json.dumps(forged).encode()
    found.events.append(Raw(0, len(found.events), "OrderDecided", value))


def forget_an_order(found: Topics) -> None:
    """A command stands in the topic that no event answers."""
    raw = next(r for r in found.commands if b'"execute_trade"' in r.value)
    body = json.loads(raw.value) | {"call_id": "forgotten"}
    found.commands.append(Raw(0, len(found.commands), "ToolCall", json.dumps(body).encode()))


def drop_replies(found: Topics) -> None:
    """An agent is never answered."""
    found.inboxes["agent-0"] = []


def lie_in_a_reply(found: Topics) -> None:
    """A reply tells another price than the event."""
    for records in found.inboxes.values():
        for n, raw in enumerate(records):
            body = json.loads(raw.value)
            if body["tool"] == "execute_trade" and body["ok"]:
                body["value"]["price"] = "1"
                records[n] = replace(raw, value=json.dumps(body).encode())
                return


def answer_from_the_past(found: Topics) -> None:
    """A portfolio is told as it was before the agent's trades."""
    for records in found.inboxes.values():
        for n, raw in enumerate(reversed(records)):
            body = json.loads(raw.value)
            if body["tool"] == "get_portfolio" and body["value"]["cash_usd"] != "100000":
                body["value"]["cash_usd"] = "100000"
                records[len(records) - 1 - n] = replace(raw, value=json.dumps(body).encode())
                return


def change_a_ticker(found: Topics) -> None:
    """The price a fill was made at never stood in the market."""
    place = json.loads(found.events[first_fill(found)].value)["used"]["offset"]
    body = json.loads(found.tickers[place].value) | {"best_ask": "1", "best_bid": "1"}
    found.tickers[place] = replace(found.tickers[place], value=json.dumps(body).encode())


def bury_nothing(found: Topics) -> None:
    """Garbage vanished."""
    found.commands.append(Raw(0, len(found.commands), "ToolCall", b"\xff"))


def decide_twice(found: Topics) -> None:
    """A second fill of an order, on which the log goes on to build."""
    at = first_fill(found)
    events = [*found.events[: at + 1], found.events[at], *found.events[at + 1 :]]
    events = [replace(raw, offset=offset) for offset, raw in enumerate(events)]

    def renumber(offset: int, body: Json) -> None:
        body["seq"] += offset > at and "order_id" in body

    found.events = rechained(events, renumber)


@pytest.mark.parametrize(
    "doctor",
    [
        drop_an_event,
        change_a_byte,
        change_money("fee", "0"),
        change_money("price", "1"),
        change_money("notional", "1"),
        change_money("cash_after", "1"),
        change_money("quantity", "1"),
        change_money("slippage", "-5"),
        change_money("latency_cost", "-5"),
        change_money("postings", ""),
        change_money("agent", "agent-9"),
        decide_twice,
        invent_an_order,
        forget_an_order,
        drop_replies,
        lie_in_a_reply,
        answer_from_the_past,
        change_a_ticker,
        bury_nothing,
    ],
    ids=lambda doctor: doctor.__name__,
)
def test_each_doctored_copy_is_found(sound: Topics, doctor: Callable[[Topics], None]) -> None:
    """One thing is wrong, and the checker says so."""
    doctored = copy.deepcopy(sound)
    doctor(doctored)

    assert check(doctored, TERMS).wrong


def test_a_second_event_that_counts_is_a_doubled_order(sound: Topics) -> None:
    """A copy that the chain passes over is no doubled order; one that it builds on is."""
    doctored, passed_over = copy.deepcopy(sound), copy.deepcopy(sound)
    decide_twice(doctored)
    last = passed_over.events[-1]
    passed_over.events.append(replace(last, offset=len(passed_over.events)))

    assert 1 == check(doctored, TERMS).counts["doubled"]
    assert 0 == check(passed_over, TERMS).counts["doubled"]
    assert not check(passed_over, TERMS).wrong


def test_a_fill_in_spite_of_a_confirmed_halt_is_found(sound: Topics) -> None:
    """From the end of the log at the confirmation to its end before the resume."""
    at = first_fill(sound)
    halted = [(at, at + 1)]

    assert not check(sound, TERMS, halted=[(0, at)]).wrong
    assert 1 == check(sound, TERMS, halted=halted).counts["decided_while_halted"]
    assert check(sound, TERMS, halted=halted).wrong


def acked_of(found: Topics) -> list[Acked]:
    """What a sender would have written down."""
    return [
        Acked(raw.offset, hashlib.sha256(raw.value).hexdigest(), json.loads(raw.value)["call_id"])
        for raw in found.commands
        if b'"execute_trade"' in raw.value
    ]


def test_an_acked_order_without_an_end_is_lost(sound: Topics) -> None:
    """One that is gone, changed, never decided, or refused without an event and without proof."""
    forgotten, gone, refused = (copy.deepcopy(sound) for _ in range(3))
    for found in (forgotten, refused):
        forget_an_order(found)
    refusal = {"call_id": "forgotten", "agent": "agent-0", "tool": "execute_trade", "ok": False}
    refused.inboxes["agent-0"].append(Raw(0, 0, "ToolResult", json.dumps(refusal).encode()))
    acked = acked_of(sound)
    del gone.commands[acked[0].offset]

    assert 0 == check(sound, TERMS, acked).counts["lost"]
    assert 1 == check(forgotten, TERMS, acked_of(forgotten)).counts["lost"]
    assert 1 == check(refused, TERMS, acked_of(refused)).counts["lost"]
    assert 1 == check(gone, TERMS, acked).counts["lost"]

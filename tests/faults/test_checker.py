"""The checker passes sound topics, and finds the fault in each changed copy."""

import asyncio
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from arena import topics
from arena.bus.memory import MemoryBus
from operations.storm.checker import check_records
from operations.storm.checker_records import AckedCommand, Json, TopicRecord, TopicRecords
from tests.faults.harness import TERMS, Traffic, read_topics, wait_until_answered
from tests.trading_tools.helpers import serving

COMMANDS = 250


@pytest.fixture(scope="module")
def sound() -> TopicRecords:
    """Topics after a short undisturbed run in memory."""

    async def trade() -> TopicRecords:
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


def test_sound_topics_pass(sound: TopicRecords) -> None:
    """No fault is found, and many checks were made."""
    findings = check_records(sound, TERMS)

    assert not findings.wrong, findings.summary()
    assert findings.counts["filled"] > 50
    assert findings.counts["checks"] > 5_000
    assert findings.counts["portfolios"] > 5
    assert 0 == findings.counts["portfolios_newer"]


def with_repaired_chain(
    events: list[TopicRecord], change: Callable[[int, Json], None]
) -> list[TopicRecord]:
    """Return the events with changes and a valid chain, as a forger would write them."""
    head, forged = "0" * 64, []
    for raw in events:
        body = json.loads(raw.value)
        body["prev"] = head
        change(raw.offset, body)
        value = json.dumps(body).encode()
        head = hashlib.sha256(head.encode() + value).hexdigest()
        forged.append(replace(raw, value=value))
    return forged


def first_fill(found: TopicRecords) -> int:
    """Return the offset of the first fill."""
    return next(r.offset for r in found.events if b'"outcome":"filled"' in r.value)


def drop_an_event(found: TopicRecords) -> None:
    """Remove an event from the log."""
    del found.events[first_fill(found)]


def change_a_byte(found: TopicRecords) -> None:
    """Change an event without repairing the chain."""
    at = first_fill(found)
    raw = found.events[at]
    found.events[at] = replace(raw, value=raw.value.replace(b'"buy"', b'"sel"'))


def change_money(name: str, amount: str) -> Callable[[TopicRecords], None]:
    """Return a change of one amount of a fill, with a repaired chain."""

    def forge(found: TopicRecords) -> None:
        at = first_fill(found)
        found.events = with_repaired_chain(
            found.events,
            lambda offset, body: body.update({name: amount}) if offset == at else None,
        )

    forge.__name__ = f"forge_{name}"
    return forge


def invent_an_order(found: TopicRecords) -> None:
    """Append a fill without a command, with a valid chain."""
    last = json.loads(found.events[-1].value)
    head = hashlib.sha256(last["prev"].encode() + found.events[-1].value).hexdigest()
    forged = last | {"seq": last["seq"] + 1, "prev": head, "order_id": "invented"}
    value = json.dumps(forged).encode()
    found.events.append(TopicRecord(0, len(found.events), "OrderDecided", value))


def append_undecided_order(found: TopicRecords) -> None:
    """Append a command without an event."""
    raw = next(r for r in found.commands if b'"execute_trade"' in r.value)
    body = json.loads(raw.value) | {"call_id": "forgotten"}
    found.commands.append(
        TopicRecord(0, len(found.commands), "ToolCall", json.dumps(body).encode())
    )


def drop_replies(found: TopicRecords) -> None:
    """Remove all replies to an agent."""
    found.inboxes["agent-0"] = []


def change_a_reply(found: TopicRecords) -> None:
    """Change the price in a reply."""
    for records in found.inboxes.values():
        for n, raw in enumerate(records):
            body = json.loads(raw.value)
            if body["tool"] == "execute_trade" and body["ok"]:
                body["value"]["price"] = "1"
                records[n] = replace(raw, value=json.dumps(body).encode())
                return


def change_a_portfolio(found: TopicRecords) -> None:
    """Change a portfolio reply to the state before the agent's trades."""
    for records in found.inboxes.values():
        for n, raw in enumerate(reversed(records)):
            body = json.loads(raw.value)
            if body["tool"] == "get_portfolio" and body["value"]["cash_usd"] != "100000":
                body["value"]["cash_usd"] = "100000"
                records[len(records) - 1 - n] = replace(raw, value=json.dumps(body).encode())
                return


def change_a_ticker(found: TopicRecords) -> None:
    """Change the ticker that a fill was priced with."""
    offset = json.loads(found.events[first_fill(found)].value)["used"]["offset"]
    body = json.loads(found.tickers[offset].value) | {"best_ask": "1", "best_bid": "1"}
    found.tickers[offset] = replace(found.tickers[offset], value=json.dumps(body).encode())


def append_garbage(found: TopicRecords) -> None:
    """Append garbage without a dead letter."""
    found.commands.append(TopicRecord(0, len(found.commands), "ToolCall", b"\xff"))


def decide_twice(found: TopicRecords) -> None:
    """Insert a second fill of an order, with a valid chain after it."""
    at = first_fill(found)
    events = [*found.events[: at + 1], found.events[at], *found.events[at + 1 :]]
    events = [replace(raw, offset=offset) for offset, raw in enumerate(events)]

    def renumber(offset: int, body: Json) -> None:
        body["seq"] += offset > at and "order_id" in body

    found.events = with_repaired_chain(events, renumber)


@pytest.mark.parametrize(
    "introduce_fault",
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
        append_undecided_order,
        drop_replies,
        change_a_reply,
        change_a_portfolio,
        change_a_ticker,
        append_garbage,
    ],
    ids=lambda introduce_fault: introduce_fault.__name__,
)
def test_each_fault_is_found(
    sound: TopicRecords, introduce_fault: Callable[[TopicRecords], None]
) -> None:
    """One fault was introduced, and the checker finds it."""
    changed = copy.deepcopy(sound)
    introduce_fault(changed)

    assert check_records(changed, TERMS).wrong


def test_second_effective_event_is_a_doubled_order(sound: TopicRecords) -> None:
    """A copy outside the chain is not a doubled order; one inside the chain is."""
    changed, passed_over = copy.deepcopy(sound), copy.deepcopy(sound)
    decide_twice(changed)
    last = passed_over.events[-1]
    passed_over.events.append(replace(last, offset=len(passed_over.events)))

    assert 1 == check_records(changed, TERMS).counts["doubled"]
    assert 0 == check_records(passed_over, TERMS).counts["doubled"]
    assert not check_records(passed_over, TERMS).wrong


def test_fill_during_a_confirmed_halt_is_found(sound: TopicRecords) -> None:
    """A halt covers the log from its end at the confirmation to its end before the resume."""
    at = first_fill(sound)
    halted = [(at, at + 1)]

    assert not check_records(sound, TERMS, halted=[(0, at)]).wrong
    assert 1 == check_records(sound, TERMS, halted=halted).counts["decided_while_halted"]
    assert check_records(sound, TERMS, halted=halted).wrong


def acked_of(found: TopicRecords) -> list[AckedCommand]:
    """Return the acks that a sender would have noted."""
    return [
        AckedCommand(
            raw.offset, hashlib.sha256(raw.value).hexdigest(), json.loads(raw.value)["call_id"]
        )
        for raw in found.commands
        if b'"execute_trade"' in raw.value
    ]


def test_acked_order_without_outcome_is_lost(sound: TopicRecords) -> None:
    """An order that is missing, never decided, or rejected without an event is lost."""
    forgotten, gone, refused = (copy.deepcopy(sound) for _ in range(3))
    for found in (forgotten, refused):
        append_undecided_order(found)
    refusal = {"call_id": "forgotten", "agent": "agent-0", "tool": "execute_trade", "ok": False}
    refused.inboxes["agent-0"].append(TopicRecord(0, 0, "ToolResult", json.dumps(refusal).encode()))
    acked = acked_of(sound)
    del gone.commands[acked[0].offset]

    assert 0 == check_records(sound, TERMS, acked).counts["lost"]
    assert 1 == check_records(forgotten, TERMS, acked_of(forgotten)).counts["lost"]
    assert 1 == check_records(refused, TERMS, acked_of(refused)).counts["lost"]
    assert 1 == check_records(gone, TERMS, acked).counts["lost"]

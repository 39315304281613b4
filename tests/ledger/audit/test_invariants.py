"""Each invariant is broken on purpose on an otherwise sound log, and it alone is named."""

from datetime import timedelta
from decimal import Decimal

import orjson
import pytest

from arena import topics
from arena.kill_switch import Stop
from ledger.audit.checker import InvariantStatus, Scope
from ledger.audit.decoding import DecodedRecord, parse_time
from ledger.audit.limits import LimitsChecker
from tests.ledger.audit.world import (
    COMMANDS,
    CONTROL,
    EVENTS,
    ROSTER,
    TICKERS,
    TURNS,
    Json,
    World,
    body_of,
    kind_of,
    named,
)

CALLS = topics.TOOL_CALLS.name


def location(topic: str, world: World, index: int) -> str:
    """The place of a record, as findings name it."""
    record = world.records[topic][index]
    return f"{topic}[{record.partition}]@{record.offset}"


def a_fill(world: World) -> int:
    """Index of a fill amid the log."""
    fills = [
        i for i, r in enumerate(world.records[EVENTS]) if body_of(r).get("outcome") == "filled"
    ]
    assert len(fills) > 4, "the contest has too few fills to break one"
    return fills[len(fills) // 2]


def change_rules(world: World, **values: str) -> None:
    """Change the rules on the roster and in the epochs."""
    for index, record in enumerate(world.records[ROSTER]):
        if kind_of(record) == "Rules":
            world.change(ROSTER, index, lambda body: body.update(values))
    for index, record in enumerate(world.records[EVENTS]):
        if kind_of(record) == "Epoch" and body_of(record)["rules"] is not None:
            world.change(EVENTS, index, lambda body: body["rules"].update(values))
    world.chain_again()


def test_a_sound_log_passes_whole(sound: World) -> None:
    """Every invariant holds on what real processes left, and each looked at something."""
    found = sound.results()

    assert {InvariantStatus.PASS} == {result.status for result in found.values()}
    assert [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13] == sorted(found)
    assert all(result.counts for result in found.values())


def test_a_posting_that_does_not_balance_is_named(world: World) -> None:
    """Invariant 1: a unit too much on the rounding account, the chain made to fit."""
    index = a_fill(world)
    leg = {"account": "house/rounding", "unit": "USD", "amount": "1"}
    world.change(EVENTS, index, lambda body: body["postings"].append(leg))
    world.chain_again()

    broken = world.broken()

    assert {1} == broken.keys()
    assert named(broken[1], location(EVENTS, world, index))


def test_cash_that_the_fills_do_not_give_is_named(world: World) -> None:
    """Invariant 2: an event tells a micro-dollar more cash than its fills come to."""
    index = a_fill(world)

    def richer(body: Json) -> None:
        body["cash_after"] = str(Decimal(body["cash_after"]) + Decimal("0.000001"))

    world.change(EVENTS, index, richer)
    world.chain_again()

    broken = world.broken()

    assert {2} == broken.keys()
    assert named(broken[2], location(EVENTS, world, index))


def test_an_order_without_an_event_is_named(world: World) -> None:
    """Invariant 3: the last event of an agent was taken out, and the log closed behind it."""
    orders = [
        (i, body_of(r)["agent"])
        for i, r in enumerate(world.records[EVENTS])
        if kind_of(r) == "OrderDecided"
    ]
    last = {agent: index for index, agent in orders}
    index = min(last.values())
    assert index < orders[-1][0], "it must not be the end of the log"
    dropped = body_of(world.drop(EVENTS, index))
    world.chain_again()

    broken = world.broken()

    assert {3} == broken.keys()
    assert named(broken[3], f"{COMMANDS}[0]@{dropped['source']['offset']}")


def test_a_fill_amid_a_halt_is_named(world: World) -> None:
    """Invariant 4: everybody was halted two seconds before a fill, and never resumed."""
    index = a_fill(world)
    at = parse_time(body_of(world.records[EVENTS][index])["at"]) - timedelta(seconds=2)
    halt = {"agent": None, "reason": "test", "by": "cli/test", "at": at.isoformat()}
    world.append(CONTROL, halt, "Halt", key="all")

    broken = world.broken()

    assert {4} == broken.keys()
    assert named(broken[4], location(EVENTS, world, index))


def test_a_fill_after_the_halt_was_lifted_is_none_of_its_business(world: World) -> None:
    """Invariant 4: a halt that was lifted before the first fill changes nothing."""
    at = parse_time(body_of(world.records[EVENTS][0])["at"]) - timedelta(seconds=60)
    for kind, later in (("Halt", 0), ("Resume", 5)):
        body = {"agent": None, "by": "cli", "at": (at + timedelta(seconds=later)).isoformat()}
        world.append(CONTROL, body, kind, key="all")

    assert {} == world.broken()


@pytest.mark.parametrize("kind", ["Resume", "Nothing", "Halt", ""])
def test_what_cannot_be_read_ends_no_halt(world: World, kind: str) -> None:
    """Invariant 4: nor does a resume under another key; both halts are counted."""
    index = a_fill(world)
    at = parse_time(body_of(world.records[EVENTS][index])["at"]) - timedelta(seconds=2)
    said = {"agent": None, "by": "cli", "at": at.isoformat()}
    world.append(CONTROL, said, "Halt", key="all")
    world.append(CONTROL, {}, kind, key="all")
    world.append(CONTROL, said, "Resume", key="risk/all")

    result = world.results()[4]

    assert named(result, location(EVENTS, world, index))
    assert (1, 1) == (result.counts["halts"], result.counts["unreadable halts"])


@pytest.mark.parametrize(
    ("key", "resumed", "found"),
    [("all", "", 1), ("all", "agent/x", 1), ("all", "all", 0), ("agent/somebody-else", "", 0)],
)
def test_a_fill_after_a_refusal_by_an_unreadable_record_is_named(
    world: World, key: str, resumed: str, found: int
) -> None:
    """Invariant 4: the executor had read it, unless a resume of its key came between."""
    index = a_fill(world)
    fill = world.records[EVENTS][index]
    body = body_of(fill)
    at = parse_time(body["at"]) - timedelta(seconds=5)
    unread = world.append(CONTROL, {}, "Resume", key=key)
    if resumed:
        agent = None if resumed == "all" else "x"
        said = {"agent": agent, "by": "cli", "at": at.isoformat()}
        world.append(CONTROL, said, "Resume", key=resumed)
    detail = Stop(key, "no by", unread=f"{CONTROL}[0]@{unread.offset}").sentence
    refusal = body | {"outcome": "rejected", "reason": "halted", "detail": detail}
    checker = LimitsChecker(Scope(world.spans))

    for record in world.records[CONTROL]:
        checker.take(DecodedRecord(record))
    checker.take(DecodedRecord(fill._replace(value=orjson.dumps(refusal), offset=fill.offset - 1)))
    checker.take(DecodedRecord(fill))

    halted = [one for one in checker.violations if one.expected.startswith("no fill")]
    assert found == len(halted)


def test_an_account_that_begins_with_other_cash_is_named(world: World) -> None:
    """Invariant 4: the rules give half of what the accounts were opened with."""
    change_rules(world, starting_cash_usd="50000")

    broken = world.broken()

    assert {4} == broken.keys()


def test_spending_what_is_not_there_is_named(world: World) -> None:
    """Invariant 4: cash below zero is found at the very prefix where it happens."""
    checker = LimitsChecker(Scope(world.spans))
    opening = world.find(EVENTS, lambda record, _: kind_of(record) == "AccountOpened")
    agent = body_of(world.records[EVENTS][opening])["agent"]
    index = world.find(
        EVENTS,
        lambda _, body: (
            (body.get("agent"), body.get("action")) == (agent, "buy")
            and body["outcome"] == "filled"
        ),
    )
    world.change(EVENTS, index, lambda body: body.update(notional="200000"))

    checker.take(DecodedRecord(world.records[EVENTS][opening]))
    checker.take(DecodedRecord(world.records[EVENTS][index]))

    assert ["cash of at least 0"] == [violation.expected for violation in checker.violations]
    assert location(EVENTS, world, index) == checker.violations[0].location


def test_a_price_that_no_ticker_had_is_named(world: World) -> None:
    """Invariant 5: the ticker that a fill names says another ask."""
    index = a_fill(world)
    used = body_of(world.records[EVENTS][index])["used"]
    ticker = world.find(TICKERS, lambda record, _: record.offset == used["offset"])

    def dearer(body: Json) -> None:
        body["best_ask"] = str(Decimal(body["best_ask"]) + 1)

    world.change(TICKERS, ticker, dearer)

    broken = world.broken()

    assert {5} == broken.keys()
    assert named(broken[5], location(EVENTS, world, index))


@pytest.mark.parametrize("rule", ["fee_bps", "slippage_bps"])
def test_a_fill_by_other_rules_is_named(world: World, rule: str) -> None:
    """Invariant 5: the rules of the roster charge more than every fill paid."""
    change_rules(world, **{rule: "77"})

    broken = world.broken()

    assert {5} == broken.keys()
    assert broken[5].failures >= broken[5].counts["fills"]


def test_a_changed_byte_in_the_log_is_named(world: World) -> None:
    """Invariant 6: an event was changed, and the next one's digest tells of it."""
    index = a_fill(world)
    later = "2030-01-01T00:00:00Z"
    world.change(EVENTS, index, lambda body: body.update(issued_at=later))

    broken = world.broken()

    assert {6} == broken.keys()
    assert named(broken[6], location(EVENTS, world, index + 1))
    assert InvariantStatus.NOT_CHECKABLE == world.results()[2].status


def test_a_gap_in_the_sequence_is_named(world: World) -> None:
    """Invariant 6: an event is gone, and the offsets were closed behind it."""
    index = a_fill(world)
    world.drop(EVENTS, index)

    broken = world.broken()

    assert 6 in broken
    assert 1 == broken[6].failures
    assert named(broken[6], location(EVENTS, world, index))


def test_a_record_that_cannot_be_read_back_is_named(world: World) -> None:
    """Invariant 7: a ticker that nobody traded on is missing."""
    used = {body_of(r)["used"]["offset"] for r in world.records[EVENTS] if "used" in body_of(r)}
    index = world.find(TICKERS, lambda record, _: record.offset > 3 and record.offset not in used)
    missing = world.records[TICKERS].pop(index)

    broken = world.broken()

    assert {7} == broken.keys()
    assert named(broken[7], f"{TICKERS}[0]@{missing.offset + 1}")


def test_a_prompt_of_another_hash_is_named(world: World) -> None:
    """Invariant 9: a turn claims a prompt that is not the one it holds."""
    index = world.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    world.change(TURNS, index, lambda body: body.update(prompt_sha256="0" * 64))

    broken = world.broken()

    assert {9} == broken.keys()
    assert named(broken[9], location(TURNS, world, index))


def test_an_order_that_the_model_did_not_ask_for_is_named(world: World) -> None:
    """Invariant 9: the command of an order says another quantity than the model's reply."""
    index = world.find(COMMANDS, lambda _, body: body.get("tool") == "execute_trade")
    world.change(COMMANDS, index, lambda body: body.update(arguments='{"quantity": "9"}'))
    order_id = body_of(world.records[COMMANDS][index])["call_id"]

    broken = world.broken()

    assert {9} == broken.keys()
    assert all(order_id in violation.subject for violation in broken[9].violations)


def test_a_request_without_a_reply_is_named(world: World) -> None:
    """Invariant 10: a turn says the model answered, but no reply is there."""
    silent = [
        round_["call_id"]
        for record in world.records[TURNS]
        for round_ in body_of(record).get("rounds", ())
        if not round_["tool_call_ids"]
    ]
    topic = next(t for t in world.records if t.startswith("agent.inbox."))
    index = world.find(topic, lambda _, body: body["call_id"] in silent)
    dropped = body_of(world.drop(topic, index))

    broken = world.broken()

    assert {10} == broken.keys()
    assert dropped["call_id"] in broken[10].violations[0].subject


def test_a_key_in_a_record_is_named_and_not_shown(world: World) -> None:
    """Invariant 11: a model repeated an API key, and a prompt holds a password we know."""
    key = "sk-" + "a1B2" * 8
    index = world.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    world.change(TURNS, index, lambda body: body.update(final_text=f"my key is {key}"))
    request = next(t for t in world.records if t.startswith("ai_prompted."))
    world.change(request, 0, lambda body: body.update(strategy="correct horse battery"))

    broken = world.broken({"DATABASE_PASSWORD": "correct horse battery"})

    assert {11} == broken.keys()
    assert named(broken[11], location(TURNS, world, index))
    assert named(broken[11], location(request, world, 0))
    assert not any(key in str(violation) for violation in broken[11].violations)


def test_a_call_that_waits_past_its_deadline_is_named(world: World) -> None:
    """Invariant 12: a call whose time was over long before the last record was written."""
    source = world.find(COMMANDS, lambda _, body: "deadline_at" in body)
    call = body_of(world.records[COMMANDS][source])
    ghost = call | {"call_id": "ghost", "tool": "calculator", "deadline_at": call["issued_at"]}
    record = world.append(CALLS, ghost, "ToolCall", key=call["agent"])

    broken = world.broken()

    assert {12} == broken.keys()
    assert named(broken[12], f"{CALLS}[0]@{record.offset}")


def test_a_call_that_came_to_nothing_is_named(world: World) -> None:
    """Invariant 13: a look at an account was read, and neither answered nor buried."""
    looks = {
        body_of(r)["call_id"]: r.offset
        for r in world.records[COMMANDS]
        if body_of(r).get("tool") == "get_portfolio"
    }
    for topic in (t for t in world.records if t.startswith("agent.inbox.")):
        for index, record in enumerate(world.records[topic]):
            if (call_id := body_of(record)["call_id"]) in looks:
                world.drop(topic, index)

                broken = world.broken()

                assert {13} == broken.keys()
                assert named(broken[13], f"{COMMANDS}[0]@{looks[call_id]}")
                return
    pytest.fail("no agent looked at its account")


def test_what_the_records_lack_is_said_and_never_passed(world: World) -> None:
    """Without inboxes and requests, what they prove is not checkable, and the reason is named."""
    for topic in [t for t in world.records if t.startswith(("agent.inbox.", "ai_prompted."))]:
        del world.records[topic], world.spans[topic]

    found = world.results()

    assert {} == world.broken()
    assert {10, 12} == {n for n, v in found.items() if v.status is InvariantStatus.NOT_CHECKABLE}
    assert "ai_prompted., agent.inbox." in found[10].why
    assert all(found[n].notes for n in (9, 13))

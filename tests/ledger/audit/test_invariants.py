"""Each test violates one invariant of a sound log, and only that one fails."""

from datetime import timedelta
from decimal import Decimal

import orjson
import pytest

from arena import topics
from arena.kill_switch import ActiveHalt
from ledger.audit.checker import InvariantStatus, Scope
from ledger.audit.decoding import DecodedRecord, parse_time
from ledger.audit.limits import LimitsChecker
from tests.ledger.audit.contest_log import (
    COMMANDS,
    CONTROL,
    EVENTS,
    ROSTER,
    TICKERS,
    TURNS,
    ContestLog,
    Json,
    body_of,
    kind_of,
    reports,
)

CALLS = topics.TOOL_CALLS.name


def location(topic: str, log: ContestLog, index: int) -> str:
    """Return the location of a record, as violations name it."""
    record = log.records[topic][index]
    return f"{topic}[{record.partition}]@{record.offset}"


def a_fill(log: ContestLog) -> int:
    """Return the index of a fill in the middle of the log that an agent asked for."""
    events = enumerate(map(body_of, log.records[EVENTS]))
    fills = [i for i, e in events if e.get("outcome") == "filled" and not e.get("cause")]
    assert len(fills) > 4, "the contest has too few fills"
    return fills[len(fills) // 2]


def change_rules(log: ContestLog, **values: str) -> None:
    """Change the rules on the roster and in the epochs."""
    for index, record in enumerate(log.records[ROSTER]):
        if kind_of(record) == "Rules":
            log.change(ROSTER, index, lambda body: body.update(values))
    for index, record in enumerate(log.records[EVENTS]):
        if kind_of(record) == "Epoch" and body_of(record)["rules"] is not None:
            log.change(EVENTS, index, lambda body: body["rules"].update(values))
    log.rebuild_chain()


def test_sound_log_passes(sound_log: ContestLog) -> None:
    """Every invariant holds on the records of real processes, and each checked something."""
    found = sound_log.results()

    assert {InvariantStatus.PASS} == {result.status for result in found.values()}
    assert [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13] == sorted(found)
    assert all(result.counts for result in found.values())


def test_unbalanced_posting_is_reported(log: ContestLog) -> None:
    """Invariant 1: one unit too many on the rounding account, with a valid chain."""
    index = a_fill(log)
    leg = {"account": "house/rounding", "unit": "USD", "amount": "1"}
    log.change(EVENTS, index, lambda body: body["postings"].append(leg))
    log.rebuild_chain()

    failed = log.failed()

    assert {1} == failed.keys()
    assert reports(failed[1], location(EVENTS, log, index))


def test_cash_that_differs_from_the_fills_is_reported(log: ContestLog) -> None:
    """Invariant 2: an event states a micro-dollar more cash than the fills give."""
    index = a_fill(log)

    def richer(body: Json) -> None:
        body["cash_after"] = str(Decimal(body["cash_after"]) + Decimal("0.000001"))

    log.change(EVENTS, index, richer)
    log.rebuild_chain()

    failed = log.failed()

    assert {2} == failed.keys()
    assert reports(failed[2], location(EVENTS, log, index))


def test_order_without_event_is_reported(log: ContestLog) -> None:
    """Invariant 3: the last event of an agent was removed, and later ones renumbered."""
    orders = [
        (i, body_of(r)["agent"])
        for i, r in enumerate(log.records[EVENTS])
        if kind_of(r) == "OrderDecided"
    ]
    last = {agent: index for index, agent in orders}
    index = min(last.values())
    assert index < orders[-1][0], "it must not be the last event of the log"
    dropped = body_of(log.drop(EVENTS, index))
    log.rebuild_chain()

    failed = log.failed()

    assert {3} == failed.keys()
    assert reports(failed[3], f"{COMMANDS}[0]@{dropped['source']['offset']}")


def test_fill_during_a_halt_is_reported(log: ContestLog) -> None:
    """Invariant 4: all agents were halted two seconds before a fill, and never resumed."""
    index = a_fill(log)
    at = parse_time(body_of(log.records[EVENTS][index])["at"]) - timedelta(seconds=2)
    halt = {"agent": None, "reason": "test", "by": "cli/test", "at": at.isoformat()}
    log.append(CONTROL, halt, "Halt", key="all")

    failed = log.failed()

    assert {4} == failed.keys()
    assert reports(failed[4], location(EVENTS, log, index))


def test_fill_after_a_resume_is_allowed(log: ContestLog) -> None:
    """Invariant 4: a halt that ended before the first fill changes nothing."""
    at = parse_time(body_of(log.records[EVENTS][0])["at"]) - timedelta(seconds=60)
    for kind, later in (("Halt", 0), ("Resume", 5)):
        body = {"agent": None, "by": "cli", "at": (at + timedelta(seconds=later)).isoformat()}
        log.append(CONTROL, body, kind, key="all")

    assert {} == log.failed()


@pytest.mark.parametrize("kind", ["Resume", "Nothing", "Halt", ""])
def test_unreadable_record_does_not_end_a_halt(log: ContestLog, kind: str) -> None:
    """Invariant 4: nor does a resume with another key; both halts are counted."""
    index = a_fill(log)
    at = parse_time(body_of(log.records[EVENTS][index])["at"]) - timedelta(seconds=2)
    control_record = {"agent": None, "by": "cli", "at": at.isoformat()}
    log.append(CONTROL, control_record, "Halt", key="all")
    log.append(CONTROL, {}, kind, key="all")
    log.append(CONTROL, control_record, "Resume", key="risk/all")

    result = log.results()[4]

    assert reports(result, location(EVENTS, log, index))
    assert (1, 1) == (result.counts["halts"], result.counts["unreadable halts"])


@pytest.mark.parametrize(
    ("key", "resumed", "found"),
    [("all", "", 1), ("all", "agent/x", 1), ("all", "all", 0), ("agent/somebody-else", "", 0)],
)
def test_fill_after_a_rejection_by_an_unreadable_halt_is_reported(
    log: ContestLog, key: str, resumed: str, found: int
) -> None:
    """Invariant 4: the executor had read the halt, unless a resume of its key came in between."""
    index = a_fill(log)
    fill = log.records[EVENTS][index]
    body = body_of(fill)
    at = parse_time(body["at"]) - timedelta(seconds=5)
    unread = log.append(CONTROL, {}, "Resume", key=key)
    if resumed:
        agent = None if resumed == "all" else "x"
        control_record = {"agent": agent, "by": "cli", "at": at.isoformat()}
        log.append(CONTROL, control_record, "Resume", key=resumed)
    detail = ActiveHalt(key, "no by", unread=f"{CONTROL}[0]@{unread.offset}").sentence
    refusal = body | {"outcome": "rejected", "reason": "halted", "detail": detail}
    checker = LimitsChecker(Scope(log.spans))

    for record in log.records[CONTROL]:
        checker.take(DecodedRecord(record))
    checker.take(DecodedRecord(fill._replace(value=orjson.dumps(refusal), offset=fill.offset - 1)))
    checker.take(DecodedRecord(fill))

    halted = [one for one in checker.violations if one.expected.startswith("no fill")]
    assert found == len(halted)


def test_wrong_starting_cash_is_reported(log: ContestLog) -> None:
    """Invariant 4: the rules allow half of what the accounts were opened with."""
    change_rules(log, starting_cash_usd="50000")

    failed = log.failed()

    assert {4} == failed.keys()


def test_negative_cash_is_reported(log: ContestLog) -> None:
    """Invariant 4: cash below zero is reported at the event that causes it."""
    checker = LimitsChecker(Scope(log.spans))
    opening = log.find(EVENTS, lambda record, _: kind_of(record) == "AccountOpened")
    agent = body_of(log.records[EVENTS][opening])["agent"]
    index = log.find(
        EVENTS,
        lambda _, body: (
            (body.get("agent"), body.get("action")) == (agent, "buy")
            and body["outcome"] == "filled"
        ),
    )
    log.change(EVENTS, index, lambda body: body.update(notional="200000"))

    checker.take(DecodedRecord(log.records[EVENTS][opening]))
    checker.take(DecodedRecord(log.records[EVENTS][index]))

    assert ["cash of at least 0"] == [violation.expected for violation in checker.violations]
    assert location(EVENTS, log, index) == checker.violations[0].location


def test_price_without_ticker_is_reported(log: ContestLog) -> None:
    """Invariant 5: the ticker that a fill names has another ask."""
    index = a_fill(log)
    used = body_of(log.records[EVENTS][index])["used"]
    ticker = log.find(TICKERS, lambda record, _: record.offset == used["offset"])

    def dearer(body: Json) -> None:
        body["best_ask"] = str(Decimal(body["best_ask"]) + 1)

    log.change(TICKERS, ticker, dearer)

    failed = log.failed()

    assert {5} == failed.keys()
    assert reports(failed[5], location(EVENTS, log, index))


@pytest.mark.parametrize("rule", ["fee_bps", "slippage_bps"])
def test_fill_by_other_rules_is_reported(log: ContestLog, rule: str) -> None:
    """Invariant 5: the rules charge more than the fills paid."""
    change_rules(log, **{rule: "77"})

    failed = log.failed()

    assert {5} == failed.keys()
    assert failed[5].failures >= failed[5].counts["fills"]


def test_changed_event_is_reported(log: ContestLog) -> None:
    """Invariant 6: an event was changed, and the digest in the next one shows it."""
    index = a_fill(log)
    later = "2030-01-01T00:00:00Z"
    log.change(EVENTS, index, lambda body: body.update(issued_at=later))

    failed = log.failed()

    assert {6} == failed.keys()
    assert reports(failed[6], location(EVENTS, log, index + 1))
    assert InvariantStatus.NOT_CHECKABLE == log.results()[2].status


def test_gap_in_the_sequence_is_reported(log: ContestLog) -> None:
    """Invariant 6: an event was removed, and later offsets renumbered."""
    index = a_fill(log)
    log.drop(EVENTS, index)

    failed = log.failed()

    assert 6 in failed
    assert 1 == failed[6].failures
    assert reports(failed[6], location(EVENTS, log, index))


def test_missing_record_is_reported(log: ContestLog) -> None:
    """Invariant 7: a ticker that no order used is missing."""
    used = {e["used"]["offset"] for e in map(body_of, log.records[EVENTS]) if e.get("used")}
    index = log.find(TICKERS, lambda record, _: record.offset > 3 and record.offset not in used)
    missing = log.records[TICKERS].pop(index)

    failed = log.failed()

    assert {7} == failed.keys()
    assert reports(failed[7], f"{TICKERS}[0]@{missing.offset + 1}")


def test_wrong_prompt_hash_is_reported(log: ContestLog) -> None:
    """Invariant 9: a turn names another prompt hash than that of its prompt."""
    index = log.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    log.change(TURNS, index, lambda body: body.update(prompt_sha256="0" * 64))

    failed = log.failed()

    assert {9} == failed.keys()
    assert reports(failed[9], location(TURNS, log, index))


def test_order_that_differs_from_the_reply_is_reported(log: ContestLog) -> None:
    """Invariant 9: the command of an order has another quantity than the model's reply."""
    index = log.find(COMMANDS, lambda _, body: body.get("tool") == "execute_trade")
    log.change(COMMANDS, index, lambda body: body.update(arguments='{"quantity": "9"}'))
    order_id = body_of(log.records[COMMANDS][index])["call_id"]

    failed = log.failed()

    assert {9} == failed.keys()
    assert all(order_id in violation.subject for violation in failed[9].violations)


def test_request_without_reply_is_reported(log: ContestLog) -> None:
    """Invariant 10: a turn says the model answered, but there is no reply."""
    silent = [
        round_["call_id"]
        for record in log.records[TURNS]
        for round_ in body_of(record).get("rounds", ())
        if not round_["tool_call_ids"]
    ]
    topic = next(t for t in log.records if t.startswith("agent.inbox."))
    index = log.find(topic, lambda _, body: body["call_id"] in silent)
    dropped = body_of(log.drop(topic, index))

    failed = log.failed()

    assert {10} == failed.keys()
    assert dropped["call_id"] in failed[10].violations[0].subject


def test_secret_in_a_record_is_reported_but_not_shown(log: ContestLog) -> None:
    """Invariant 11: a model repeated an API key, and a prompt contains a known password."""
    key = "sk-" + "a1B2" * 8
    index = log.find(TURNS, lambda record, _: kind_of(record) == "Turn")
    log.change(TURNS, index, lambda body: body.update(final_text=f"my key is {key}"))
    request = next(t for t in log.records if t.startswith("ai_prompted."))
    log.change(request, 0, lambda body: body.update(strategy="correct horse battery"))

    failed = log.failed({"DATABASE_PASSWORD": "correct horse battery"})

    assert {11} == failed.keys()
    assert reports(failed[11], location(TURNS, log, index))
    assert reports(failed[11], location(request, log, 0))
    assert not any(key in str(violation) for violation in failed[11].violations)


def test_call_that_waits_past_its_deadline_is_reported(log: ContestLog) -> None:
    """Invariant 12: the deadline of a call passed long before the last record was written."""
    source = log.find(COMMANDS, lambda _, body: "deadline_at" in body)
    call = body_of(log.records[COMMANDS][source])
    late_call = call | {"call_id": "ghost", "tool": "calculator", "deadline_at": call["issued_at"]}
    record = log.append(CALLS, late_call, "ToolCall", key=call["agent"])

    failed = log.failed()

    assert {12} == failed.keys()
    assert reports(failed[12], f"{CALLS}[0]@{record.offset}")


def test_call_without_outcome_is_reported(log: ContestLog) -> None:
    """Invariant 13: a portfolio call was read, and neither answered nor dead-lettered."""
    portfolio_calls = {
        body_of(r)["call_id"]: r.offset
        for r in log.records[COMMANDS]
        if body_of(r).get("tool") == "get_portfolio"
    }
    for topic in (t for t in log.records if t.startswith("agent.inbox.")):
        for index, record in enumerate(log.records[topic]):
            if (call_id := body_of(record)["call_id"]) in portfolio_calls:
                log.drop(topic, index)

                failed = log.failed()

                assert {13} == failed.keys()
                assert reports(failed[13], f"{COMMANDS}[0]@{portfolio_calls[call_id]}")
                return
    pytest.fail("no agent called get_portfolio")


def test_missing_topics_are_not_checkable(log: ContestLog) -> None:
    """Without inboxes and requests, 10 and 12 are not checkable, and the reason is given."""
    for topic in [t for t in log.records if t.startswith(("agent.inbox.", "ai_prompted."))]:
        del log.records[topic], log.spans[topic]

    found = log.results()

    assert {} == log.failed()
    assert {10, 12} == {n for n, v in found.items() if v.status is InvariantStatus.NOT_CHECKABLE}
    assert "ai_prompted., agent.inbox." in found[10].why
    assert all(found[n].notes for n in (9, 13))

"""Checks that every order was executed exactly once, at a real price, for the right money.

Reads the raw records of the topics and applies rules that are written here a second time: the
checker imports nothing of the arena and computes in `Decimal`, the arena in scaled integers. It
lists everything that is wrong; it does not stop at the first finding.

An order is *lost* if its command was acked, it has no event, and the records do not prove that
refusing it without one was right. It is *doubled* if more than one event of it is effective.
"""

import hashlib
import re
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from operations.storm.checker_money import MarketRecords, check_money
from operations.storm.checker_records import (
    AckedCommand,
    ExecutorSettings,
    Findings,
    Json,
    RecomputedAccount,
    TopicRecord,
    TopicRecords,
    parse,
    read_time,
)
from operations.storm.checker_refusals import (
    HaltedScopes,
    OrderMemory,
    answers_without_event,
    check_without_event,
)

REQUIRED_FIELDS = {
    "call_id": str,
    "agent": str,
    "tool": str,
    "arguments": str,
    "issued_at": str,
    "deadline_at": str,
    "quotes_seen": dict,
    "ticker_offsets": dict,
}
"""Required fields of a tool call, and their types."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
ID_CHARS_MAX = 128
ROUND_MAX = 1_000_000
ABORTED = "Aborted"
"""Type of the storm's records in aborted transactions, which may or may not be read."""
CUT_BYTES_MIN = 500_000
"""Longer values are truncated in dead letters."""
Calls = dict[str, list[tuple[int, Json]]]


def check_records(
    topics: TopicRecords,
    terms: ExecutorSettings,
    acked: Iterable[AckedCommand] = (),
    halted: Iterable[tuple[int, int]] = (),
    *,
    all_answered: bool = True,
) -> Findings:
    """Check everything that must hold, over one shard.

    Args:
        topics: The records.
        terms: The settings of the executors.
        acked: Commands that a sender knows to be in `account.commands`.
        halted: Ranges of `account.events`, as first offset and end offset, that were written while
            a halt of all trading was confirmed.
        all_answered: Every call must have an answer; if False, calls without an answer are
            counted, because an answer after the deadline is not required.
    """
    findings = Findings()
    commands = readable_commands(topics.commands)
    effective = effective_events(topics.events, findings)
    dead_lettered = dead_lettered_commands(topics)
    refused = check_without_event(
        commands,
        {raw.offset: raw.written_ms for raw in topics.commands if raw.offset in dead_lettered},
        answers_without_event(topics.inboxes),
        OrderMemory(effective, terms.remembered),
        has_invalid_envelope,
        findings,
    )
    check_terminal(commands, effective, refused, findings)
    check_acked(acked, topics.commands, effective, refused, findings)
    check_halted(halted, effective, findings)
    halts, market = HaltedScopes(topics.control), MarketRecords(topics.tickers)
    accounts = check_money(effective, commands, market, terms, halts, findings)
    check_replies(
        topics.inboxes, commands, effective, accounts, findings, all_answered=all_answered
    )
    check_dead_letters(topics, dead_lettered, findings)
    return findings


def is_call(raw: TopicRecord) -> Json | None:
    """Return the tool call in a record, or None."""
    body = parse(raw.value) if raw.kind == "ToolCall" else None
    if body is None or any(
        type(body.get(key)) is not kind for key, kind in REQUIRED_FIELDS.items()
    ):
        return None
    try:
        times = read_time(body["issued_at"]), read_time(body["deadline_at"])
    except ValueError:
        return None
    return body if all(at.tzinfo is not None for at in times) else None


def has_invalid_envelope(call: Json) -> bool:
    """True for a readable call with an invalid envelope, which executors refuse."""
    texts = (call["call_id"], call.get("turn_id", ""), call.get("snapshot_id", ""))
    numbers = (call.get("round", 0), call.get("index", 0))
    return (
        NAME.fullmatch(call["agent"]) is None
        or call["call_id"] == ""
        or call.get("reply_to") != f"agent.inbox.{call['agent']}"
        or any(len(text) > ID_CHARS_MAX for text in texts)
        or not all(0 <= number <= ROUND_MAX for number in numbers)
    )


def readable_commands(records: list[TopicRecord]) -> Calls:
    """Return the calls by id, each with its offsets; unreadable bytes are not a call."""
    found: Calls = defaultdict(list)
    for raw in records:
        if (body := is_call(raw)) is not None:
            found[body["call_id"]].append((raw.offset, body))
    return dict(found)


@dataclass
class AccountChain:
    """The state of the account log: which event is effective next."""

    epoch: int = 0
    owner: str = ""
    seq: int = 0
    head: str = "0" * 64
    decided: set[str] = field(default_factory=set)

    def follows(self, body: Json, steps: int = 1) -> bool:
        """True if an event is the next one of the current shard owner."""
        found = (body["epoch"], body["owner"], body["seq"], body["prev"])
        return found == (self.epoch, self.owner, self.seq + steps, self.head)

    def claims(self, body: Json) -> bool:
        """True if an epoch event starts the next epoch."""
        found = (body["epoch"], body["seq"], body["prev"])
        return found == (self.epoch + 1, self.seq, self.head)

    def link(self, value: bytes) -> None:
        """Add an event to the head of the hash chain."""
        self.head = _next_head(self.head, value)


def effective_events(records: list[TopicRecord], findings: Findings) -> list[Json]:
    """Return the effective events, by epoch, sequence and hash chain.

    A second event of an order is not effective; if later events are chained to it, it is, and the
    order is doubled.
    """
    chain = AccountChain()
    found: list[Json] = []
    ignored: list[str] = []
    second_event: tuple[str, Json, bytes] | None = None
    for expected, raw in enumerate(records):
        findings.expect(raw.offset == expected, f"offset {raw.offset} is at {expected}")
        body = parse(raw.value)
        if body is None:
            findings.add(f"account.events@{raw.offset} is not JSON")
            continue
        if second_event is not None and body["prev"] == second_event[0]:
            findings.counts["doubled"] += 1
            findings.add(f"order {second_event[1]['order_id']} has a second effective event")
            chain.seq, chain.head = chain.seq + 1, second_event[0]
            found.append(second_event[1])
        event = {**body, "kind": raw.kind, "at_offset": raw.offset}
        if raw.kind == "Epoch":
            if chain.claims(body):
                chain.epoch, chain.owner = body["epoch"], body["owner"]
                chain.link(raw.value)
                findings.counts["epochs"] += 1
                second_event = None
            continue
        findings.expect(
            body["epoch"] <= chain.epoch, f"@{raw.offset}: a later epoch than the current one"
        )
        if raw.kind in ("StateDigest", "MarketChecked"):
            if chain.follows(body, steps=0):
                chain.link(raw.value)
                findings.counts["state_digests"] += 1
                second_event = None
        elif not chain.follows(body):
            ignored.append(body["order_id"])
        elif body["order_id"] in chain.decided:
            ignored.append(body["order_id"])
            second_event = (_next_head(chain.head, raw.value), event, raw.value)
        else:
            chain.seq = body["seq"]
            chain.decided.add(body["order_id"])
            chain.link(raw.value)
            found.append(event)
            second_event = None
    findings.counts["events"] = len(records)
    findings.counts["ignored"] = len(ignored)
    findings.counts["written_twice"] = sum(order_id in chain.decided for order_id in ignored)
    findings.counts["effective"] = len(found)
    findings.counts["last_at"] = found[-1]["at_offset"] if found else -1
    return found


def _next_head(head: str, value: bytes) -> str:
    return hashlib.sha256(head.encode() + value).hexdigest()


def check_terminal(
    commands: Calls,
    effective: list[Json],
    refused: set[str],
    findings: Findings,
) -> None:
    """Check that each order has exactly one event, with the first offset of its command."""
    ends = Counter(e["order_id"] for e in effective if e["kind"] == "OrderDecided")
    orders = {
        i: occurrences
        for i, occurrences in commands.items()
        if occurrences[0][1]["tool"] == "execute_trade"
    }
    findings.counts["orders"] = len(orders)
    findings.counts["orders_sent_twice"] = sum(
        len(occurrences) > 1 for occurrences in orders.values()
    )
    findings.counts["copies"] = sum(len(occurrences) - 1 for occurrences in orders.values())
    for order_id, occurrences in orders.items():
        count = ends[order_id]
        if count == 0 and order_id in refused:
            findings.counts["orders_refused"] += 1
        else:
            findings.counts["undecided"] += count == 0
            findings.expect(
                count == 1, f"order {order_id} at {occurrences[0][0]} has {count} events"
            )
    for order_id in ends:
        findings.expect(order_id in orders, f"event of {order_id}, which was not ordered")
    last = -1
    for event in effective:
        source = event["source"]["offset"]
        findings.expect(source >= last, f"seq {event['seq']} goes back to command {source}")
        last = max(last, source)
        if event["kind"] == "OrderDecided" and event["order_id"] in orders:
            first = orders[event["order_id"]][0][0]
            findings.expect(source == first, f"{event['order_id']} names command {source}")


def check_halted(
    halted: Iterable[tuple[int, int]], effective: list[Json], findings: Findings
) -> None:
    """Check that no order was filled while a halt of all trading was confirmed."""
    for begin, end in halted:
        findings.counts["halts"] += 1
        for event in effective:
            if begin <= event["at_offset"] < end and event["kind"] == "OrderDecided":
                findings.counts["decided_while_halted"] += 1
                text = f"order {event['order_id']} was filled in spite of a confirmed halt"
                findings.expect(event["outcome"] != "filled", text)


def check_acked(
    acked: Iterable[AckedCommand],
    records: list[TopicRecord],
    effective: list[Json],
    refused: set[str],
    findings: Findings,
) -> None:
    """Check that acked commands are in the log, byte for byte, and that acked orders ended."""
    there = {raw.offset: raw.value for raw in records}
    decided = {e["order_id"] for e in effective}
    for one in acked:
        findings.counts["acked"] += 1
        value = there.get(one.offset)
        if value is None or hashlib.sha256(value).hexdigest() != one.sha256:
            what = "gone" if value is None else "changed"
            findings.counts["lost"] += 1
            findings.add(f"the acked command {one.offset} is {what}")
        elif one.order_id and one.order_id not in decided and one.order_id not in refused:
            findings.counts["lost"] += 1
            findings.add(f"the acked order {one.order_id} at {one.offset} was lost")


def check_replies(
    inboxes: dict[str, list[TopicRecord]],
    commands: Calls,
    effective: list[Json],
    accounts: dict[str, RecomputedAccount],
    findings: Findings,
    *,
    all_answered: bool,
) -> None:
    """Check that every call has an answer, and that every answer is true."""
    events = {e["order_id"]: e for e in effective}
    answered: Counter[str] = Counter()
    for agent, records in inboxes.items():
        for raw in records:
            body = parse(raw.value) or {}
            if raw.kind != "ToolResult" or "call_id" not in body:
                continue
            findings.expect(body["agent"] == agent, f"{agent} got a reply to {body['agent']}")
            answered[body["call_id"]] += 1
            findings.counts["replies"] += 1
            if body["tool"] == "execute_trade":
                check_trade_reply(body, events.get(body["call_id"]), findings)
            elif body["tool"] == "get_portfolio" and body["ok"]:
                offsets = [offset for offset, _ in commands.get(body["call_id"], [])]
                account = accounts.get(agent)
                if offsets and account is not None:
                    check_portfolio_reply(body, offsets, account, findings)
    for call_id, occurrences in commands.items():
        offset, call = occurrences[0]
        if read_time(call["deadline_at"]) < read_time(call["issued_at"]):
            continue  # it was sent after its deadline; an answer is optional
        if all_answered:
            findings.expect(answered[call_id] > 0, f"{call['tool']} at {offset} was never answered")
        else:
            findings.counts["unanswered"] += answered[call_id] == 0
    findings.counts["answered_again"] = sum(n - 1 for n in answered.values())


def check_trade_reply(reply: Json, event: Json | None, findings: Findings) -> None:
    """Check that a reply agrees with its event, and refuses if there is no event."""
    name = f"reply to {reply['call_id']}"
    if event is None:
        refused = reply["ok"] is False and reply.get("account_seq") is None
        findings.expect(refused, f"{name}: the order has no event")
        return
    if reply["ok"] is False and reply.get("account_seq") is None:
        findings.counts["refused_and_decided"] += 1
        return  # a copy of the command was refused; the order itself was decided before
    value = reply["value"]
    findings.expect(reply["account_seq"] == event["seq"], f"{name}: another seq")
    findings.expect(reply["ok"] == (event["outcome"] == "filled"), f"{name}: another outcome")
    for mine, theirs in (
        ("outcome", "outcome"),
        ("reason", "reason"),
        ("price", "price"),
        ("fee_usd", "fee"),
        ("cash_usd", "cash_after"),
        ("quantity", "quantity"),
    ):
        findings.expect(mine not in value or value[mine] == event[theirs], f"{name}: {mine}")


def check_portfolio_reply(
    reply: Json, offsets: list[int], account: RecomputedAccount, findings: Findings
) -> None:
    """Check a portfolio: the state after all earlier commands; a repeated answer may be newer."""
    exact = {cash for at in offsets if (cash := account.before(at)) is not None}
    reply_cash = Decimal(reply["value"]["cash_usd"])
    findings.counts["portfolios"] += 1
    if reply_cash in exact:
        findings.counts["checks"] += 1
        return
    findings.counts["portfolios_newer"] += 1
    newer = reply_cash in account.from_offset(offsets[0])
    findings.expect(newer, f"portfolio at {offsets} has cash {reply_cash}, not {sorted(exact)}")


def dead_lettered_commands(topics: TopicRecords) -> dict[int, bytes]:
    """Return offset in `account.commands` -> the bytes in its dead letter."""
    return {
        body["offset"]: b64decode(body["value_base64"] or "")
        for raw in topics.dead_letters
        if (body := parse(raw.value)) is not None and body.get("topic") == "account.commands"
    }


def check_dead_letters(
    topics: TopicRecords, dead_lettered: dict[int, bytes], findings: Findings
) -> None:
    """Check that every record that is not a message has a dead letter with its bytes."""
    for raw in topics.commands:
        is_message = raw.kind in ("ToolCall", "OpenAccount") and parse(raw.value) is not None
        if is_message and (raw.kind != "ToolCall" or is_call(raw) is not None):
            continue
        if raw.kind == ABORTED:
            findings.counts["aborted"] += 1
            continue
        findings.counts["garbage"] += 1
        found = dead_lettered.get(raw.offset)
        cut = found is not None and len(found) >= CUT_BYTES_MIN and raw.value.startswith(found)
        findings.expect(found == raw.value or cut, f"command {raw.offset} has no dead letter")

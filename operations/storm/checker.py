"""Was every order executed exactly once, at a true price, for the right money?

Judges the raw records of the topics by rules written down here a second time: the checker imports
nothing of the arena, folds nothing with its code, and computes in `Decimal`, the arena in
scaled integers. What it finds wrong it lists; it never stops at the first.

An order is *lost* if its command was acked, there is no event of it, and the records do not prove
that it was rightly refused without one. It is *doubled* if more than one event of it counts.
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
    RawRecord,
    RecomputedAccount,
    TopicRecords,
    parse,
    when,
)
from operations.storm.checker_refusals import (
    HaltHistory,
    OrderMemory,
    answers_without_event,
    check_without_event,
)

NEEDED = {
    "call_id": str,
    "agent": str,
    "tool": str,
    "arguments": str,
    "issued_at": str,
    "deadline_at": str,
    "quotes_seen": dict,
    "ticker_offsets": dict,
}
"""What a tool call must hold to be one, and of which type."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
ID_CHARS_MAX = 128
PLACE_MAX = 1_000_000
ABORTED = "Aborted"
"""Type that a storm gives the records of aborted transactions, which need not be read."""
LETTER_BYTES_MIN = 500_000
"""A longer value is buried cut."""
Calls = dict[str, list[tuple[int, Json]]]


def check_records(
    topics: TopicRecords,
    terms: ExecutorSettings,
    acked: Iterable[AckedCommand] = (),
    halted: Iterable[tuple[int, int]] = (),
    *,
    calm: bool = True,
) -> Findings:
    """Everything that must hold, over one shard.

    Args:
        topics: The records.
        terms: What the executors were told.
        acked: What a sender knows to be in `account.commands`.
        halted: Parts of `account.events`, by first offset and one past the last, that were written
            while a halt of all trading was confirmed.
        calm: Every call must have been answered; otherwise those without an answer are counted:
            an answer that comes after the deadline is not owed.
    """
    findings = Findings()
    commands = readable_commands(topics.commands)
    effective = effective_events(topics.events, findings)
    buried = buried_commands(topics)
    refused = check_without_event(
        commands,
        {raw.offset: raw.written_ms for raw in topics.commands if raw.offset in buried},
        answers_without_event(topics.inboxes),
        OrderMemory(effective, terms.remembered),
        is_objectionable,
        findings,
    )
    check_terminal(commands, effective, refused, findings)
    check_acked(acked, topics.commands, effective, refused, findings)
    check_halted(halted, effective, findings)
    halts, market = HaltHistory(topics.control), MarketRecords(topics.tickers)
    books = check_money(effective, commands, market, terms, halts, findings)
    check_replies(topics.inboxes, commands, effective, books, findings, calm=calm)
    check_dead_letters(topics, buried, findings)
    return findings


def is_call(raw: RawRecord) -> Json | None:
    """The tool call in a record, or None."""
    body = parse(raw.value) if raw.kind == "ToolCall" else None
    if body is None or any(type(body.get(key)) is not kind for key, kind in NEEDED.items()):
        return None
    try:
        times = when(body["issued_at"]), when(body["deadline_at"])
    except ValueError:
        return None
    return body if all(at.tzinfo is not None for at in times) else None


def is_objectionable(call: Json) -> bool:
    """True for a call that can be read, and that no executor takes: its envelope is wrong."""
    texts = (call["call_id"], call.get("turn_id", ""), call.get("snapshot_id", ""))
    numbers = (call.get("round", 0), call.get("index", 0))
    return (
        NAME.fullmatch(call["agent"]) is None
        or call["call_id"] == ""
        or call.get("reply_to") != f"agent.inbox.{call['agent']}"
        or any(len(text) > ID_CHARS_MAX for text in texts)
        or not all(0 <= number <= PLACE_MAX for number in numbers)
    )


def readable_commands(records: list[RawRecord]) -> Calls:
    """Calls by id, each with the offsets it is at; unreadable bytes are not a call."""
    found: Calls = defaultdict(list)
    for raw in records:
        if (body := is_call(raw)) is not None:
            found[body["call_id"]].append((raw.offset, body))
    return dict(found)


@dataclass
class AccountChain:
    """Where the account log is: what the next event must say to count."""

    epoch: int = 0
    owner: str = ""
    seq: int = 0
    head: str = "0" * 64
    decided: set[str] = field(default_factory=set)

    def follows(self, body: Json, steps: int = 1) -> bool:
        """True if an event is the next one of the current owner."""
        place = (body["epoch"], body["owner"], body["seq"], body["prev"])
        return place == (self.epoch, self.owner, self.seq + steps, self.head)

    def claims(self, body: Json) -> bool:
        """True if an epoch is the next one."""
        found = (body["epoch"], body["seq"], body["prev"])
        return found == (self.epoch + 1, self.seq, self.head)

    def link(self, value: bytes) -> None:
        """Take an event into the head."""
        self.head = _next_head(self.head, value)


def effective_events(records: list[RawRecord], findings: Findings) -> list[Json]:
    """The events that count, by epoch, sequence and chain.

    A second event of an order does not count; if later events build on it all the same, it did,
    and the order is doubled.
    """
    chain = AccountChain()
    found: list[Json] = []
    ignored: list[str] = []
    twice: tuple[str, Json, bytes] | None = None
    for expected, raw in enumerate(records):
        findings.expect(raw.offset == expected, f"offset {raw.offset} is at {expected}")
        body = parse(raw.value)
        if body is None:
            findings.say(f"account.events@{raw.offset} is not JSON")
            continue
        if twice is not None and body["prev"] == twice[0]:
            findings.counts["doubled"] += 1
            findings.say(f"order {twice[1]['order_id']} has a second event that counts")
            chain.seq, chain.head = chain.seq + 1, twice[0]
            found.append(twice[1])
        event = {**body, "kind": raw.kind, "at_offset": raw.offset}
        if raw.kind == "Epoch":
            if chain.claims(body):
                chain.epoch, chain.owner = body["epoch"], body["owner"]
                chain.link(raw.value)
                findings.counts["epochs"] += 1
                twice = None
            continue
        findings.expect(body["epoch"] <= chain.epoch, f"@{raw.offset}: an epoch of the future")
        if raw.kind == "StateDigest":
            if chain.follows(body, steps=0):
                chain.link(raw.value)
                findings.counts["state_digests"] += 1
                twice = None
        elif not chain.follows(body):
            ignored.append(body["order_id"])
        elif body["order_id"] in chain.decided:
            ignored.append(body["order_id"])
            twice = (_next_head(chain.head, raw.value), event, raw.value)
        else:
            chain.seq = body["seq"]
            chain.decided.add(body["order_id"])
            chain.link(raw.value)
            found.append(event)
            twice = None
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
    """Each order has exactly one event, which names the first place of its command."""
    ends = Counter(e["order_id"] for e in effective if e["kind"] == "OrderDecided")
    orders = {
        i: places for i, places in commands.items() if places[0][1]["tool"] == "execute_trade"
    }
    findings.counts["orders"] = len(orders)
    findings.counts["orders_sent_twice"] = sum(len(places) > 1 for places in orders.values())
    findings.counts["copies"] = sum(len(places) - 1 for places in orders.values())
    for order_id, places in orders.items():
        count = ends[order_id]
        if count == 0 and order_id in refused:
            findings.counts["orders_refused"] += 1
        else:
            findings.counts["undecided"] += count == 0
            findings.expect(count == 1, f"order {order_id} at {places[0][0]} has {count} events")
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
    """No order was filled while a halt of all trading was confirmed."""
    for begin, end in halted:
        findings.counts["halts"] += 1
        for event in effective:
            if begin <= event["at_offset"] < end and event["kind"] == "OrderDecided":
                findings.counts["decided_while_halted"] += 1
                text = f"order {event['order_id']} was filled in spite of a confirmed halt"
                findings.expect(event["outcome"] != "filled", text)


def check_acked(
    acked: Iterable[AckedCommand],
    records: list[RawRecord],
    effective: list[Json],
    refused: set[str],
    findings: Findings,
) -> None:
    """What was acked is there, byte for byte, and every order among it came to an end."""
    there = {raw.offset: raw.value for raw in records}
    decided = {e["order_id"] for e in effective}
    for one in acked:
        findings.counts["acked"] += 1
        value = there.get(one.offset)
        if value is None or hashlib.sha256(value).hexdigest() != one.sha256:
            what = "gone" if value is None else "changed"
            findings.counts["lost"] += 1
            findings.say(f"the acked command {one.offset} is {what}")
        elif one.order_id and one.order_id not in decided and one.order_id not in refused:
            findings.counts["lost"] += 1
            findings.say(f"the acked order {one.order_id} at {one.offset} was lost")


def check_replies(
    inboxes: dict[str, list[RawRecord]],
    commands: Calls,
    effective: list[Json],
    books: dict[str, RecomputedAccount],
    findings: Findings,
    *,
    calm: bool,
) -> None:
    """Every call was answered, every answer is true, whichever process gave it and whenever."""
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
                book = books.get(agent)
                if offsets and book is not None:
                    check_portfolio_reply(body, offsets, book, findings)
    for call_id, places in commands.items():
        offset, call = places[0]
        if when(call["deadline_at"]) < when(call["issued_at"]):
            continue  # it came too late; an answer may come or not
        if calm:
            findings.expect(answered[call_id] > 0, f"{call['tool']} at {offset} was never answered")
        else:
            findings.counts["unanswered"] += answered[call_id] == 0
    findings.counts["answered_again"] = sum(n - 1 for n in answered.values())


def check_trade_reply(reply: Json, event: Json | None, findings: Findings) -> None:
    """A reply tells what its event tells; without an event it must say no."""
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
    reply: Json, offsets: list[int], book: RecomputedAccount, findings: Findings
) -> None:
    """A portfolio is the state after all commands before it; given again, it may be newer."""
    exact = {cash for at in offsets if (cash := book.before(at)) is not None}
    told = parse_cash(reply)
    findings.counts["portfolios"] += 1
    if told in exact:
        findings.counts["checks"] += 1
        return
    findings.counts["portfolios_newer"] += 1
    newer = told in book.since(offsets[0])
    findings.expect(newer, f"portfolio at {offsets} tells {told}, not {sorted(exact)}")


def parse_cash(reply: Json) -> Decimal:
    """The cash that a portfolio tells."""
    return Decimal(reply["value"]["cash_usd"])


def buried_commands(topics: TopicRecords) -> dict[int, bytes]:
    """Offset in `account.commands` -> the bytes that were buried of it."""
    return {
        body["offset"]: b64decode(body["value_base64"] or "")
        for raw in topics.dead_letters
        if (body := parse(raw.value)) is not None and body.get("topic") == "account.commands"
    }


def check_dead_letters(topics: TopicRecords, buried: dict[int, bytes], findings: Findings) -> None:
    """Every record that is not a message was buried with its bytes."""
    for raw in topics.commands:
        is_known = raw.kind in ("ToolCall", "OpenAccount") and parse(raw.value) is not None
        if is_known and (raw.kind != "ToolCall" or is_call(raw) is not None):
            continue
        if raw.kind == ABORTED:
            findings.counts["aborted"] += 1
            continue
        findings.counts["garbage"] += 1
        found = buried.get(raw.offset)
        cut = found is not None and len(found) >= LETTER_BYTES_MIN and raw.value.startswith(found)
        findings.expect(found == raw.value or cut, f"command {raw.offset} was not buried")

"""Was every order executed exactly once, at a true price, for the right money?

Judges the raw records of the topics by rules written down here a second time: the checker imports
nothing of the arena, folds nothing with its code, and computes in `Decimal` where the arena uses
scaled integers. What it finds wrong it lists; it never stops at the first.
"""

import hashlib
from base64 import b64decode
from collections import Counter, defaultdict
from decimal import Decimal

from tests.faults.money_checker import Market, check_money
from tests.faults.records import Book, Findings, Json, Raw, Terms, Topics, parse, when


def check(topics: Topics, terms: Terms) -> Findings:
    """Everything that must hold, over one shard."""
    findings = Findings()
    commands = readable_commands(topics.commands)
    effective = effective_events(topics.events, findings)
    check_terminal(commands, effective, findings)
    books = check_money(effective, commands, Market(topics.tickers), terms, findings)
    check_replies(topics.inboxes, commands, effective, books, findings)
    check_dead_letters(topics, findings)
    return findings


def readable_commands(records: list[Raw]) -> dict[str, list[tuple[int, Json]]]:
    """Calls by id, each with the offsets it stands at; unreadable bytes are nobody's call."""
    found: dict[str, list[tuple[int, Json]]] = defaultdict(list)
    for raw in records:
        body = parse(raw.value)
        if raw.kind == "ToolCall" and body is not None and "call_id" in body and "agent" in body:
            found[body["call_id"]].append((raw.offset, body))
    return dict(found)


def effective_events(records: list[Raw], findings: Findings) -> list[Json]:
    """The events that count, by epoch, sequence and chain."""
    epoch, owner, seq, head = 0, "", 0, "0" * 64
    decided: set[str] = set()
    ignored: list[str] = []
    found: list[Json] = []
    for expected, raw in enumerate(records):
        findings.expect(raw.offset == expected, f"offset {raw.offset} stands at {expected}")
        body = parse(raw.value)
        if body is None:
            findings.say(f"account.events@{raw.offset} is no JSON")
            continue
        if raw.kind == "Epoch":
            counts = (body["epoch"], body["seq"], body["prev"]) == (epoch + 1, seq, head)
            if counts:
                epoch, owner = body["epoch"], body["owner"]
                findings.counts["epochs"] += 1
        else:
            counts = (
                (body["epoch"], body["owner"], body["seq"]) == (epoch, owner, seq + 1)
                and body["order_id"] not in decided
                and body["prev"] == head
            )
            findings.expect(body["epoch"] <= epoch, f"@{raw.offset}: an epoch of the future")
            if counts:
                seq = body["seq"]
                decided.add(body["order_id"])
                found.append({**body, "kind": raw.kind, "at_offset": raw.offset})
            else:
                ignored.append(body["order_id"])
        if counts:
            head = hashlib.sha256(head.encode() + raw.value).hexdigest()
    findings.counts["events"] = len(records)
    findings.counts["ignored"] = len(ignored)
    findings.counts["written_twice"] = sum(order_id in decided for order_id in ignored)
    findings.counts["effective"] = len(found)
    return found


def check_terminal(
    commands: dict[str, list[tuple[int, Json]]], effective: list[Json], findings: Findings
) -> None:
    """Each order has exactly one event, which names the first place its command stands at."""
    ends = Counter(e["order_id"] for e in effective if e["kind"] == "OrderDecided")
    orders = {
        i: places for i, places in commands.items() if places[0][1]["tool"] == "execute_trade"
    }
    findings.counts["orders"] = len(orders)
    findings.counts["orders_sent_twice"] = sum(len(places) > 1 for places in orders.values())
    for order_id in orders:
        findings.expect(ends[order_id] == 1, f"order {order_id} has {ends[order_id]} events")
    for order_id in ends:
        findings.expect(order_id in orders, f"event of {order_id}, which nobody ordered")
    last = -1
    for event in effective:
        source = event["source"]["offset"]
        findings.expect(source >= last, f"seq {event['seq']} goes back to command {source}")
        last = max(last, source)
        if event["kind"] == "OrderDecided" and event["order_id"] in orders:
            first = orders[event["order_id"]][0][0]
            findings.expect(source == first, f"{event['order_id']} names command {source}")


def check_replies(
    inboxes: dict[str, list[Raw]],
    commands: dict[str, list[tuple[int, Json]]],
    effective: list[Json],
    books: dict[str, Book],
    findings: Findings,
) -> None:
    """Every call was answered, every answer is true, whoever gave it and whenever."""
    events = {e["order_id"]: e for e in effective}
    answered: Counter[str] = Counter()
    for agent, records in inboxes.items():
        for raw in records:
            body = parse(raw.value) or {}
            if raw.kind != "ToolResult":
                continue
            findings.expect(body["agent"] == agent, f"{agent} got a reply to {body['agent']}")
            answered[body["call_id"]] += 1
            findings.counts["replies"] += 1
            if body["tool"] == "execute_trade":
                check_trade_reply(body, events.get(body["call_id"]), findings)
            elif body["tool"] == "get_portfolio" and body["ok"]:
                offsets = [offset for offset, _ in commands[body["call_id"]]]
                book = books.get(agent, Book(Decimal(0)))
                check_portfolio_reply(body, offsets, book, findings)
    for call_id, places in commands.items():
        offset, call = places[0]
        if when(call["deadline_at"]) < when(call["issued_at"]):
            continue  # nobody waits for it; an answer may come or not
        findings.expect(answered[call_id] > 0, f"{call['tool']} at {offset} was never answered")
    findings.counts["answered_again"] = sum(n - 1 for n in answered.values())


def check_trade_reply(reply: Json, event: Json | None, findings: Findings) -> None:
    """A reply tells what its event tells."""
    name = f"reply to {reply['call_id']}"
    if event is None:
        findings.say(f"{name}: there is no such event")
        return
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


def check_portfolio_reply(reply: Json, offsets: list[int], book: Book, findings: Findings) -> None:
    """A portfolio is the state after all commands before it; given again, it may be newer."""
    before = [[cash for source, cash in book.history if source < at] for at in offsets]
    exact = [cash[-1] for cash in before if cash]
    later = [cash for source, cash in book.history if source >= offsets[0]]
    told = Decimal(reply["value"]["cash_usd"])
    findings.counts["portfolios"] += 1
    findings.counts["portfolios_newer"] += told not in exact
    findings.expect(told in {*exact, *later}, f"portfolio at {offsets} tells {told}, not {exact}")


def check_dead_letters(topics: Topics, findings: Findings) -> None:
    """Every record that is no message was buried with its bytes."""
    buried = {
        (body["topic"], body["offset"]): b64decode(body["value_base64"] or "")
        for raw in topics.dead_letters
        if (body := parse(raw.value)) is not None
    }
    for raw in topics.commands:
        if raw.kind not in ("ToolCall", "OpenAccount") or parse(raw.value) is None:
            findings.counts["garbage"] += 1
            found = buried.get(("account.commands", raw.offset))
            findings.expect(found == raw.value, f"command {raw.offset} was not buried")

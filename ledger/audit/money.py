"""Invariant 2: cash and positions, from the fills alone and from the fold. Pure.

The fills are added up here in whole units, without the fold; the fold (`arena.accounts`) is run
beside it, and both must come to the same accounts.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from arena import topics
from arena.account_log import STRUCTURAL
from arena.account_state import Account, accounts_digest
from arena.accounts import Shard
from arena.checkpoint import FORMAT, pack_shard
from arena.errors import BrokenLog
from arena.money import units_text
from arena.passed_over import PassedOver
from ledger.audit.findings import Checker, Scope
from ledger.audit.reading import Json, Seen, place_of, units

EVENTS = topics.EVENTS.name
NOT_KEPT = "the beginning of account.events is no longer kept"


@dataclass(slots=True)
class Holding:
    """An agent's money as its fills alone give it, in units of 10^-8."""

    cash: int = 0
    scraped: int = 0
    positions: dict[str, int] = field(default_factory=dict)


def fill_moves(event: Json) -> tuple[int, int]:
    """What a fill does to cash and position, from quantity, notional, fee and what is set aside."""
    quantity, fee = units(event["quantity"]), units(event["fee"])
    if event["action"] == "buy":
        return -(units(event["notional"]) + fee), quantity
    return units(event["notional"]) - fee - units(event.get("scraped")), -quantity


class HoldingsChecker(Checker):
    """Adds up the fills, runs the fold beside it, and compares."""

    number = 2
    title = "cash and positions = fills = fold"
    needs = (EVENTS,)
    counted = "accounts"

    def __init__(self, scope: Scope) -> None:
        """No account yet."""
        super().__init__(scope)
        self.holdings: dict[str, Holding] = {}
        self.shards: dict[int, Shard] = {}
        self.stopped: dict[int, str] = {}
        self.passed_over: PassedOver = {}

    def take(self, seen: Seen) -> None:
        """Add up one event, and fold it."""
        if seen.topic == EVENTS:
            if self.scope.first(EVENTS, seen.record.partition) > 0:
                self.why = NOT_KEPT
                self.looked["events after a deleted beginning"] += 1
                return
            self._fold(seen)
            if seen.effective and seen.kind not in STRUCTURAL:
                self._add(seen)

    def _add(self, seen: Seen) -> None:
        event = seen.body or {}
        agent = event["agent"]
        self.looked["events"] += 1
        if seen.kind == "AccountOpened":
            self.holdings[agent] = Holding(cash=units(event["cash_usd"]))
            return
        subject = f"order {event['order_id']}, agent {agent}"
        holding = self.holdings.setdefault(agent, Holding())
        product_id = event["product_id"]
        if event["outcome"] == "filled":
            self.looked["fills"] += 1
            cash, quantity = fill_moves(event)
            holding.cash += cash
            holding.scraped += units(event.get("scraped"))
            holding.positions[product_id] = holding.positions.get(product_id, 0) + quantity
            self._compare_legs(seen, event, cash, quantity)
        held = units_text(holding.positions.get(product_id, 0))
        self._compare(seen, subject, "cash_after", units_text(holding.cash), event["cash_after"])
        if event["position_after"] is not None:
            self._compare(seen, subject, "position_after", held, event["position_after"])

    def _compare(self, seen: Seen, subject: str, name: str, mine: str, said: str) -> None:
        true = units(said) == units(mine)
        self.expect(true, seen.place, subject, f"{name} {mine} by the fills", said)

    def _compare_legs(self, seen: Seen, event: Json, cash: int, quantity: int) -> None:
        subject = f"order {event['order_id']}, agent {event['agent']}"
        own = f"agent/{event['agent']}/"
        moved = {"cash": 0, "position": 0}
        for leg in event["postings"]:
            name = leg["account"].removeprefix(own)
            if leg["account"].startswith(own) and name in moved:
                moved[name] += int(leg["amount"])
        for name, wanted in (("cash", cash), ("position", quantity)):
            text = f"{units_text(wanted)} posted to {own}{name}"
            true = moved[name] == wanted
            self.expect(true, seen.place, subject, text, units_text(moved[name]))

    def _fold(self, seen: Seen) -> None:
        record = seen.record
        if record.partition in self.stopped:
            return
        passed_over = self.passed_over.get(record.partition, {})
        shard = self.shards.get(record.partition)
        if shard is None:
            shard = Shard(next_offset=record.offset, passed_over=passed_over)
            self.shards[record.partition] = shard
        if seen.effective and seen.kind == "StateDigest":
            self._compare_digest(seen, shard)
        try:
            shard.apply(seen.kind, record.value, record.offset)
        except BrokenLog as error:
            self.stopped[record.partition] = f"{seen.place}: {error}"
            return

    def _compare_digest(self, seen: Seen, shard: Shard) -> None:
        """Compute again what the owner says that its state hashes to."""
        body = seen.body or {}
        if body["format"] != FORMAT:
            self.looked["state digests of another format"] += 1
            return
        if self.scope.first(EVENTS, seen.record.partition) > 0:
            self.looked["state digests of a log without its beginning"] += 1
            return
        self.looked["state digests"] += 1
        found = sha256(pack_shard(shard)).hexdigest()
        subject, text = f"seq {body['seq']}", f"a state that hashes to {found[:16]}"
        self.expect(body["sha256"] == found, seen.place, subject, text, str(body["sha256"])[:16])

    def may_be_forgotten(self, agent: str, issued_at: datetime) -> bool:
        """True if an order of that time may have been decided and forgotten."""
        return any(shard.may_be_forgotten(agent, issued_at) for shard in self.shards.values())

    def digest(self) -> str:
        """Hash of all accounts as the fold has them."""
        accounts: dict[str, Account] = {}
        for shard in self.shards.values():
            accounts |= shard.accounts
        return accounts_digest(accounts)

    def finish(self) -> None:
        """Compare the fold with the fills, agent by agent."""
        self.notes.append("dashboard: not checkable here; `arena reconcile run` asks it")
        for partition, shard in self.shards.items():
            if partition in self.stopped:
                continue
            place = place_of(EVENTS, partition, shard.next_offset)
            for agent, account in shard.accounts.items():
                self.looked["accounts"] += 1
                self._compare_account(place, agent, account)

    def _compare_account(self, place: str, agent: str, account: Account) -> None:
        holding = self.holdings.get(agent, Holding())
        positions = {p: h.quantity for p, h in account.positions.items()}
        found = (account.cash, account.scraped, positions)
        held = {p: q for p, q in holding.positions.items() if q}
        wanted = (holding.cash, holding.scraped, held)
        self.expect(found == wanted, place, f"agent {agent}", f"{wanted} by the fills", found)

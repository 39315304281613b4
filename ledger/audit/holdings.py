"""Checks invariant 2: cash and positions computed from the fills equal those of the fold. Pure.

The fills are summed here in whole units, without the fold; the fold (`arena.accounts`) runs next to
it, and both must give the same accounts. An agent has one account per currency, and a fill moves
cash in one currency only.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from arena import topics
from arena.account_log import SETTINGS, STRUCTURAL
from arena.account_state import Account
from arena.accounts import FEES, Shard
from arena.checkpoint import FORMAT, pack_shard
from arena.errors import BrokenLog
from arena.money import units_text
from arena.pass_overs import PassedOver
from arena.shards import digest_of
from ledger.audit.checker import Checker, Scope
from ledger.audit.decoding import DecodedRecord, Json, is_fill, location_of, units

EVENTS = topics.EVENTS.name
NOT_KEPT = "the beginning of account.events is no longer kept"


Owner = tuple[str, str]
"""An agent, and the currency of a wallet; "" for its main account."""


@dataclass(slots=True)
class FillTotals:
    """Cash and positions of one account, computed from its fills, in units of 10^-8."""

    cash: int = 0
    scraped: int = 0
    positions: dict[str, int] = field(default_factory=dict)


def owner_of(event: Json) -> Owner:
    """Return the account that an order is settled in."""
    return event["agent"], event.get("currency") or ""


def name_of(owner: Owner) -> str:
    """Name an account in a violation."""
    agent, currency = owner
    return f"agent {agent}, {currency}" if currency else f"agent {agent}"


def opening_cash(event: Json) -> dict[str, int]:
    """Return currency -> posted starting cash, the main account's currency first."""
    own_cash, found = f"agent/{event['agent']}/cash", dict[str, int]()
    for leg in event.get("postings") or ():
        if leg["account"] == own_cash:
            found[leg["unit"]] = found.get(leg["unit"], 0) + int(leg["amount"])
    return found


def fill_moves(event: Json) -> tuple[int, int]:
    """Return the changes of cash and position by a fill."""
    quantity, fee = units(event["quantity"]), units(event["fee"])
    if event["action"] == "buy":
        return -(units(event["notional"]) + fee), quantity
    return units(event["notional"]) - fee - units(event.get("scraped")), -quantity


class HoldingsChecker(Checker):
    """Sums the fills, runs the fold, and compares the two."""

    number = 2
    title = "cash and positions = fills = fold"
    needs = (EVENTS,)
    required_count = "accounts"

    def __init__(self, scope: Scope) -> None:
        """Start without accounts.

        Args:
            scope: What records will come.
        """
        super().__init__(scope)
        self.holdings: dict[Owner, FillTotals] = {}
        self.currencies: dict[str, str] = {}
        self.shards: dict[int, Shard] = {}
        self.stopped: dict[int, str] = {}
        self.passed_over: PassedOver = {}

    def take(self, decoded: DecodedRecord) -> None:
        """Add one event to the sums, and fold it."""
        if decoded.topic == EVENTS:
            if self.scope.first(EVENTS, decoded.record.partition) > 0:
                self.why = NOT_KEPT
                self.counts["events after a deleted beginning"] += 1
                return
            self._fold(decoded)
            if decoded.effective and decoded.kind not in STRUCTURAL | SETTINGS:
                self._add(decoded)

    def _add(self, decoded: DecodedRecord) -> None:
        event = decoded.body or {}
        agent = event["agent"]
        self.counts["events"] += 1
        if decoded.kind == "AccountOpened":
            self.holdings[agent, ""] = FillTotals(cash=units(event["cash_usd"]))
            main, *further = opening_cash(event).items() or [("", 0)]
            self.currencies[agent] = main[0]
            for currency, cash in further:
                self.holdings[agent, currency] = FillTotals(cash=cash)
            return
        subject = f"order {event['order_id']}, agent {agent}"
        totals = self.holdings.setdefault(owner_of(event), FillTotals())
        product_id = event["product_id"]
        if is_fill(event):
            self.counts["fills"] += 1
            cash, quantity = fill_moves(event)
            totals.cash += cash
            totals.scraped += units(event.get("scraped"))
            totals.positions[product_id] = totals.positions.get(product_id, 0) + quantity
            self._compare_legs(decoded, event, cash, quantity)
        held = units_text(totals.positions.get(product_id, 0))
        self._compare(decoded, subject, "cash_after", units_text(totals.cash), event["cash_after"])
        if event["position_after"] is not None:
            self._compare(decoded, subject, "position_after", held, event["position_after"])

    def _compare(
        self, decoded: DecodedRecord, subject: str, name: str, computed: str, recorded: str
    ) -> None:
        holds = units(recorded) == units(computed)
        self.expect(holds, decoded.location, subject, f"{name} {computed} by the fills", recorded)

    def _compare_legs(self, decoded: DecodedRecord, event: Json, cash: int, quantity: int) -> None:
        subject = f"order {event['order_id']}, agent {event['agent']}"
        own = f"agent/{event['agent']}/"
        currency = event.get("currency") or self.currencies.get(event["agent"], "")
        moved = {"cash": 0, "position": 0}
        for leg in event["postings"]:
            name = leg["account"].removeprefix(own)
            if leg["account"].startswith(own) and name in moved:
                moved[name] += int(leg["amount"])
            if leg["account"] in (f"{own}cash", f"{own}scraped", FEES):
                text, found = f"an amount in {currency}", f"{leg['unit']} in {leg['account']}"
                same = leg["unit"] == currency or not currency
                self.expect(same, decoded.location, subject, text, found)
        for name, wanted in (("cash", cash), ("position", quantity)):
            text = f"{units_text(wanted)} posted to {own}{name}"
            holds = moved[name] == wanted
            self.expect(holds, decoded.location, subject, text, units_text(moved[name]))

    def _fold(self, decoded: DecodedRecord) -> None:
        record = decoded.record
        if record.partition in self.stopped:
            return
        passed_over = self.passed_over.get(record.partition, {})
        shard = self.shards.get(record.partition)
        if shard is None:
            shard = Shard(next_offset=record.offset, passed_over=passed_over)
            self.shards[record.partition] = shard
        if decoded.effective and decoded.kind == "StateDigest":
            self._compare_digest(decoded, shard)
        try:
            shard.apply(decoded.kind, record.value, record.offset)
        except BrokenLog as error:
            self.stopped[record.partition] = f"{decoded.location}: {error}"
            return

    def _compare_digest(self, decoded: DecodedRecord, shard: Shard) -> None:
        """Recompute the digest of the state that the shard's owner has published."""
        body = decoded.body or {}
        if body["format"] != FORMAT:
            self.counts["state digests of another format"] += 1
            return
        if self.scope.first(EVENTS, decoded.record.partition) > 0:
            self.counts["state digests of a log without its beginning"] += 1
            return
        # A record before it did not count: its owner was being replaced, and did not know of it.
        if shard.head_offset != decoded.record.offset - 1:
            self.counts["state digests of an owner that was being replaced"] += 1
            return
        self.counts["state digests"] += 1
        found = sha256(pack_shard(shard)).hexdigest()
        subject, text = f"seq {body['seq']}", f"a state that hashes to {found[:16]}"
        self.expect(
            body["sha256"] == found, decoded.location, subject, text, str(body["sha256"])[:16]
        )

    def may_be_forgotten(self, agent: str, issued_at: datetime) -> bool:
        """True if an order of that time may have been decided and forgotten by the executor."""
        return any(shard.may_be_forgotten(agent, issued_at) for shard in self.shards.values())

    def digest(self) -> str:
        """Return the hash of all accounts of the fold."""
        return digest_of(self.shards.values())

    def finish(self) -> None:
        """Compare the fold with the sums, agent by agent."""
        self.notes.append("dashboard: not checked here; use `arena reconcile run`")
        for partition, shard in self.shards.items():
            if partition in self.stopped:
                continue
            location = location_of(EVENTS, partition, shard.next_offset)
            for agent, account in shard.accounts.items():
                self.counts["accounts"] += 1
                self._compare_account(location, (agent, ""), account)
                wallets = shard.wallets.get(agent, {})
                for currency, wallet in sorted(wallets.items()):
                    self.counts["wallets"] += 1
                    self._compare_account(location, (agent, currency), wallet)

    def _compare_account(self, location: str, owner: Owner, account: Account) -> None:
        totals = self.holdings.get(owner, FillTotals())
        positions = {p: h.quantity for p, h in account.positions.items()}
        found = (account.cash, account.scraped, positions)
        held = {p: q for p, q in totals.positions.items() if q}
        wanted = (totals.cash, totals.scraped, held)
        self.expect(found == wanted, location, name_of(owner), f"{wanted} by the fills", found)

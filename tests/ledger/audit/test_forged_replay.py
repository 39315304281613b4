"""Invariant 8 with forgeries: forged records are not replayed, and do not stop the replay."""

from pathlib import Path

import orjson

from arena import topics
from routers.replay import TurnReplay
from tests.ledger.audit.contest_log import EVENTS, ContestLog, body_of, kind_of
from tests.ledger.audit.test_attacks import append_raw
from tests.ledger.audit.test_forgeries import forge, newest_of_each_kind
from trading_tools.replay import OrderReplay

ANSWERS = 600
"""More answers than the replay reads ahead."""


def forge_all(log: ContestLog) -> None:
    """Forge every kind of record in every topic, and hundreds of answers."""
    for topic in [t for t in log.records if t != EVENTS]:
        for record in newest_of_each_kind(log, topic):
            forge(log, topic, record)
    for topic in [t for t in log.records if t.startswith(topics.INBOX.name)]:
        reply = next(r for r in log.records[topic] if kind_of(r) == "ChatReply")
        flood = [
            reply._replace(value=orjson.dumps(body_of(reply) | {"call_id": f"x{n}"}))
            for n in range(ANSWERS)
        ]
        log.records[topic] = [*flood, *log.records[topic]]
        log.renumber(topic)
    used = {"partition": 7, "offset": 10**12, "event_time": "soon"}
    order = next(r for r in reversed(log.records[EVENTS]) if kind_of(r) == "OrderDecided")
    zombie = body_of(order) | {"owner": "zombie", "used": used}
    append_raw(log, EVENTS, orjson.dumps(zombie), "OrderDecided")


async def test_forged_records_change_no_replay(log: ContestLog, tmp_path: Path) -> None:
    """Prompts, requests, turns, orders and accounts are the same as without them."""
    sound = await log.copy().write_async(tmp_path / "sound")
    forge_all(log)
    forged = await log.write_async(tmp_path / "forged")

    turns, played = TurnReplay(sound).run(), TurnReplay(forged).run()
    orders, decided = OrderReplay(sound).run(), OrderReplay(forged).run()

    assert [] == played.differences
    assert (turns.prompts, turns.asked, turns.turns) == (played.prompts, played.asked, played.turns)
    assert [] == decided.differences
    assert (orders.sha256, orders.account_digest) == (decided.sha256, decided.account_digest)

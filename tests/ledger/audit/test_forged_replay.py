"""Invariant 8 among forgeries: what strangers wrote is not played again, and stops no replay."""

from pathlib import Path

import orjson

from arena import topics
from routers.replay import TurnReplay
from tests.ledger.audit.test_attacks import put
from tests.ledger.audit.test_forgeries import forge, newest_of_each_kind
from tests.ledger.audit.world import EVENTS, World, body_of, kind_of
from trading_tools.replay import OrderReplay

ANSWERS = 600
"""More than the replay reads ahead."""


def forge_all(world: World) -> None:
    """Forge every kind of record of every topic, and answers by the hundred."""
    for topic in [t for t in world.records if t != EVENTS]:
        for record in newest_of_each_kind(world, topic):
            forge(world, topic, record)
    for topic in [t for t in world.records if t.startswith(topics.INBOX.name)]:
        reply = next(r for r in world.records[topic] if kind_of(r) == "ChatReply")
        flood = [
            reply._replace(value=orjson.dumps(body_of(reply) | {"call_id": f"x{n}"}))
            for n in range(ANSWERS)
        ]
        world.records[topic] = [*flood, *world.records[topic]]
        world.renumber(topic)
    used = {"partition": [], "offset": {}, "event_time": "soon"}
    order = next(r for r in reversed(world.records[EVENTS]) if kind_of(r) == "OrderDecided")
    zombie = body_of(order) | {"owner": "zombie", "used": used}
    put(world, EVENTS, orjson.dumps(zombie), "OrderDecided")


async def test_forged_records_change_no_replay(world: World, tmp_path: Path) -> None:
    """The same prompts, requests, turns, orders and accounts as without them."""
    sound = await world.copy().write_async(tmp_path / "sound")
    forge_all(world)
    forged = await world.write_async(tmp_path / "forged")

    turns, played = TurnReplay(sound).run(), TurnReplay(forged).run()
    orders, decided = OrderReplay(sound).run(), OrderReplay(forged).run()

    assert [] == played.differences
    assert (turns.prompts, turns.asked, turns.turns) == (played.prompts, played.asked, played.turns)
    assert [] == decided.differences
    assert (orders.sha256, orders.account_digest) == (decided.sha256, decided.account_digest)

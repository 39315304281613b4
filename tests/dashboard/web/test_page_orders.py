"""The page tells what became of each step of an order, and how near an agent is to its limits."""

import re

from arena.messages import AgentSpec
from tests.dashboard.scenario import Scenario
from tests.dashboard.web.serving import serving
from tests.ledger.audit.contest_log import EVENTS, ROSTER, TICKERS
from tests.ledger.living_log import AGENT, BTC, LivingArena
from tests.ledger.wallet_log import NOW


def scenario_of(arena: LivingArena) -> Scenario:
    """The records of agents whose orders live, with their names on the roster."""
    spec = AgentSpec(agent=AGENT, strategy=AGENT, node="rules", prompt_sha256="", joined_at=NOW)
    arena._write(ROSTER, spec, AGENT)
    scenario = Scenario(agents=())
    scenario.records = [one for topic in (ROSTER, TICKERS, EVENTS) for one in arena.records[topic]]
    return scenario


async def test_steps_of_orders_are_rows_of_their_own_with_words() -> None:
    """An exit that was armed and replaced says so, and is not a sale of nothing in ten seconds."""
    arena = LivingArena()
    arena.buy(AGENT, BTC, "0.2", stop_loss_pct=5)
    arena.price(BTC, "60100", seconds=10)
    arena.call(AGENT, "set_exit", product_id=BTC, stop_loss_pct=4)
    arena.price(BTC, "50000", seconds=10)
    async with serving(scenario_of(arena)) as served:
        page = (await served.client.get(f"/agents/{AGENT}")).text
        answer = (await served.client.get(f"/api/v1/trades?agent={AGENT}")).json()

    rows = re.findall(r'<tr id="(o-[^"]+)"[^>]*>(.*?)</tr>', page, re.DOTALL)
    words = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for _, row in rows]
    assert len(answer["trades"]) == len(rows) == len({name for name, _ in rows})
    assert any(f"sell stop loss all {BTC} accepted" in one for one in words)
    assert any(f"sell stop loss all {BTC} cancelled: replaced" in one for one in words)
    assert any(f"sell stop loss 0.2 {BTC}" in one and "verify" in one for one in words)
    late = [one for one in answer["trades"] if one["step"]]
    assert len(late) >= 2
    assert [None] * len(late) == [one["latency_ms"] for one in late]
    assert all(one["latency_ms"] is not None for one in answer["trades"] if not one["step"])


async def test_tables_of_limits_and_orders_scroll_on_a_phone() -> None:
    """A wide table moves in its own box, so the page does not scroll sideways."""
    arena = LivingArena()
    arena.buy(AGENT, BTC, "0.2", stop_loss_pct=5)
    async with serving(scenario_of(arena)) as served:
        page = (await served.client.get(f"/agents/{AGENT}")).text

    for name in ("Limits of risk, now", "Open orders"):
        box = rf'<div class="scroll[^>]*><table><caption>{name}</caption>'
        assert re.search(box, page), name

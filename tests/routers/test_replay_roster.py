"""The roster at a recorded turn, although the clocks of hosts differ."""

from datetime import timedelta
from decimal import Decimal

from arena.bus.base import Record
from arena.messages import Message, Rules, ToolOffered
from arena.wire import encode
from routers.replay_roster import LATE_STATES, OTHER_RULES_MAX, RosterHistory
from tests.routers.builders import WALL


def rules(fee_bps: int, after_s: float) -> Rules:
    """Rules with a fee, dated so many seconds after the turn."""
    return Rules(
        starting_cash_usd=Decimal(100_000),
        fee_schedule="test",
        fee_bps=Decimal(fee_bps),
        slippage_bps=Decimal(2),
        price_age_s_max=30,
        collar_bps=Decimal(50),
        at=WALL + timedelta(seconds=after_s),
    )


def offer(number: int, after_s: float) -> ToolOffered:
    """A tool, dated so many seconds after the turn."""
    return ToolOffered(
        name=f"tool_{number}",
        description="",
        parameters={},
        touches_account=False,
        at=WALL + timedelta(seconds=after_s),
    )


def history(*messages: Message) -> RosterHistory:
    """A roster of these messages."""
    encoded = (encode(message) for message in messages)
    return RosterHistory(
        Record("arena.roster", 0, n, 0, b"key", one.value, dict(one.headers))
        for n, one in enumerate(encoded)
    )


def test_rules_of_a_host_whose_clock_is_ahead_are_tried() -> None:
    """The turn was played by rules that are dated after it, and after all of the tools."""
    tools = [offer(n, 0.1 * n) for n in range(12)]
    own = rules(60, 2.0)
    found = [state[1] for state in history(*tools, own).states_at(WALL)]
    assert found[0] is None
    assert own in found[1 + LATE_STATES :]


def test_the_likely_states_come_first() -> None:
    """Rules that were in force are not passed over for others."""
    old, new, later = rules(10, -100), rules(20, -50), rules(30, 500)
    found = [state[1] for state in history(old, new, later).states_at(WALL)]
    assert found[:2] == [new, later]
    assert old in found


def test_the_states_that_are_tried_are_bounded() -> None:
    """An arena whose rules changed a hundred times does not stop a replay."""
    changed = history(*(rules(n, n - 50) for n in range(100)))
    assert len(list(changed.states_at(WALL))) <= 1 + 2 * LATE_STATES + OTHER_RULES_MAX

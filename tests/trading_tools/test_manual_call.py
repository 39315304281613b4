"""An operator's call uses an existing account, and does not trade for a contestant."""

import pytest

from arena.errors import UsageError
from arena.messages import AgentSpec
from arena.unknown_names import OPERATOR
from tests.routers.builders import WALL
from trading_tools.manual_call import check_account

PLAYING = {"momentum": AgentSpec(agent="momentum", strategy="momentum", node="gpt", joined_at=WALL)}


@pytest.mark.parametrize(
    ("agents", "name", "trades", "force"),
    [
        (PLAYING, OPERATOR, True, False),
        (PLAYING, "momentum", False, False),
        (PLAYING, "momentum", True, True),
        ({}, "me", True, False),
    ],
)
def test_allowed_calls(agents: dict[str, AgentSpec], name: str, trades: bool, force: bool) -> None:
    """The operator's own account, a read, an order with --force, an arena without agents."""
    check_account(agents, name, trades=trades, force=force)


@pytest.mark.parametrize(
    ("name", "trades", "text"),
    [
        ("momentum", True, r"momentum is an agent \(momentum@gpt\).*--force"),
        ("momentm", True, r"no agent 'momentm'; the agents are momentum; without --agent"),
        ("momentm", False, "no agent 'momentm'"),
    ],
)
def test_refused_calls(name: str, trades: bool, text: str) -> None:
    """An order for a contestant, and an unknown name: no account is opened for it."""
    with pytest.raises(UsageError, match=text):
        check_account(PLAYING, name, trades=trades, force=False)

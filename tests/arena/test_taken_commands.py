"""A command hands over its work instead of serving."""

import pytest

from arena.errors import ArenaError, UsageError
from arena.node import Node, run_node
from arena.settings import Settings
from arena.taken_commands import Work, take_work


async def serve(node: Node, options: int) -> None:
    """Never called here."""
    raise AssertionError(f"{node.name} was served with {options}")


def test_the_work_of_a_command_is_taken() -> None:
    """Kind, name and options are what the process would have had."""
    found = take_work(lambda: run_node("router", "momentum", Settings(), serve, 7))
    assert found == Work("router", "momentum", 7)


def test_a_command_that_does_not_serve_is_an_error() -> None:
    """Its own error is raised as it is."""
    with pytest.raises(ArenaError, match="ended before it served"):
        take_work(lambda: None)

    def refuse() -> None:
        raise UsageError("a wrong flag")

    with pytest.raises(UsageError, match="a wrong flag"):
        take_work(refuse)

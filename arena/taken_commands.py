"""Takes the work of a process from its command, so that a caller can run it in its own loop.

A command parses its flags, prepares its options and calls `arena.node.run_node`, which runs the
process and exits. Within `take_work` the command returns its work to the caller instead. So many
processes in one loop have exactly the options that their command lines give.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from arena.errors import ArenaError


@dataclass(frozen=True, slots=True)
class Work:
    """What a command would have run.

    Attributes:
        command: The command, such as "router".
        name: Name of the node, such as the agent's; "" for a process without a name of its own.
        options: The options for `serve` of its kind.
    """

    command: str
    name: str
    options: object


class _Taken(BaseException):
    """Ends a command after its work was taken; no handler of errors may catch it."""


_taken: ContextVar[list[Work] | None] = ContextVar("taken", default=None)


def take_work(command: Callable[[], object]) -> Work:
    """Run a command until it would serve, and return its work.

    Args:
        command: Calls the command with its flags.

    Raises:
        ArenaError: The command ended without serving, or what the command itself raises.
    """
    works: list[Work] = []
    token = _taken.set(works)
    try:
        command()
    except _Taken:
        return works[0]
    finally:
        _taken.reset(token)
    raise ArenaError("the command ended before it served")


def offer_work(work: Work) -> None:
    """End the command here if a caller takes its work; else do nothing."""
    works = _taken.get()
    if works is not None:
        works.append(work)
        raise _Taken

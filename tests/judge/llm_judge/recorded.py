"""Turns that were recorded in a contest of scripted agents."""

import lzma
from functools import cache
from pathlib import Path

from arena.messages import Turn

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "turns.jsonl.xz"


@cache
def recorded_turns() -> tuple[Turn, ...]:
    """The turns, in the order of the record."""
    lines = lzma.decompress(FIXTURE.read_bytes()).splitlines()
    return tuple(Turn.model_validate_json(line) for line in lines)


def with_buy() -> Turn:
    """A turn with a filled buy that has exits."""
    return next(t for t in recorded_turns() if "Exits: stop-loss" in str(t.messages))


def waiting() -> Turn:
    """A turn without an order."""
    return next(t for t in recorded_turns() if t.agent == "momentum-rules" and len(t.messages) == 3)

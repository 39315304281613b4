"""The seed of a model call, derived from the asker's own seed and the snapshot alone. Pure.

It has two purposes. Repeat k of every cell gets the same random numbers at the same snapshot, so
part of the difference between two cells that is due to chance cancels out (common random numbers).
And a repeat gets different numbers at the next snapshot: with one seed for a whole season a model
would draw the same numbers every time, and a repeat's luck would be a constant that no length of
season averages out. Agent, strategy and round do not affect it.

A request without a turn has no snapshot; its call id takes the place.
"""

from hashlib import sha256

from arena.messages import ChatRequest

SEED_MAX = 2**31 - 1
"""Servers accept signed 32-bit seeds, and some refuse seeds below 1."""


def call_seed(request: ChatRequest) -> int | None:
    """The seed to send with a request, from 1 to `SEED_MAX`; None if its agent has none."""
    own = request.sampling.seed
    if own is None:
        return None
    drawn = sha256(f"{own} {request.snapshot_id or request.call_id}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % SEED_MAX + 1

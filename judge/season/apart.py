"""Entries whose figures are not one contestant's: they are listed apart, without a rank. Pure.

An account belongs to a name. If two contestants played under it (another strategy, chat node,
model, prompt or size of the prompt) and both decided something, or an operator traded in it, its
returns are neither's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from arena.messages import DeadEntry, Turn
from arena.vitals import Dead
from judge.season.dead import unranked
from judge.season.model import Decision, Entry

TWO_CONTESTANTS = "two_contestants"
BY_HAND = "by_hand"
"""Codes of the reasons."""

RULES_BEGIN = "\n\nHow this arena works\n"
"""Behind the strategy's own words in a system message; `routers.prompt` puts it there."""
CONTESTANTS_MAX = 16
"""More of one name are not kept: two are enough to say that it is not one."""
DIGEST_CHARS = 12
REMEDY = {
    TWO_CONTESTANTS: "give every strategy, chat node, model and prompt a name of its own",
    BY_HAND: "trade by hand without --agent: it has an account of its own",
}


class Contestant(NamedTuple):
    """Who played under a name, from a turn on; a field that a turn did not tell is "".

    Attributes:
        prompt: Digest of the strategy's words in the system message.
        since: Wall time of the first turn. snapshot_id: what that turn is about.
    """

    strategy: str
    node: str
    model: str
    size: str
    prompt: str
    since: datetime
    snapshot_id: str

    @property
    def who(self) -> str:
        """In a few words, such as "momentum@gpt (gpt-4o)"."""
        return f"{self.strategy}@{self.node}{f' ({self.model})' if self.model else ''}"


TOLD = ("strategy", "node", "model", "size", "prompt")
"""The fields in which two contestants differ."""


def contestant_of(turn: Turn) -> Contestant:
    """Who played a turn."""
    system = next((m.content for m in turn.messages if m.role == "system"), "")
    own_words = system.rpartition(RULES_BEGIN)[0] or system
    digest = sha256(own_words.encode("utf-8", "replace")).hexdigest()[:DIGEST_CHARS]
    return Contestant(
        strategy=turn.strategy,
        node=turn.node,
        model=turn.model,
        size=turn.prompt_size if turn.messages else "",
        prompt=digest if system else "",
        since=turn.started_at,
        snapshot_id=turn.snapshot_id,
    )


def note_contestant(known: list[Contestant], new: Contestant) -> None:
    """Add a turn's contestant to those of its name, unless the newest of them played it."""
    if not known:
        known.append(new)
        return
    last = known[-1]
    pairs = ((getattr(last, name), getattr(new, name)) for name in TOLD)
    if all(a == b or not a or not b for a, b in pairs):
        known[-1] = last._replace(**{n: getattr(last, n) or getattr(new, n) for n in TOLD})
    elif len(known) < CONTESTANTS_MAX:
        known.append(new)


def apart_entry(
    entry: Entry,
    contestants: Sequence[Contestant],
    decisions: Sequence[Decision],
    by_hand: int,
    *,
    index: Mapping[str, int],
    last: int,
    unread: int = 0,
) -> DeadEntry | None:
    """The entry as it is listed apart; None if it can be compared.

    Args:
        entry: Who.
        contestants: Of its name, oldest first.
        decisions: Its turns.
        by_hand: Orders that were sent by hand in its name.
        index: Snapshot id -> its place in the season.
        last: The place of the season's last snapshot.
        unread: The place of a snapshot that is not in the index.
    """
    found = [
        one
        for n, one in enumerate(contestants)
        if not n or index.get(one.snapshot_id, unread) <= last
    ]
    if len(found) > 1:
        code, cause = TWO_CONTESTANTS, _two_words(found)
    elif by_hand:
        count = f"{by_hand:,} order{'s' * (by_hand != 1)}"
        code, cause = BY_HAND, f"{count} in its account came from `arena tools call`, not from it"
    else:
        return None
    return unranked(Dead(entry.name, cause, 0, code, REMEDY[code]), entry, decisions)


def _two_words(found: Sequence[Contestant]) -> str:
    """Who the first two were and when the second came."""
    before, after = found[0], found[1]
    more = f", and {len(found) - 2} more" if len(found) > 2 else ""
    when = f"{after.since:%Y-%m-%d %H:%M:%S} UTC"
    if before.who == after.who:
        what = "prompt size" if before.size != after.size else "prompt"
        return (
            f"two contestants under one name: {before.who} with another {what} until {when}{more}"
        )
    return f"two contestants under one name: {before.who} until {when}, then {after.who}{more}"

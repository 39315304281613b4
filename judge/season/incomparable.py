"""Entries whose figures belong to no single contestant: listed separately, without a rank. Pure.

An account belongs to a name. If two contestants (that differ in strategy, chat node, model,
prompt, prompt size or kind of turns) both decided something under one name, or if an operator
traded in the account, the returns cannot be attributed to either. A coached agent is one contestant
whatever version of its text it played by: its versions are in `prompts`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from arena.agent_health import DeadAgent
from arena.messages import SINGLE, DeadEntry, Turn
from arena.plural import counted
from judge.season.dead_entries import unranked_entry
from judge.season.types import Entry, TurnSummary
from judge.strategy_text import split_system

TWO_CONTESTANTS = "two_contestants"
BY_HAND = "by_hand"
"""Codes of the reasons in `DeadEntry.code`."""

CONTESTANTS_MAX = 16
"""Most contestants that are kept per name; two are enough to rule the name out."""
VERSIONED = "v"
"""The end of a prompt's digest if the turn names the version of its text."""
DIGEST_CHARS = 12
"""Hexadecimal digits of a prompt or setup digest."""
REMEDY = {
    TWO_CONTESTANTS: "give every strategy, chat node, model and prompt a name of its own",
    BY_HAND: "trade by hand without --agent: it has an account of its own",
}


class Contestant(NamedTuple):
    """Who played under a name; a field that no turn recorded is "".

    Attributes:
        prompt: Digest of the strategy's own text in the system message, with `VERSIONED`.
        since: Wall time of the first turn.
        snapshot_id: Snapshot of the first turn.
        turn_kind: How its turns proceed.
    """

    strategy: str
    node: str
    model: str
    size: str
    prompt: str
    since: datetime
    snapshot_id: str
    turn_kind: str = SINGLE

    @property
    def label(self) -> str:
        """Short description, such as "momentum@gpt (gpt-4o)"."""
        return f"{self.strategy}@{self.node}{f' ({self.model})' if self.model else ''}"


COMPARED_FIELDS = ("strategy", "node", "model", "size", "prompt", "turn_kind")
"""The fields in which two contestants differ."""


def contestant_of(turn: Turn) -> Contestant:
    """Return the contestant that played a turn."""
    system = next((m.content for m in turn.messages if m.role == "system"), "")
    own_words = split_system(system)[0] or system
    digest = sha256(own_words.encode("utf-8", "replace")).hexdigest()[:DIGEST_CHARS]
    digest += VERSIONED if turn.version else ""
    return Contestant(
        strategy=turn.strategy,
        node=turn.node,
        model=turn.model,
        size=turn.prompt_size if turn.messages else "",
        prompt=digest if system else "",
        since=turn.started_at,
        snapshot_id=turn.snapshot_id,
        turn_kind=turn.turn_kind,
    )


def note_contestant(known: list[Contestant], new: Contestant) -> None:
    """Add a turn's contestant to those of its name, unless it is the newest one already."""
    if not known:
        known.append(new)
        return
    last = known[-1]
    if not _differences(last, new):
        known[-1] = last._replace(
            **{n: getattr(last, n) or getattr(new, n) for n in COMPARED_FIELDS}
        )
    elif len(known) < CONTESTANTS_MAX and not (len(known) > 1 and _only_version(known[-2:], new)):
        known.append(new)


def _differences(one: Contestant, other: Contestant) -> list[str]:
    """The fields in which two contestants differ."""
    values = ((n, getattr(one, n), getattr(other, n)) for n in COMPARED_FIELDS)
    same = [(n, a, b) for n, a, b in values if a and b and a != b]
    return [n for n, a, b in same if n != "prompt" or a.rstrip(VERSIONED) != b.rstrip(VERSIONED)]


def _only_version(known: Sequence[Contestant], new: Contestant) -> bool:
    """True if a contestant differs from the newest ones only in the version of its text."""
    return new.prompt.endswith(VERSIONED) and all(
        _differences(one, new) in ([], ["prompt"]) for one in known
    )


def _without_versions(contestants: Sequence[Contestant]) -> list[Contestant]:
    """The contestants of a coached agent: those that differ only in their version are one."""
    found: list[Contestant] = []
    for one in contestants:
        if not (found and _only_version(found[-1:], one)):
            found.append(one)
    return found


def incomparable_entry(
    entry: Entry,
    contestants: Sequence[Contestant],
    decisions: Sequence[TurnSummary],
    by_hand: int,
    *,
    index: Mapping[str, int],
    last: int,
    unread: int = 0,
    coached: bool = False,
) -> DeadEntry | None:
    """Return the entry as it is listed without a rank; None if it can be compared.

    Args:
        entry: The entry.
        contestants: Contestants of its name, oldest first.
        decisions: Turns of the entry.
        by_hand: Number of orders that were sent manually in its name.
        index: Snapshot id -> index in the season.
        last: Index of the season's last snapshot.
        unread: Index to assume for a snapshot that is not in `index`.
        coached: Its text may change while it plays.
    """
    played = _without_versions(contestants) if coached else contestants
    found = [
        one for n, one in enumerate(played) if not n or index.get(one.snapshot_id, unread) <= last
    ]
    if len(found) > 1:
        code, cause = TWO_CONTESTANTS, _two_contestants_text(found)
    elif by_hand:
        count = counted(by_hand, "order")
        code, cause = BY_HAND, f"{count} in its account came from `arena tools call`, not from it"
    else:
        return None
    return unranked_entry(DeadAgent(entry.name, cause, 0, code, REMEDY[code]), entry, decisions)


def _two_contestants_text(found: Sequence[Contestant]) -> str:
    """Return who the first two contestants were and when the second one started."""
    before, after = found[0], found[1]
    more = f", and {len(found) - 2} more" if len(found) > 2 else ""
    when = f"{after.since:%Y-%m-%d %H:%M:%S} UTC"
    if before.label == after.label:
        if before.turn_kind != after.turn_kind:
            what = "kind of turns"
        else:
            what = "prompt size" if before.size != after.size else "prompt"
        return (
            f"two contestants under one name: {before.label} with another {what} until {when}{more}"
        )
    return f"two contestants under one name: {before.label} until {when}, then {after.label}{more}"

"""The result of a replay of turns, separately for each version that recorded them. Pure.

Another version has other prompts, so a turn of it that comes out differently is counted, and is not
reported as a difference. The audit's other invariants compare the hash of its prompt, its request
and its orders, whatever the version.
"""

from collections import Counter
from dataclasses import dataclass, field

REPLAYED, DIFFERENT = "played", "otherwise"
TEXT_CHARS_MAX = 400


@dataclass(slots=True)
class TurnReplayResult:
    """The result of a replay of turns.

    Attributes:
        counts: What was replayed.
        notes: What could not be replayed, and why.
        differences: Place, subject, expected and found, for turns of this version.
        older: Version -> how many of its turns were replayed, and how many came out differently.
        of_this_version: How many turns of this version were replayed.
        version: The version that recorded the current turn; "" for this version.
        prompts, asked, turns: Hashes over every prompt, every request and call, every turn.
    """

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    differences: list[dict[str, str]] = field(default_factory=list)
    older: dict[str, Counter[str]] = field(default_factory=dict)
    of_this_version: int = 0
    version: str = ""
    prompts: str = ""
    asked: str = ""
    turns: str = ""
    _different_place: str = ""

    def begin(self, version: str) -> None:
        """Start comparing a turn that this version recorded; "" for the running version."""
        self.version, self._different_place = version, ""
        self.of_this_version += not version
        if version:
            self.older.setdefault(version, Counter())[REPLAYED] += 1

    def expect(self, true: bool, place: str, subject: str, expected: str, found: str) -> bool:
        """Record a difference unless `true`; a turn of another version is only counted."""
        if true:
            return True
        if self.version:
            if self._different_place != place:
                self._different_place = place
                self.older[self.version][DIFFERENT] += 1
            return False
        texts = {"expected": expected[:TEXT_CHARS_MAX], "found": found[:TEXT_CHARS_MAX]}
        self.differences.append({"place": place, "subject": subject, **texts})
        return False

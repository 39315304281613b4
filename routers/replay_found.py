"""What comes of a replay of turns, told apart by the version that recorded them. Pure.

Another version has other prompts: where it told a turn otherwise, that is counted and not called a
difference. The hash of its prompt, its request and its orders are held against each other by the
audit's other invariants, whatever the version.
"""

from collections import Counter
from dataclasses import dataclass, field

PLAYED, OTHERWISE = "played", "otherwise"
TEXT_CHARS_MAX = 400


@dataclass(slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        counts: What was played.
        notes: What could not be, and why.
        differences: Place, subject, expected and found; of turns of this version.
        older: Version -> turns of it that were played again, and that came out otherwise.
        of_today: Turns of this version that were played again.
        version: That recorded the turn that is compared now; "" for this version.
        prompts, asked, turns: Hashes over every prompt, every request and call, every turn.
    """

    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    differences: list[dict[str, str]] = field(default_factory=list)
    older: dict[str, Counter[str]] = field(default_factory=dict)
    of_today: int = 0
    version: str = ""
    prompts: str = ""
    asked: str = ""
    turns: str = ""
    _otherwise: str = ""

    def begin(self, version: str) -> None:
        """Take the version that recorded the turn that is compared next; "" for this one."""
        self.version, self._otherwise = version, ""
        self.of_today += not version
        if version:
            self.older.setdefault(version, Counter())[PLAYED] += 1

    def expect(self, true: bool, place: str, subject: str, expected: str, found: str) -> bool:
        """Note a difference unless something is true; of another version's turn, count it."""
        if true:
            return True
        if self.version:
            if self._otherwise != place:
                self._otherwise = place
                self.older[self.version][OTHERWISE] += 1
            return False
        texts = {"expected": expected[:TEXT_CHARS_MAX], "found": found[:TEXT_CHARS_MAX]}
        self.differences.append({"place": place, "subject": subject, **texts})
        return False

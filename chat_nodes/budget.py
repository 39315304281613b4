"""A cap on the tokens of a chat node per UTC day, restored from `llm.calls`. Pure.

Calls in progress when the budget is spent are finished and paid for; the next one is refused with
a message to the agent. Tokens are those that the provider reports, or an estimate if it reports
none.
"""

from datetime import UTC, date, datetime


class DailyBudget:
    """Tokens spent today against a limit.

    Args:
        limit_tokens: Prompt and completion tokens per UTC day; 0 for no limit.
    """

    def __init__(self, limit_tokens: int) -> None:
        """Start with nothing spent."""
        self.limit_tokens = limit_tokens
        self._day: date | None = None
        self._used = 0
        self._estimated = False

    def reset(self) -> None:
        """Reset the count, before it is rebuilt from the log."""
        self._day, self._used, self._estimated = None, 0, False

    def add(self, tokens: int, at: datetime, *, estimated: bool = False) -> None:
        """Count the tokens of a call; calls of an earlier day add nothing.

        Args:
            tokens: Tokens of prompt and answer.
            at: Wall time at which the call ended.
            estimated: True if the server did not count them.
        """
        day = at.astimezone(UTC).date()
        if self._day is None or day > self._day:
            self._day, self._used, self._estimated = day, 0, False
        if day == self._day:
            self._used += tokens
            self._estimated = self._estimated or estimated

    def used(self, now: datetime) -> int:
        """Tokens spent on the UTC day of `now`."""
        return self._used if self._day == now.astimezone(UTC).date() else 0

    def refusal(self, now: datetime) -> str:
        """Why no call may be made now; "" if one may."""
        used = self.used(now)
        if not self.limit_tokens or used < self.limit_tokens:
            return ""
        how = ", estimated because the server does not count them" if self._estimated else ""
        return (
            f"daily budget of {self.limit_tokens:,} tokens is spent (used {used:,}{how}); "
            "resets at 00:00 UTC"
        )

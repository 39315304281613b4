"""Every exception the arena raises, drawn as a tree.

    ArenaError                      has a cause, a remedy and an exit code
    ├── UsageError                  a flag, file or environment variable is wrong        exit 2
    ├── DependencyMissing           broker, Java, network: something outside is missing  exit 3
    │   ├── BrokerUnavailable       the broker does not answer
    │   └── NotInstalled            a package or a model is not installed on this machine
    ├── MessageError
    │   ├── Malformed               bytes that are not an arena message (dead letter)
    │   └── MessageTooLarge         refused before it is sent
    ├── BrokenLog                   account.events is damaged, or is not the log that was read
    │   └── CountedRecord           a record that was passed over had counted
    ├── Fenced                      another owner took over; this process must end
    ├── AppendFailed                an append may or may not be in the log; this process must end
    └── Stuck                       a reader lags and receives nothing; this process must end

Expected refusals are not exceptions: a rejected order or a failed tool is a value (`Rejected`,
`ToolResult(ok=False)`), because an agent must be able to read it.
"""

EXIT_NO = 1
EXIT_USAGE = 2
EXIT_DEPENDENCY = 3
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143
"""Exit code of a command that SIGTERM or SIGHUP ended."""


class ArenaError(Exception):
    """Base class: the message names the wrong value, the remedy says what to do.

    Attributes:
        remedy: One sentence about what to do, or "".
        exit_code: Exit code of a command that ends with this error.
    """

    exit_code = EXIT_NO

    def __init__(self, message: str, *, remedy: str = "") -> None:
        """Take the message and the remedy."""
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        """The message, followed by the remedy if there is one."""
        message = super().__str__()
        return f"{message}; {self.remedy}" if self.remedy else message


class UsageError(ArenaError):
    """A flag, a file or an environment variable has a value that cannot be used."""

    exit_code = EXIT_USAGE


class DependencyMissing(ArenaError):
    """Something outside the arena is missing: a broker, Java, the network."""

    exit_code = EXIT_DEPENDENCY


class BrokerUnavailable(DependencyMissing):
    """The broker did not answer within the deadline."""


class NotInstalled(DependencyMissing):
    """A package or a model is not installed on this machine; a retry does not help."""


class MessageError(ArenaError):
    """A message cannot be read or sent."""


class Malformed(MessageError):
    """The bytes of a record are not an arena message; they belong in `dead_letters`."""


class MessageTooLarge(MessageError):
    """A message is larger than its topic allows; it was not sent."""


class BrokenLog(ArenaError):
    """The account log is damaged, or is not the log that this state was folded from."""


class CountedRecord(BrokenLog):
    """A record of the account log that an operator had skipped turns out to have counted."""


class Fenced(ArenaError):
    """Another executor owns this shard now; this one must not write any more."""


class AppendFailed(ArenaError):
    """An append failed and may still be in the log: exit, and recover from the log."""


class Stuck(ArenaError):
    """A reader does not receive records that are in the log: exit, and start again."""

"""Why a message could not be delivered, in words of our own. Pure.

The log lines of the client libraries contain addresses with their secrets, so nothing of them is
shown: they are searched for known causes only.
"""

import re
from collections.abc import Iterable

CAUSES = (
    (re.compile(r"timed? ?out", re.IGNORECASE), "it did not answer in time"),
    (re.compile(r"refused", re.IGNORECASE), "the connection was refused"),
    (re.compile(r"resolv|Name or service|nodename|getaddrinfo"), "its host is unknown"),
    (re.compile(r"certificate|SSL", re.IGNORECASE), "its TLS certificate was not accepted"),
    (re.compile(r"unreachable|No route", re.IGNORECASE), "its host cannot be reached"),
    (re.compile(r"authenticat|SMTPAuth|\b535\b", re.IGNORECASE), "it refused the login"),
    (re.compile(r"reset|aborted|disconnected|closed", re.IGNORECASE), "the connection was closed"),
)
STATUS = re.compile(r"error[=:] ?(\d{3})\b")
UNKNOWN = "it was not delivered"


def failure_cause(lines: Iterable[str]) -> str:
    """The cause of a failed delivery, without any text of the lines but a status code.

    Args:
        lines: Log lines of the libraries during the delivery.
    """
    found = [*lines]
    for line in found:
        if status := STATUS.search(line):
            return f"it answered {status[1]}"
    for pattern, words in CAUSES:
        if any(pattern.search(line) for line in found):
            return words
    return UNKNOWN

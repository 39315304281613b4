"""The sender that records of commands name."""

import socket


def command_sender() -> str:
    """Return "cli/<host>"."""
    return f"cli/{socket.gethostname()}"

"""Set-up of child processes that tests interrupt."""

import signal


def enable_ctrl_c() -> None:
    """Enable SIGINT in a child before it starts, also if the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

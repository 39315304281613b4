"""How tests start processes that they will interrupt."""

import signal


def heed_ctrl_c() -> None:
    """Run in a child before it starts: obey SIGINT even where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

"""Signals that are noted and handled when no step can be interrupted by them."""

import os
import signal

import pytest

from operations.processes.stop_signals import StopSignals, Terminated


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_noted_signal_is_raised_after_the_block(
    number: signal.Signals, error: type[BaseException]
) -> None:
    """The block runs to its end; the first signal counts."""
    ended = False
    with StopSignals() as signals:
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), signal.SIGHUP)
        ended = True

    assert ended
    assert number == signals.received
    with pytest.raises(error):
        signals.raise_received()


def test_without_a_signal_nothing_is_raised() -> None:
    """The earlier handlers are restored."""
    before = signal.getsignal(signal.SIGINT)
    with StopSignals() as signals:
        pass
    signals.raise_received()

    assert before == signal.getsignal(signal.SIGINT)

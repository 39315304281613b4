"""The comparison with other backtesters runs, and names what is not installed."""

import sys

from operations.bench.peers import PEERS, measured


def test_what_is_not_installed_is_named() -> None:
    """The project's own environment has neither library; its own figures are there."""
    first, *lines = measured(sys.executable, 200)

    assert first.startswith("200 minutes of BTC-USD")
    figures = [line.split()[:2] for line in lines]
    assert ["arena,", "arena,", "arena,", *PEERS] == [words[0] for words in figures]
    assert " 100 whole turns " in lines[2]
    assert all("not installed" in line for line in lines[3:])

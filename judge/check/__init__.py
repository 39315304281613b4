"""`arena verdict-check`: the judge tested on simulated seasons whose truth is known."""

from judge.check.cli import verdict_check

__all__ = ["verdict_check"]

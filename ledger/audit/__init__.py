"""The audit: checks the records of an arena against the thirteen invariants of its design.

The checkers are pure; `sources` reads records, `seal` seals them and `verify` reports.
"""

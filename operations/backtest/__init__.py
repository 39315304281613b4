"""`arena backtest`: all processes of a contest in one process, on virtual time.

`contest` makes a lock-step contest of any specification, `compose` turns its planned processes into
members of one loop, and `run` plays them over a bus in memory and exports their records.
"""

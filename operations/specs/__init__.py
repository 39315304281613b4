"""ARENA.toml: what it may say, what is wrong with one, and what follows from it.

arena_spec   the file as one value
tables       its tables, each by itself
competition  the [competition] table
baselines    which chat node plays the baselines
environment  what variables say that the file leaves open
errors       what is wrong, in one line
"""

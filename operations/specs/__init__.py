"""ARENA.toml: its keys, its checks and its errors.

arena_spec            the whole file
tables                its tables, one by one
competition           the [competition] table
baselines             the chat nodes of the baselines
risk                  limits of risk
environment_defaults  values of variables for keys that the file leaves out
errors                errors in one line
"""

"""`arena storm`: a whole arena under faults from a seed, and a verdict on what it left.

`plan` draws the faults, `house` runs the processes, `driver` sends orders and keeps the oracle of
what was acked, `faults` carries the plan out, `checker*` judges the records by rules of its own.
"""

"""The audit: the records of an arena, held against the thirteen invariants of its design.

Pure checkers fold records into findings; what reads, seals and prints stands beside them.
"""

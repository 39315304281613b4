"""The terminal dashboard: read models folded from the topics, and the screens drawn from them.

It reads and never writes: nothing of the arena depends on it, and any number of them may run.
"""

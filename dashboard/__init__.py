"""The terminal dashboard: read models folded from the topics, and the screens drawn from them.

It writes to no topic: nothing in the arena depends on it, and any number of dashboards may run.
"""

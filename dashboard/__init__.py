"""The arena shown to people and programs: one read model of the topics, and its skins.

`model/` folds the topics and answers questions; `terminal/` draws it. They write to no topic:
nothing in the arena depends on them, and any number may run.
"""

"""Evaluations of agents: a coach's view, which the contest's verdict does not use.

Scores come from the records alone; `llm` adds what a model said about a sample of the turns. Pure
but for the services, which publish.
"""

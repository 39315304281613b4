"""Evaluations of one agent at a time: a coach's view, which the verdict does not use."""

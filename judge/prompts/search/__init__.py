"""Searches a better text for a strategy, on the recorded snapshots of a run.

The measure is decision quality by code, never profit. An earlier part of the snapshots is searched,
a later part decides, and a person approves.
"""

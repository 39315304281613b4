"""Trials of a proposed text: lock-step contests, and shadow agents in a running arena."""

"""The judge's room: metrics, statistics and verdicts belong here. Nothing is built yet."""

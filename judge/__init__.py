"""The judge's room: seasons, metrics, statistics, leaderboards, reports and the judge service."""

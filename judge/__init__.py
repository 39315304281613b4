"""The judge: seasons, metrics, statistics, leaderboards, reports and the judge process.

Its layers, lowest first: `statistics` (arrays in, values out) and `season` (records in, arrays
out), which do not import each other; metrics, entrants, claims and the leaderboard; then `report`,
`check` and the commands.
"""

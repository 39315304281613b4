"""A market that waits for its agents: the same snapshots in every run, one when all have answered.

reel      recorded or synthetic prices to tickers and snapshots   pure
shown     what the market shows, as events                         pure
pacing    whom the last snapshot waits for, and how long          pure
tail      what of a batch stands in the log already               pure
topics    what the agents have said, out of the topics
publisher appends, at the offsets it knows
conductor publishes, waits, resumes
run       from flags to a running process
"""

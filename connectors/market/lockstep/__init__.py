"""A replay in lock-step: the next snapshot is published when all agents have answered the last.

snapshot_replay    recorded or synthetic prices to tickers and snapshots     pure
market_events      the simulated market's state as events of the feed        pure
bar_player         whole bars to the feed, with the result of their steps  pure
benchmark_replay   a replay of generated candles for the bench              pure
pacing             which agents the last snapshot waits for, and how long    pure
batch_prefix       how much of a batch is already in the log                 pure
agent_tracker      reads the roster, accounts and turns of the agents
judge_wait         waits until the judge has coached
batch_tail         reads what follows a snapshot's batch
batch_publisher    appends tickers, candles and snapshots at the offsets it expects
lockstep_publisher publishes, waits, resumes
run                from flags to a running process
"""

"""What every venue shares: feed and candles to `market.tickers` and `market.snapshots`.

events            what a venue's parser returns                   pure
session           what to do on acks, errors, silence             pure
rate_limits       token bucket, backoff, connect limiter          pure
sanity            whether a ticker is credible                    pure
feed              events folded to last values                    pure
candles           closed bars, windows, gaps                      pure
trades            missing trades from REST pages                  pure
snapshot          last values -> MarketSnapshot                   pure
rest_client, stream, refresh, publisher, snapshotter,
subscription_manager, leadership, connector, run                  the shell around them
recording, playback                                               frames to files and back
lockstep          a replay that waits for the agents
"""

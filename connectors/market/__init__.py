"""What every venue shares: feed and candles to `market.tickers` and `market.snapshots`.

venue, session, events, listing       what a venue must have, and what it returns   pure
json_bodies, connection_errors        numbers, times and errors of venues           pure
rate_limits                           token bucket, backoff, connect limiter        pure
sanity                                whether a ticker is credible                  pure
feed                                  events folded to last values                  pure
candles, candles_from_trades          closed bars, windows, gaps                    pure
trades                                missing trades from REST pages                pure
snapshot, feed_status                 last values -> MarketSnapshot, heartbeats     pure
options                               of a live connector, of a playback            pure
http_client, stream, refresh, quiet_products, publisher, subscription_manager, venue_feed
                                      the shell around one venue
snapshotter, recent_snapshots, leadership, connector
                                      the shell around all venues
recording, playback                   frames to files and back
lockstep                              a replay that waits for the agents
"""

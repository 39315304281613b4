"""Coinbase Exchange: WebSocket feed and REST candles to `market.tickers`, `market.snapshots`.

protocol          one frame -> one decoded event                  pure
protocol_products the list of products, decoded                   pure
subscription      subscribe messages and their acknowledgements   pure
session           what to do on acks, errors, silence             pure
rate_limits       token bucket, backoff, connect limiter          pure
sanity            whether a ticker is credible                    pure
feed              events folded to last values                    pure
candles           closed bars, windows, gaps                      pure
rest_protocol     REST bodies and errors                          pure
trades            missing trades from REST pages                  pure
snapshot          last values -> MarketSnapshot                   pure
rest_client, stream, refresh, publisher, snapshotter,
subscription_manager, leadership, connector, run                  the shell around them
recording, playback                                               frames to files and back
"""

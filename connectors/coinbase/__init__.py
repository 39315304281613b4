"""Coinbase Exchange: WebSocket feed and REST candles to `market.tickers`, `market.snapshots`.

protocol        one frame -> one decoded event          pure
subscription    what is asked for, what is acknowledged pure
session         what to do on acks, errors, silence     pure
pacing          token bucket, backoff, connect limiter  pure
sanity          is this print credible                  pure
feed            events folded to last values            pure
candles         closed bars, windows, gaps              pure
rest_protocol   REST bodies and errors                  pure
snapshot        last values -> MarketSnapshot           pure
rest, stream, refresh, publisher, snapshotter, keeper,
leadership, connector                                   the shell around them
recording, playback                                     frames to files and back
"""

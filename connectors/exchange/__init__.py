"""A simulated exchange that speaks Coinbase Exchange's own WebSocket and REST protocol.

noise     seeded random integers                        pure
listing   the products it knows                         pure
synthetic prices out of a seed                          pure
pricefile prices out of recorded candles
standing  where a market stood when its process ended
market    ticks folded to tickers, trades, candles      pure
desk      one client's subscriptions, frames to text    pure
rest      one REST request to one response              pure
faults    what goes wrong, and until when               pure
modes     what the venue says of a product, changed     pure
server    the sockets around them
"""

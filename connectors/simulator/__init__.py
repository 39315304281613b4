"""A simulated exchange that speaks the WebSocket and REST protocols of a venue.

noise            seeded random integers                         pure
listing          the products it knows                          pure
price_path       the interface of price sources                 pure
synthetic_prices prices from a seed                             pure
recorded_prices  prices from recorded candles
simulator_state  the file in which a market keeps its venue time
simulated_market ticks folded to tickers, trades, candles       pure
venue_protocol   what it needs of a venue's protocol            pure
coinbase/        Coinbase Exchange: sessions, frames, responses pure
binance/         Binance spot: the same                         pure
faults           which faults are on, and until when            pure
fault_effects    closed connections
product_changes  status, modes and increments changed           pure
server           the sockets around them
run              from flags to a running process
"""

"""A simulator of Coinbase Exchange that speaks its WebSocket and REST protocols.

noise            seeded random integers                         pure
listing          the products it knows                          pure
price_path       the interface of price sources                 pure
synthetic_prices prices from a seed                             pure
recorded_prices  prices from recorded candles
simulator_state  the file in which a market keeps its venue time
simulated_market ticks folded to tickers, trades, candles       pure
feed_session     one client's subscriptions, frames to text     pure
rest_responses   one REST request to one response               pure
faults           which faults are on, and until when            pure
fault_effects    invalid frames and closed connections
product_changes  status, modes and increments changed           pure
server           the sockets around them
run              from flags to a running process
"""

"""The protocol of Coinbase Exchange, as the simulated exchange speaks it.

feed_session   one client's subscriptions, frames to text     pure
rest_responses one REST request to one response               pure
protocol       both, and the frames of faults                 pure
"""

"""The protocol of Binance spot, as the simulated exchange speaks it.

wire           numbers, times and symbols as the venue writes them   pure
feed_session   one client's requests and streams                     pure
frames         the market as frames of streams                       pure
rest_responses one REST request to one response                      pure
protocol       all of these, and the frames of faults                pure

Shapes follow the venue's documentation and two recordings. Real streams update faster: best prices
at once and candles every two seconds, where this market moves every five seconds.
"""

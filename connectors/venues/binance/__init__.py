"""Binance spot: the public market data streams and REST API.

symbols         what users type, ids and stream names           pure
protocol        one frame -> one decoded event                  pure
subscription    requests to the feed, within its limits         pure
session         acknowledgements, silence, the 24 hours         pure
exchange_info   the list of products, decoded                   pure
rest_protocol   the other REST bodies                           pure
rest            the requests
venue           all of these together

Everything here follows the venue's documentation (github.com/binance/binance-spot-api-docs), two
recordings of other projects and reports of their users; nothing was tried against the venue itself.
"""

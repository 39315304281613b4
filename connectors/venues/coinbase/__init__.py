"""Coinbase Exchange: the public WebSocket feed and REST API.

protocol          one frame -> one decoded event                  pure
subscription      subscribe messages and their acknowledgements   pure
session           acknowledgements, refusals, silence             pure
protocol_products the list of products, decoded                   pure
rest_protocol     candles, ticker and time, decoded               pure
trades            pages of trades, decoded                        pure
rest              the requests
venue             all of these together
"""

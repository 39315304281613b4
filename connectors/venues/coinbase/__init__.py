"""Coinbase Exchange: the public WebSocket feed and REST API, without I/O.

protocol          one frame -> one decoded event
protocol_products the list of products, decoded
rest_protocol     REST bodies and errors
subscription      subscribe messages and their acknowledgements
"""

"""A venue to copy: the smallest one that the contract tests accept.

protocol      one frame -> one decoded event          pure
session       subscriptions and silence               pure
rest_protocol REST bodies                             pure
rest          the requests
venue         all of these together

It is a venue that does not exist: its frames are `{"type": "quote" | "alive" | "subscribed" |
"error", ...}`, its REST paths `/time`, `/products`, `/ticker/ID`, `/candles/ID`, `/trades/ID`.

To add a venue, copy this folder to `connectors/venues/<name>/`, replace `_template` in its imports
and `NAME` in `protocol.py`, and write what the venue really sends. Record some frames by `arena
connector <name> --record FILE`, and put a few of the same shape, made by hand, into
`tests/connectors/fixtures/<name>_frames.jsonl`. `tests/connectors/venues/test_contract.py` then
finds the venue. To run it without the network, teach `connectors/simulator/` its protocol
(`ExchangeProtocol`).
"""

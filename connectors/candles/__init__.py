"""Fetches candles of a venue's public REST API into the cache of `arena.candle_cache`.

pages     the requests that missing days need          pure
report    what a fetch did, as text and as JSON        pure
fetch     asks the venue, and stores each day that is complete
cli       `arena candles fetch`
"""

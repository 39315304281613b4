"""The cache of candles: `<home>/candles/<venue>/<product>/<granularity>/<day>.parquet`.

series      the key of a series, and its folder                     pure
spans       sets of times: union, difference, missing candles       pure
names       "cache:coinbase" among the prices of a market           pure
manifest    the list of a series' days: rows, digests, gaps         pure
day_file    the rows of one day as Parquet
store       reads days, and replaces them atomically
merge       days of price files, and rows of two sources           pure
check       the content of the cache, and what is wrong with it
range       the prices of a market from files or from the cache

A day holds closed candles only, in UTC, and none that a source did not have. Its entry in the
manifest says which part of the day was asked for; a candle that is missing in that part is a gap.
"""

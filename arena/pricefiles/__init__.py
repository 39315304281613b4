"""Files of recorded candles, of many makers, read to one form: a row per minute, oldest first.

names   which product a file's name or a symbol names           pure
times   Unix time in any unit, ISO text, to nanoseconds         pure
shapes  which column is which, by names or by what is in them   pure
formats the list that people are shown                          pure
volumes which column is the volume in base units                pure
tradable whether an account can trade at such prices            pure
coarser where minutes turn into longer candles                 pure
numbers the numbers of cells                                    pure
rows    the checks of every row, and what the rows are          pure
beside  what JSON says beside its candles                      pure
packed  plain, gzip or zip: a bounded stream of bytes
texts   CSV as lines of cells
jsons   JSON as lines of cells
tables  Parquet and Feather as lines of cells
feather the bounds of an Arrow file
read    all of it, for one file

Connectors play these rows, and commands check them before they start anything.
"""

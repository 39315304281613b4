"""Reads files of recorded candles in many formats into one form: a row per minute, oldest first.

names          the product in a file's name or a symbol               pure
times          Unix time in any unit, or ISO text, as nanoseconds     pure
columns        the role of each column, by its name or its values     pure
formats        the list of formats for people                         pure
volumes        the column with the volume in base units               pure
candle_length  the length of the candles, and longer ones among them  pure
bars           the one length of the candles of a market             pure
numbers        the numbers in cells                                   pure
rows           the checks of every row, and the rows                  pure
json_names     column names and product in a JSON file                pure
facts          the description of a price file                        pure
span           start and end of a market of price files               pure
unpacked       plain, gzip or zip files as a bounded stream of bytes
csv_lines      CSV as lines of cells
json_lines     JSON as lines of cells
arrow_lines    Parquet and Feather as lines of cells
feather        the checks of an Arrow file
read           all of this, for one file

Connectors replay these rows, and commands check them before they start anything.
"""

"""Dated context: reading items from files, and which of them a snapshot shows.

times      the time of a publication as text or number                  pure
lines      one line of a file to items, or why it is refused            pure
schema     the JSON schema of a line                                    pure
files      the lines of a file, whole or from a position on
visible    which items are visible at a venue time, within bounds       pure
"""

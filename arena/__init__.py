"""The ground that every room stands on: messages, topics, bus, money, accounts.

Nothing here imports a room. Importing this package costs nothing: every module is loaded
by the process that needs it.
"""

__version__ = "0.3.0.dev0"

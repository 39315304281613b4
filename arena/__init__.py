"""The code that all rooms share: messages, topics, bus, money, accounts, process runtime.

Nothing here imports a room. Importing this package is cheap: each process loads only the
modules that it needs.
"""

__version__ = "0.3.0.dev1"

"""Imports what all commands of the arena import, in the forkserver of `tests.warm_commands`."""

import gc
from importlib import import_module

from tests.warm_commands import MODULES

for name in MODULES:
    import_module(name)
gc.collect()
gc.freeze()  # a fork that traced these objects would copy their memory

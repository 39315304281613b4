"""What every command of the arena imports: the forkserver of `tests.warm_commands` loads it once.

Libraries, the ground and the composition root; each command imports its own room itself.
"""

import gc
from importlib import import_module

MODULES = (
    *("aiokafka", "dotenv", "psutil", "pydantic_settings", "typer.main", "uvloop"),
    *("arena.bus.kafka", "arena.node", "arena.run_lookup"),
    *("operations.help_style", "operations.main"),
)

for name in MODULES:
    import_module(name)
gc.collect()
gc.freeze()  # a fork that traced these objects would copy their memory

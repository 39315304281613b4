"""`python -m arena COMMAND`: the entry point. The commands are in `operations.main`."""

# ruff: noqa: E402  Signal handlers and thread counts are set before anything else is loaded.

import os
import signal
import sys

IS_COMMAND = __name__ == "__main__" or os.path.basename(sys.argv[0]) == "arena"
if IS_COMMAND and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Ctrl-C while modules are still loading: exit without output.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
for ending in (signal.SIGTERM, signal.SIGHUP) if IS_COMMAND else ():
    if signal.getsignal(ending) is signal.SIG_DFL:
        signal.signal(ending, lambda *_: os._exit(143))

# Arrays here are small: threads cost more than they save, and change the last digits of sums.
for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
# Pydantic would look for plugins in the metadata of every installed package: 2% of a start. Another
# package's plugin would also see, and could change, what a message is read as.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from importlib import import_module


def main() -> None:
    """Run the command in `sys.argv`; an error is one line on stderr and an exit code."""
    import_module("operations.main").main()


if __name__ == "__main__":
    main()

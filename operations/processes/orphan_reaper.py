"""Ends child processes if their parent is gone, even after a SIGKILL of the parent.

A shell in a session of its own reads from a pipe which children are alive. The kernel closes the
pipe when the parent ends, however it ends; the shell then ends the children that are left:
SIGTERM, a deadline, SIGKILL. A child counts once it was added: one that is started just before its
parent is killed is left. It signals whole process groups, so grandchildren end too, and it
works on every Unix (a parent-death signal is specific to Linux and spares grandchildren).
"""

import subprocess
from contextlib import suppress

GRACE_S = 6
CLOSE_SPARE_S = 4.0
"""How much longer than the grace `close` waits."""

# $1 is the grace in seconds. A target is a pid, or a negative one for a group, as in kill(1).
SCRIPT = """
trap "" INT TERM HUP QUIT
alive=""
while read -r sign target; do
  rest=""
  for t in $alive; do [ "$t" = "$target" ] || rest="$rest $t"; done
  alive="$rest"
  [ "$sign" = "+" ] && alive="$alive $target"
done
for t in $alive; do kill -s TERM -- "$t" 2>/dev/null; done
waited=0
while [ "$waited" -lt "$1" ]; do
  rest=""
  for t in $alive; do kill -s 0 -- "$t" 2>/dev/null && rest="$rest $t"; done
  alive="$rest"
  [ -z "$alive" ] && exit 0
  sleep 1
  waited=$((waited + 1))
done
for t in $alive; do kill -s KILL -- "$t" 2>/dev/null; done
"""


class OrphanReaper:
    """The shell that waits for the end of its parent.

    Args:
        grace_s: Whole seconds from SIGTERM to SIGKILL.
    """

    def __init__(self, grace_s: int = GRACE_S) -> None:
        """Start the shell."""
        self._grace_s = grace_s
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "arena-reaper", str(grace_s)],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def add(self, target: int) -> None:
        """End this pid (or, if negative, this group) when the parent is gone."""
        self._write("+", target)

    def remove(self, target: int) -> None:
        """Leave this pid or group alone: it has ended."""
        self._write("-", target)

    def close(self) -> None:
        """End the children that are left, and wait for that."""
        if self._shell.stdin is not None:
            with suppress(BrokenPipeError):
                self._shell.stdin.close()
        try:
            self._shell.wait(self._grace_s + CLOSE_SPARE_S)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()

    def release(self) -> None:
        """End the shell and leave the children running."""
        self._shell.kill()
        self._shell.wait()
        if self._shell.stdin is not None:
            with suppress(BrokenPipeError):
                self._shell.stdin.close()

    def _write(self, sign: str, target: int) -> None:
        assert self._shell.stdin is not None
        # If the shell itself was killed, the parent continues without it.
        with suppress(BrokenPipeError):
            self._shell.stdin.write(f"{sign} {target}\n".encode())
            self._shell.stdin.flush()

"""Ends the processes when the supervisor is gone, however it went.

A shell in a session of its own waits on a pipe and is told who lives. When the pipe closes,
which the kernel does even after a SIGKILL of the supervisor, it ends what is left: SIGTERM, a
deadline, SIGKILL. It works on whole process groups, so grandchildren end too, and on every
Unix (a parent-death signal is Linux's alone and spares grandchildren).
"""

import subprocess
from contextlib import suppress

CLOSE_DEADLINE_S = 10.0

# A target is a pid, or a negative one for a process group, as in kill(1).
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
for _ in 1 2 3 4 5 6; do
  rest=""
  for t in $alive; do kill -s 0 -- "$t" 2>/dev/null && rest="$rest $t"; done
  alive="$rest"
  [ -z "$alive" ] && exit 0
  sleep 1
done
for t in $alive; do kill -s KILL -- "$t" 2>/dev/null; done
"""


class Keeper:
    """The shell that waits."""

    def __init__(self) -> None:
        """Start it."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "arena-keeper"],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def remember(self, target: int) -> None:
        """End this pid (or, negative, this group) when the supervisor is gone."""
        self._tell("+", target)

    def forget(self, target: int) -> None:
        """It has ended."""
        self._tell("-", target)

    def close(self) -> None:
        """Let it end what is still remembered, and wait for it."""
        if self._shell.stdin is not None:
            with suppress(BrokenPipeError):
                self._shell.stdin.close()
        try:
            self._shell.wait(CLOSE_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()

    def _tell(self, sign: str, target: int) -> None:
        assert self._shell.stdin is not None
        # A keeper that was killed leaves the rest of the supervisor's work undisturbed.
        with suppress(BrokenPipeError):
            self._shell.stdin.write(f"{sign} {target}\n".encode())
            self._shell.stdin.flush()

"""Runs and stops the processes of an arena on this machine.

    plan              which processes an ARENA.toml needs, in start order (pure)
    restart           what to do after a process ended: restart, give up, nothing (pure)
    command_steps     what a command means for a process, and whether it is obeyed (pure)
    supervisor        start order, restarts, commands, log rotation, stop
    supervised_child  one process and its state
    supervision_link  receives commands and sends heartbeats, in a thread
    note_limit        how many notes of that thread are shown (pure)
    running           one run: its directory, its record, its processes
    log_tail          the last lines of a process's log
    run_list          lists and removes the runs of a home

The arena has its own supervisor because honcho (2.0) and similar tools stop everything as soon as
one process ends and restart nothing, and supervisord needs a configuration file and a daemon. What
is needed is small: restart with backoff, one bounded log per process, and no process left behind.

Nothing is imported here: import the module you need.
"""

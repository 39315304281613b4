"""Runs and stops the processes of an arena on this machine.

    plan        which processes an ARENA.toml needs, in start order (pure)
    restart     what to do after a process ended: restart, give up, nothing (pure)
    supervisor  start order, restarts, log rotation, stop
    running     one run: its directory, its record, its processes
    run_list    lists and removes the runs of a home

The arena has its own supervisor because honcho (2.0) and similar tools stop everything as soon as
one process ends and restart nothing, and supervisord needs a configuration file and a daemon. What
is needed is small: restart with backoff, one bounded log per process, and no process left behind.

Nothing is imported here: import the module you need.
"""

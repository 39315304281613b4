"""Runs the processes of an arena on this machine and ends them.

    plan        which processes an ARENA.toml needs, in start order (pure)
    restart     what follows the end of a process: restart, give up, nothing (pure)
    supervisor  start order, restarts, log rotation, stop
    running     one run: its directory, its record, its processes
    run_list    the runs of a home, and their removal

A supervisor of our own, because honcho (2.0) and similar tools end everything as soon as one
process ends and restart nothing, and supervisord wants a configuration file and a daemon. What is
needed here is small: restart with backoff, one bounded log each, and no process left behind.

Nothing is imported here: import the module you need.
"""

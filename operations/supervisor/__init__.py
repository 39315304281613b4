"""Runs the processes of an arena on this machine and puts them away again.

    restart   what follows from a process's end: restart, give up, leave it (pure)
    child     one started process: its group, its log file, how it is ended
    keeper    ends the processes when the supervisor itself is killed
    signals   a wish to stop, noted instead of raised
    runs      `<home>/runs/<time>/`: run.json and the logs
    plan      which processes an ARENA.toml needs (pure)
    supervisor  start order, restarts, rotation, stop

Why our own: honcho (2.0) and its like end everything as soon as one process ends and restart
nothing; supervisord wants a configuration file and a daemon of its own. What is needed here is
small: restart with backoff, one bounded log each, and never a process left behind.

Nothing is imported here: import the module you need.
"""

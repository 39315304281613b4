"""Child processes of this machine, for the supervisor, the local broker and storms.

    child          one started process: its group, its log file, how it is ended
    orphan_reaper  ends the children if their parent is killed
    stop_signals   SIGINT, SIGTERM and SIGHUP: as an exception, or noted for a loop to check
    stop_on_exit   a context manager that calls `stop` at the end of its block

Nothing is imported here: import the module you need.
"""

"""Starts, supervises, installs and measures arenas.

It imports the ground and loads rooms by name; no other package imports it.

    main         the composition root: which command is in which module
    commands     the commands of `arena` that are not part of a room
    specs        ARENA.toml
    supervisor   the processes of a run on this machine
    localbroker  Kafka on this machine, without Docker
    bench        the measurements of `arena bench`
    storm        a whole arena under faults, and its checker
"""

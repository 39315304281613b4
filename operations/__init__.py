"""What starts, supervises, installs and measures an arena.

It imports the ground and loads the rooms by string; no other package imports it.

    main         the composition root: which command is in which module
    commands     the commands of `arena` that belong to no room
    specs        ARENA.toml
    supervisor   the processes of a run on this machine
    localbroker  Kafka on this machine, without Docker
    bench        what `arena bench` measures with
    storm        a whole arena under faults, and its checker
"""

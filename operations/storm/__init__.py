"""`arena storm`: runs a whole arena under faults drawn from a seed, and checks its records.

`fault_plan` draws the faults, `processes` runs the processes, `order_sender` sends orders and
records what was acked, `fault_injector` carries out the plan, and `checker*` checks the records by
rules of its own.
"""

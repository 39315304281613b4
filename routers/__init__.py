"""The agents: one router per agent plays its strategy, turn by turn, against a chat node.

strategy, strategies/   what an agent wants: prompt, tools, cadence
prompt, portfolio       what it sees, as text
turn, transcript        the state machine of one decision, and its bounded conversation
memory                  what it remembers of its last decisions
roster, recovery        what it learns from the topics when it starts
router, fleet, cli      the shell: Kafka in and out, one agent or several in a process
"""

"""The agents: one router per agent plays its strategy, turn by turn, against a chat node.

strategy, strategies/                   prompt, tools and cadence of an agent
prompt*, portfolio                      what the model sees, as text
turn, tool_round, conversation*         the state machine of one decision and its bounded messages
memory                                  what an agent remembers of its last decisions
agent_config, turn_factory, turn_types  configuration, inputs and outputs of a turn
roster, chat_node_monitor, recovery, resume  what a router reads from the topics
router, service, cli                    the shell: Kafka in and out, one or more agents per process
replay*                                 recorded turns, run again for the audit
"""

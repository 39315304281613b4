"""Chat nodes: one process per model, which answers the agents' requests and logs each call.

Reads `ai_prompted.<node>`, writes `agent.inbox.<agent>` and `llm.calls`.
"""

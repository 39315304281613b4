"""A small language model in the chat node's own process: its prompt, its engine, its answers."""

"""Built-in rules that answer in place of an LLM: no server, no key, no cost."""

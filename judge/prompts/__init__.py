"""Changes of agents' prompts: templates, what triggers them, and the rules that hold them back."""

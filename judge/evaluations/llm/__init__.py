"""A language model as judge of turns: it is asked yes/no questions, and is measured itself."""

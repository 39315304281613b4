"""Orders that live: terms, triggers, and the steps that the executor takes without a command."""

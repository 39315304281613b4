"""The terminal dashboard: screens drawn from the read model, keys and pictures."""

"""A whole arena in one process under seeded faults: `arena simulate`."""

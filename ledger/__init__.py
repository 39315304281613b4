"""The ledger's room: double-entry books and audit belong here. Nothing is built yet."""

"""Alerts: conditions of the read model, and the messages about them to receivers."""

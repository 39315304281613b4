"""Connectors: venue feeds to topics, and a simulated exchange."""

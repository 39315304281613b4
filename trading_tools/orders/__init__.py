"""Limit orders and exits: terms, triggers, and steps that the executor takes without a command."""

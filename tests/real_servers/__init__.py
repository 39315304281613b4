"""Contests against real model servers: `make real-servers`, not part of `make test`."""

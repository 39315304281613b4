"""The web skin of the read model: a live page, REST and server-sent events."""

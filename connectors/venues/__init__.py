"""One package per venue: its protocol without I/O, and the parts that only this venue has."""

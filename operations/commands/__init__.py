"""The commands of `arena` that are not part of a room."""

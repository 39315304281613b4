"""The commands of `arena` that belong to no room: this and `dashboard` are where text is drawn."""

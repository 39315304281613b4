"""What a search over settings found, with the statistics that a search owes.

`candidates` takes the returns of each point of a grid, `verdict` judges them together, and
`walk_forward` chooses in one window and measures in the next.
"""

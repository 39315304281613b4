"""What keeps the arena honest from outside: storms, and the checker that judges them.

Imports `arena` and itself; the checker imports neither (`tests/test_house.py`).
"""

"""Metrics of accounts: curves, returns, fills and exposure.

The judge measures seasons with them, and agents their own accounts. The modules load numpy.
"""

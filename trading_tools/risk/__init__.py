"""The risk engine: limits of an account, what they are measured from, and the verdict. Pure.

`limits` has the limits and presets, `limit_values` reads them from tables and flags, `assess`
decides about one order, `value_at_risk` measures the loss of a bad day.
"""

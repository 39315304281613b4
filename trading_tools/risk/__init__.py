"""The risk engine: limits of an account, what they are measured from, and the verdict. Pure.

`arena.risk_limits` has the limits and presets, `inputs` what an order is assessed by, `assess`
decides about one order, `value_at_risk` measures the loss of a bad day.
"""

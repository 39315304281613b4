"""The limits of an account, as the executor imports them; they are in `arena.risk_limits`."""

from arena.risk_limits import OFF, PRESETS, RiskLimits

__all__ = ["OFF", "PRESETS", "RiskLimits"]

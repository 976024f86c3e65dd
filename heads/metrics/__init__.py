"""Metrics: pure functions of a state, one file per metric or close family."""

"""Metrics, which are pure functions of a state; a module holds a metric or a close family."""

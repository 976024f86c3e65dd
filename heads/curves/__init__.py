"""Curves and matrices that a report shows beside its metrics, as plain data."""

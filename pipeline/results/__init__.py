"""Merged states -> values, intervals, comparisons and distributions. It knows no report."""

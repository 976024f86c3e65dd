"""Decides which slices a run has, and finds the slices of every row.

If the configuration lists all slices, `fixed_table` has them. Otherwise a `SliceCounter` for each
bundle of rows counts the rows of every slice, `merge_counts` adds the counts, and `decide` keeps
the largest slices. A `Slicer` then gives every batch its segments.

A *spec* is an entry of `slices` in the configuration. A *code* is the number of a value or bucket
in a column. An *entry* is a row with one of its slices, or with one of its values in a column.
"""

"""Slices: which there are, and which of them a row belongs to.

Unless the configuration lists them all (`fixed_table`), a `SliceCounter` for each bundle of rows
counts the rows of every slice, `merge_counts` adds the counts up, and `decide` keeps the largest
slices. A `Slicer` then gives every batch its segments.
"""

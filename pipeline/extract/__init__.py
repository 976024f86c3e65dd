"""Rows -> the columns of a head: which rows count, their folds, labels, scores and weights."""

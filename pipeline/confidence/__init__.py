"""Computes standard errors from folds, intervals, and p-values of comparisons of two models."""

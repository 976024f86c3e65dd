"""How sure a number is: standard errors from folds, intervals, and comparisons of two models."""

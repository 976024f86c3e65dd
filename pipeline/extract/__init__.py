"""From rows to the inputs of a head: which rows count, their folds, labels, scores and weights."""

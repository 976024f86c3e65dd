"""Code that metrics share: the contract of a metric, the registry, and quantities of a state."""

"""What metrics share: the contract, the registry, and what several of them are computed from."""

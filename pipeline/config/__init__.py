"""The configuration of a run: YAML in, checked and frozen models out. No NumPy."""

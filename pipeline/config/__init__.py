"""Reads the configuration of a run from YAML into checked, frozen models; imports no NumPy."""

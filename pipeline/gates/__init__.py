"""What the gates say of the results of a run."""

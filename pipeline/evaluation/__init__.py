"""The plan of a run, and rows -> states."""

"""What is told to people: problems, faults, near names, and how lines are worded."""

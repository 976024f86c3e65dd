"""What `headcount.py` offers to programs: evaluating data in memory, running, and reports."""

"""What users are told: problems, faults, suggested names, and the wording of error lines."""

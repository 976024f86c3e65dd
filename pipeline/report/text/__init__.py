"""What the terminal shows of a report, a verdict and a comparison, and the same as Markdown."""

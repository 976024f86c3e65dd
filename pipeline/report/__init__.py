"""The finished report as data, and its views."""

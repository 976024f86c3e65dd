"""A run as a directory: what is published, read and compared."""

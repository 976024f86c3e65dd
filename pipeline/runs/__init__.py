"""Runs as directories: publishing, reading and comparing them."""

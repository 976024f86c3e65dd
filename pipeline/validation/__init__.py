"""Finds what is wrong with files and rows, and checks them against a schema."""

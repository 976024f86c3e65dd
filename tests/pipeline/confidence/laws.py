"""How many examples the laws of this folder are tried on."""

from hypothesis import settings

law = settings(max_examples=40, deadline=None, derandomize=True, database=None)

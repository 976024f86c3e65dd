"""Reasons for which a schema leaves out a row, and what they say of a column."""

SCHEMA_REASONS = {
    "null": "has no value",
    "wrong_length": "is a list of the wrong length",
    "not_finite": "is NaN or infinite",
    "below_domain": "is below the domain of the schema",
    "above_domain": "is above the domain of the schema",
    "not_in_domain": "is not in the domain of the schema",
}
"""By code, in the order in which they are found; the first three are those of any column."""

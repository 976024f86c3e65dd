"""The reasons for which a row is left out, and the words that say so about a column."""

SCHEMA_REASONS = {
    "null": "has no value",
    "wrong_length": "is a list of the wrong length",
    "not_finite": "is NaN or infinite",
    "below_domain": "is below the domain of the schema",
    "above_domain": "is above the domain of the schema",
    "not_in_domain": "is not in the domain of the schema",
}
"""The reasons that a schema gives, by code, in the order in which they are checked.

The first three can be found in any column."""

REASONS = SCHEMA_REASONS | {
    "null": "has no value",
    "wrong_length": "is a list of the wrong length",
    "not_finite": "is NaN or infinite",
    "not_a_probability": "is outside [0, 1]",
    "out_of_range": "is outside the range of labels",
    "not_a_class_id": "is not a class id",
    "not_in_vocabulary": "is not in the vocabulary",
    "negative": "is negative",
    "too_large": "has an exponential beyond float64",
    "above_upper": "is above the upper end of the interval",
}
"""All reasons by code: those of a schema, and those for which a head cannot score a row."""

"""The pipeline on Apache Beam, and the only place that imports it."""

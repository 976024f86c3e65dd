"""Reads Parquet and TFRecord files as batches of Arrow columns. No Beam here."""

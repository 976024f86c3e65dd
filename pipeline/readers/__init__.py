"""From shards to rows: Parquet and TFRecord files as batches of Arrow columns. No Beam here."""

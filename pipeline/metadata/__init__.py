"""Exchange with tensorflow-metadata: its schemas and problem statements in, its findings out."""

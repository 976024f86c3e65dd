"""What is wrong with files and rows: findings, the schema, and checks of rows."""

"""What a row is known by: hashes of rows and of tables, the names of rows without keys."""

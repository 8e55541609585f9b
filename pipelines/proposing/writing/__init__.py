"""How a file is written: its kind, encoding, delimiter, names, and what its cells mean."""

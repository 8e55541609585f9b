"""A use case proposed from a table: what its rows show, with reasons, and what only people know."""

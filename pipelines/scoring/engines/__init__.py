"""Who answers the pieces of a source: one engine, one file."""

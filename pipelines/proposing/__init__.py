"""Making a use case: what is wrong with one, before any work."""

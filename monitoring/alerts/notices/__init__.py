"""What may be wrong beside drift: one kind, one file, one line in the registry."""

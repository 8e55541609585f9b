"""What is wrong with a use case, before any work: one subject a file, one line in the registry."""
